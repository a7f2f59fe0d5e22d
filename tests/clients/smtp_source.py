#!/usr/bin/env python3
"""Postfix's smtp-source (SMTP in): 400 messages on 16 connections to one inbox, and 4 large ones; all are there once.

Only the program from Postfix's package is used; no Postfix is started.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from fixture import stored_contents
from scenario import command, equal
from server import Server


def run():
    with Server() as server:
        inbox = api.create_inbox(server, "bulk")
        host, port = server.address("smtp_in")
        base = ["/usr/sbin/smtp-source", "-M", "client.example.net", "-f", "s@client.example.net", "-t", inbox.address]
        command(base + ["-s", "16", "-m", "400", "-l", "5120", f"inet:{host}:{port}"])
        command(base + ["-d", "-s", "2", "-m", "4", "-l", "3000000", f"inet:{host}:{port}"])
        stored = stored_contents(server, inbox)
        equal(len(stored), 404, "messages delivered")
        equal(sum(len(content) > 2_900_000 for content in stored), 4, "large messages")
        ids = {line for content in stored for line in content.split(b"\r\n\r\n")[0].split(b"\r\n") if line.lower().startswith(b"message-id:")}
        equal(len(ids), 404, "different Message-IDs")


if __name__ == "__main__":
    scenario.main(run, 120)
