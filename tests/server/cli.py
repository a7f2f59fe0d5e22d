#!/usr/bin/env python3
"""The client commands against a live `postroom dev`: org, inbox and message, as tables and as JSON, and their failures."""

import json
import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import scenario
from scenario import check, command, equal
from server import Server, binary


def postroom(server, *words, key="tenant_key", expect=0):
    environment = {**os.environ, "POSTROOM_URL": server.ready["api"], "POSTROOM_API_KEY": server.ready[key]}
    return command([binary(), *words], env=environment, expect=expect).decode()


def run():
    with Server() as server:
        made = json.loads(postroom(server, "org", "create", "Acme", "--json", key="operator_key"))
        check(made["apiKey"].startswith("tk_"), f"org create: {made}")
        check(made["id"] in postroom(server, "org", "list", key="operator_key"), "org list")

        inbox = json.loads(postroom(server, "inbox", "create", "scout", "--display-name", "Scout", "--json"))
        equal(inbox["email"], "scout@example.test", "address")
        table = postroom(server, "inbox", "list").splitlines()
        equal(table[0].split(), ["ID", "EMAIL", "DISPLAYNAME", "CREATEDAT"], "head of the table")
        check(any("scout@example.test" in line and "Scout" in line for line in table), f"inbox list: {table}")
        check("scout@example.test" in postroom(server, "inbox", "show", "scout@example.test"), "inbox show by address")

        with smtplib.SMTP(*server.address("smtp_in"), timeout=20) as smtp:
            smtp.sendmail("zoe@example.net", ["scout@example.test"], b"From: zoe@example.net\r\nSubject: caf\xc3\xa9\r\n\r\nhello\r\n")
        listed = json.loads(postroom(server, "message", "list", "scout@example.test", "--json"))
        equal([message["subject"] for message in listed["messages"]], ["café"], "subjects")
        message = listed["messages"][0]["id"]
        check("café" in postroom(server, "message", "list", inbox["id"]), "message list by id")
        check("hello" in postroom(server, "message", "show", "scout@example.test", message), "message show")
        postroom(server, "message", "delete", "scout@example.test", message)

        rotated = json.loads(postroom(server, "inbox", "rotate", "scout@example.test", "--json"))
        check(rotated["imapPassword"] != inbox["imapPassword"], "rotate gives a new password")
        postroom(server, "inbox", "delete", "scout@example.test")
        check("no inbox" in postroom(server, "inbox", "show", "scout@example.test", expect=1), "a deleted inbox")
        check("404" in postroom(server, "inbox", "show", inbox["id"], expect=1), "a deleted inbox by id")
        check("unexpected argument" in postroom(server, "inbox", "list", "--rubbish", expect=2), "usage")
        bad = {**os.environ, "POSTROOM_URL": server.ready["api"]}
        check(b"401" in command([binary(), "inbox", "list", "--key", "tk_wrong"], env=bad, expect=1), "a wrong key")


scenario.main(run, 120)
