#!/usr/bin/env python3
"""Node's imapflow over TLS and STARTTLS: syncs, searches, moves, deletes, appends, and hears of changes while it idles."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import corpus
import packages
import scenario
import smtp
from fixture import filled_inbox
from imap import Imap
from scenario import check, equal, spawn
from server import Server


def one_run(server, secure):
    inbox, contents = filled_inbox(server, "tls" if secure else "starttls")
    settings = {"imap": server.address("imap")[1], "imaps": server.address("imaps")[1], "ca": server.ready["ca"], "user": inbox.address,
                "password": inbox.password, "secure": secure}
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "imapflow.js")
    client = spawn(["node", script, json.dumps(settings)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                   env={**os.environ, "NODE_PATH": packages.node_modules()})
    line = client.stdout.readline()
    check(line.startswith(b'{"idle"'), f"imapflow did not come to idle: {line!r} {b'' if line else client.stderr.read()[-3000:]!r}")
    smtp.deliver(server, [inbox.address], corpus.octets(corpus.plain(inbox.address, "While idling")))
    with Imap(server, inbox.address, inbox.password) as session:
        session.select()
        session.command("STORE 1 +FLAGS (\\Answered)")
    output, errors = client.communicate(timeout=40)
    check(client.returncode == 0, f"imapflow ended with {client.returncode}: {errors[-3000:].decode()}")
    seen = json.loads(output.splitlines()[-1])["seen"]
    equal(seen["messages"], len(contents), "messages fetched by imapflow")
    check("dots" in seen["subjects"], f"subjects are {seen['subjects']}")
    equal(seen["latest"], "While idling", "the newest message")
    check("\\Answered" in seen["flagsChanged"], f"flags heard of are {seen['flagsChanged']}")
    check({"CONDSTORE", "QRESYNC"} & {word.upper() for word in seen["enabled"]}, f"enabled are {seen['enabled']}")
    check(seen["compressed"] and seen["quota"], f"COMPRESS or QUOTA was not used: {seen}")


def run():
    with Server() as server:
        one_run(server, True)
        one_run(server, False)


if __name__ == "__main__":
    scenario.main(run, 120)
