#!/usr/bin/env python3
"""The client commands against a live `postroom dev`: org, inbox, message, queue and domain, as tables and as JSON, and their failures."""

import json
import os
import smtplib
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import scenario
from scenario import check, command, equal, wait_until
from server import Server, binary


def postroom(server, *words, key="tenant_key", expect=0):
    environment = {**os.environ, "POSTROOM_URL": server.ready["api"], "POSTROOM_API_KEY": server.ready[key]}
    return command([binary(), *words], env=environment, expect=expect).decode()


def parsed(server, *words, **options):
    return json.loads(postroom(server, *words, "--json", **options))


def sending(server):
    scout = "scout@example.test"
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(b"attached")
        file.flush()
        words = ["--to", "Zo\u00eb <zoe@example.net>", "--bcc", "b@example.org", "--subject", "hi", "--text", "hello", "--attach", file.name]
        sent = parsed(server, "message", "send", scout, *words)
    equal(sent["status"], "queued", "status of a sent message")
    trace = ["message", "trace", scout, sent["id"]]
    states = lambda: [recipient["state"] for recipient in parsed(server, *trace)["recipients"]]
    wait_until(lambda: states() == ["delivered", "delivered"], "delivery", pause=0.2)
    check("captured" in postroom(server, *trace), "trace as text")
    listed = parsed(server, "message", "captured")["captured"]
    equal(sorted(one["to"] for one in listed), ["b@example.org", "zoe@example.net"], "captured recipients")
    check("zoe@example.net" in postroom(server, "message", "captured"), "captured as a table")
    one = listed[0]["id"]
    check("hello" in postroom(server, "message", "captured", one), "one captured message")
    raw = postroom(server, "message", "captured", one, "--raw")
    check("DKIM-Signature:" in raw and "b@example.org" not in raw, f"captured source: {raw}")

    address = server.ready["inbox"]["address"]
    postroom(server, "message", "send", scout, "--to", address, "--subject", "local", "--text", "x", "--personal")
    arrived = lambda: [m for m in parsed(server, "message", "list", address)["messages"] if m["subject"] == "local"]
    received = wait_until(arrived, "local delivery", pause=0.2)[0]["id"]
    answer = parsed(server, "message", "reply", address, received, "--all", "--text", "y")
    check(answer["threadId"] != sent["threadId"], "a thread for each inbox")
    postroom(server, "message", "forward", address, received, "--to", "c@example.net")
    subjects = [m["subject"] for m in parsed(server, "message", "list", address)["messages"]]
    check({"local", "Re: local", "Fwd: local"} <= set(subjects), f"subjects: {subjects}")
    check("400" in postroom(server, "message", "send", scout, "--to", "nobody@example.test", "--text", "x", expect=1), "unknown recipient")

    queue = lambda *words, **options: postroom(server, "queue", *words, **options)
    check(sent["id"] in queue("ls", "--domain", "example.net", "--state", "delivered"), "queue ls")
    check("zoe@example.net" in queue("show", sent["id"]), "queue show")
    equal(parsed(server, "queue", "cancel", sent["id"])["changed"], 0, "what is final stays")
    queue("flush", key="operator_key")
    check("403" in queue("flush", expect=1), "flush is the operator's")


def settings(server):
    operator = {"key": "operator_key"}
    scout = "scout@example.test"
    postroom(server, "inbox", "alias", "add", scout, "desk@example.test")
    check("desk@example.test" in postroom(server, "inbox", "show", "desk@example.test"), "found by its alias")
    postroom(server, "inbox", "alias", "remove", scout, "desk@example.test")
    equal(parsed(server, "inbox", "forward", scout, "me@example.net")["forwardTo"], "me@example.net", "forwarding")
    equal(parsed(server, "inbox", "forward", scout, "--off")["forwardTo"], None, "forwarding off")
    paused = parsed(server, "inbox", "pause", scout, "--sending")
    equal((paused["sendPaused"], paused["receivePaused"]), (True, False), "paused")
    check("403" in postroom(server, "message", "send", scout, "--to", "a@example.net", "--text", "x", expect=1), "a paused inbox")
    equal(parsed(server, "inbox", "resume", scout)["sendPaused"], False, "resumed")

    equal(parsed(server, "domain", "add", "new.example", **operator)["domain"], "new.example", "domain add")
    check("new.example" in postroom(server, "domain", "list", **operator), "domain list")
    check("v=DMARC1" in postroom(server, "domain", "dns", "new.example", **operator), "records as text")
    check(" IN MX 10 " in postroom(server, "domain", "dns", "new.example", "--format", "zone", **operator), "zone file")
    equal(parsed(server, "domain", "dns", "new.example", **operator)["domain"], "new.example", "records as JSON")
    equal(len(parsed(server, "domain", "rotate-dkim", "new.example", "--now", **operator)["dkimKeys"]), 4, "keys")
    caught = parsed(server, "domain", "catch-all", "new.example", scout, **operator)
    equal(caught["catchAll"], scout, "catch-all")
    equal(parsed(server, "domain", "catch-all", "new.example", "--off", **operator)["catchAll"], None, "catch-all off")
    postroom(server, "domain", "remove", "new.example", **operator)
    check("404" in postroom(server, "domain", "show", "new.example", expect=1, **operator), "a removed domain")
    check("403" in postroom(server, "domain", "list", expect=1), "domains are the operator's")


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

        sending(server)
        settings(server)

        rotated = json.loads(postroom(server, "inbox", "rotate", "scout@example.test", "--json"))
        check(rotated["imapPassword"] != inbox["imapPassword"], "rotate gives a new password")
        postroom(server, "inbox", "delete", "scout@example.test")
        check("no inbox" in postroom(server, "inbox", "show", "scout@example.test", expect=1), "a deleted inbox")
        check("404" in postroom(server, "inbox", "show", inbox["id"], expect=1), "a deleted inbox by id")
        check("unexpected argument" in postroom(server, "inbox", "list", "--rubbish", expect=2), "usage")
        bad = {**os.environ, "POSTROOM_URL": server.ready["api"]}
        check(b"401" in command([binary(), "inbox", "list", "--key", "tk_wrong"], env=bad, expect=1), "a wrong key")


scenario.main(run, 120)
