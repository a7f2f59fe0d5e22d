#!/usr/bin/env python3
"""The client commands against a live `postroom dev`, as tables and as JSON, and their failures with their exit codes.

With operator and tenant key here; with keys of the AgentMail API in cli_mail.py and cli_rules.py; events in cli_events.py.
"""

import imaplib
import os
import smtplib
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import cli_events
import cli_mail
import cli_rules
import scenario
from commands import FAILED, KEY, NOT_FOUND, USAGE, Cli
from scenario import check, equal, temp_folder, wait_until
from server import Server


def sending(server, tenant, operator):
    scout = "scout@example.test"
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(b"attached")
        file.flush()
        words = ["--to", "Zo\u00eb <zoe@example.net>", "--bcc", "b@example.org", "--subject", "hi", "--text", "hello", "--attach", file.name]
        sent = tenant.json("message", "send", scout, *words)
    trace = ["message", "trace", scout, sent["message_id"]]
    states = lambda: [recipient["state"] for recipient in tenant.json(*trace)["recipients"]]
    wait_until(lambda: states() == ["delivered", "delivered"], "delivery", pause=0.2)
    check("captured" in tenant.text(*trace), "trace as text")
    queued = tenant.json(*trace)["id"]
    equal(tenant.json("message", "trace", scout, queued)["id"], queued, "a trace by id")
    check("hello" in tenant.text("message", "show", scout, queued), "a message by its id")
    equal(len(Cli(server, "api_key").json(*trace)["recipients"]), 2, "a trace with a key of the AgentMail API")
    tenant.refused(NOT_FOUND, "404", "message", "trace", scout, "<nothing@example.test>")

    listed = tenant.json("message", "captured")["captured"]
    equal(sorted(one["to"] for one in listed), ["b@example.org", "zoe@example.net"], "captured recipients")
    check("zoe@example.net" in tenant.text("message", "captured"), "captured as a table")
    one = listed[0]["id"]
    check("hello" in tenant.text("message", "captured", one), "one captured message")
    raw = tenant.text("message", "captured", one, "--raw")
    check("DKIM-Signature:" in raw and "b@example.org" not in raw, f"captured source: {raw}")

    queue = lambda *words, **options: tenant.text("queue", *words, **options)
    check(queued in queue("ls", "--domain", "example.net", "--state", "delivered"), "queue ls")
    check(queued in queue("list", "--inbox", scout, "--state", "all"), "queue of an inbox")
    check("there is more" in queue("ls", "--state", "all", "--limit", "1"), "queue has more")
    check("zoe@example.net" in queue("show", queued), "queue show")
    for deed in ("cancel", "hold", "retry"):
        equal(tenant.json("queue", deed, queued)["changed"], 0, f"{deed}: what is final stays")
    operator.json("queue", "flush")
    tenant.refused(KEY, "403", "queue", "flush")


def answers(server, tenant):
    """Between two inboxes here; what a person wrote is not marked."""
    scout, address = "scout@example.test", server.ready["inbox"]["address"]
    tenant.json("message", "send", scout, "--to", address, "--subject", "local", "--text", "x", "--personal")
    arrived = lambda: tenant.json("message", "ls", address, "--subject", "local")["messages"]
    received = wait_until(arrived, "local delivery", pause=0.2)[0]["message_id"]
    check("Auto-Submitted" not in tenant.text("message", "raw", address, received), "a person wrote it")
    answer = tenant.json("message", "reply", address, received, "--all", "--text", "y")
    source = tenant.text("message", "raw", address, answer["message_id"])
    check("Auto-Submitted: auto-generated" in source or "Auto-Submitted: auto-replied" in source, f"a program wrote it: {source}")
    tenant.json("message", "reply-all", address, received, "--text", "z", "--personal")
    tenant.text("message", "forward", address, received, "--to", "c@example.net")
    subjects = [m["subject"] for m in tenant.json("message", "list", address)["messages"]]
    check({"local", "Re: local", "Fwd: local"} <= set(subjects), f"subjects: {subjects}")
    tenant.refused(FAILED, "400", "message", "send", scout, "--to", "not an address", "--text", "x")
    lost = tenant.json("message", "send", scout, "--to", "nobody@example.test", "--text", "x")["message_id"]
    fate = lambda: [recipient["state"] for recipient in tenant.json("message", "trace", scout, lost)["recipients"]]
    wait_until(lambda: fate() == ["bounced"], "an unknown recipient", pause=0.2)


def settings(tenant):
    scout = "scout@example.test"
    tenant.text("inbox", "alias", "add", scout, "desk@example.test")
    check("desk@example.test" in tenant.text("inbox", "show", "desk@example.test"), "found by its alias")
    tenant.text("inbox", "alias", "remove", scout, "desk@example.test")
    equal(tenant.json("inbox", "forward", scout, "me@example.net")["forwardTo"], "me@example.net", "forwarding")
    equal(tenant.json("inbox", "forward", scout, "--off")["forwardTo"], None, "forwarding off")
    paused = tenant.json("inbox", "pause", scout, "--sending")
    equal((paused["sendPaused"], paused["receivePaused"]), (True, False), "paused")
    tenant.refused(FAILED, "inbox_paused", "message", "send", scout, "--to", "a@example.net", "--text", "x")
    equal(tenant.json("inbox", "resume", scout)["sendPaused"], False, "resumed")


def served_domains(tenant, operator):
    equal(operator.json("domain", "add", "new.example")["domain"], "new.example", "domain add")
    check("new.example" in operator.text("domain", "list"), "domain list")
    check("v=DMARC1" in operator.text("domain", "dns", "new.example"), "records as text")
    check(" IN MX 10 " in operator.text("domain", "dns", "new.example", "--format", "zone"), "zone file")
    equal(operator.json("domain", "records", "new.example")["domain"], "new.example", "records as JSON")
    equal(len(operator.json("domain", "rotate-dkim", "new.example", "--now")["dkimKeys"]), 4, "keys")
    equal(operator.json("domain", "catch-all", "new.example", "scout@example.test")["catchAll"], "scout@example.test", "catch-all")
    equal(operator.json("domain", "catch-all", "new.example", "--off")["catchAll"], None, "catch-all off")
    operator.text("domain", "remove", "new.example")
    operator.refused(NOT_FOUND, "404", "domain", "show", "new.example")
    tenant.refused(KEY, "403", "domain", "catch-all", "new.example", "--off")


def organizations(server, operator):
    made = operator.json("org", "create", "Acme", "--max-inboxes", "3")
    check(made["apiKey"].startswith("tk_"), f"org create: {made}")
    check(made["id"] in operator.text("org", "ls"), "org ls")
    equal(operator.json("org", "show", made["id"])["name"], "Acme", "org show")
    own, acme = Cli(server, made["apiKey"]), made["id"]
    equal(operator.json("org", "suspend", acme)["status"], "suspended", "org suspend")
    equal(operator.json("org", "resume", acme)["status"], "active", "org resume")
    limited = operator.json("org", "limits", acme, "--inboxes", "4", "--octets", "none")
    equal((limited["maxInboxes"], limited["maxOctets"]), (4, None), "org limits")
    archive = os.path.join(temp_folder("export"), "acme.zip")
    operator.text("org", "export", acme, archive)
    check(zipfile.is_zipfile(archive), "org export")
    operator.refused(FAILED, "exists", "org", "export", acme, archive)
    operator.text("org", "delete", acme)
    own.refused(KEY, "401", "whoami")
    check(acme in operator.text("org", "ls", "--deleted") and acme not in operator.text("org", "ls"), "a deleted organization")
    operator.text("org", "restore", acme)
    equal(own.json("whoami")["organization_id"], acme, "org restore")
    operator.text("org", "rm", acme)
    operator.refused(NOT_FOUND, "404", "org", "rm", "01890a5d-ac96-774b-bcce-b302099a8057")
    equal(operator.json("whoami")["scope_type"], "operator", "whoami of the operator")
    operator.refused(KEY, "An operator key opens no mail", "inbox", "ls")


def postmaster(server, operator, tenant):
    """What comes for abuse@ is read by the operator, over the API and over IMAP."""
    wanted = "postmaster@example.test"
    shown = operator.json("org", "postmaster")
    equal((shown["address"], "apiKey" in shown, "password" in shown), (wanted, False, False), "the operator's inbox")
    with smtplib.SMTP(*server.address("smtp_in"), timeout=20) as smtp:
        smtp.sendmail("zoe@example.net", ["abuse@example.test"], b"From: zoe@example.net\r\nSubject: spam from you\r\n\r\nstop\r\n")
    made = operator.json("org", "postmaster", "--new-key", "--new-password")
    own = Cli(server, made["apiKey"])
    mail = own.json("message", "list", wanted)["messages"]
    equal([one["subject"] for one in mail], ["spam from you"], "mail for abuse@ over the API")
    check("stop" in own.text("message", "show", wanted, mail[0]["message_id"]), "its text")
    with imaplib.IMAP4(*server.address("imap"), timeout=20) as client:
        client.login(wanted, made["password"])
        client.select("INBOX", readonly=True)
        equal(client.search(None, "SUBJECT", '"spam from you"'), ("OK", [b"1"]), "the same over IMAP")
    again = operator.json("org", "postmaster", "--new-key")
    check("password" not in again, "the password stays")
    own.refused(KEY, "401", "message", "list", wanted)
    with imaplib.IMAP4(*server.address("imap"), timeout=20) as client:
        client.login(wanted, made["password"])
    tenant.refused(KEY, "403", "org", "postmaster")
    tenant.refused(KEY, "403", "org", "postmaster", "--new-key")
    Cli(server, again["apiKey"]).refused(KEY, "403", "org", "postmaster", "--new-password")


def run():
    with Server() as server:
        operator, tenant = Cli(server, "operator_key"), Cli(server, "tenant_key")
        organizations(server, operator)
        postmaster(server, operator, tenant)

        inbox = tenant.json("inbox", "create", "scout", "--display-name", "Scout")
        equal(inbox["email"], "scout@example.test", "address")
        check(inbox["imapPassword"] and inbox["apiKey"].startswith("ak_"), "password and key")
        table = tenant.text("inbox", "list").splitlines()
        equal(table[0].split(), ["INBOX_ID", "DISPLAY_NAME", "STATUS", "POD_ID", "CREATED_AT"], "head of the table")
        check(any("scout@example.test" in line and "Scout" in line for line in table), f"inbox list: {table}")
        for name in ("scout@example.test", inbox["id"]):
            check("scout@example.test" in tenant.text("inbox", "show", name), f"inbox show {name}")

        with smtplib.SMTP(*server.address("smtp_in"), timeout=20) as smtp:
            smtp.sendmail("zoe@example.net", ["scout@example.test"], b"From: zoe@example.net\r\nSubject: caf\xc3\xa9\r\n\r\nhello\r\n")
        listed = tenant.json("message", "list", "scout@example.test")
        equal([message["subject"] for message in listed["messages"]], ["café"], "subjects")
        message = listed["messages"][0]["message_id"]
        check("café" in tenant.text("message", "list", inbox["id"]), "message list by the id of the inbox")
        check("hello" in tenant.text("message", "show", "scout@example.test", message), "message show")
        tenant.text("message", "delete", "scout@example.test", message)
        equal(tenant.json("message", "ls", inbox["id"])["messages"], [], "what was moved to Trash")
        trash = tenant.json("message", "ls", inbox["id"], "--trash")["messages"]
        equal([one["message_id"] for one in trash], [message], "what is in Trash")

        sending(server, tenant, operator)
        answers(server, tenant)
        settings(tenant)
        served_domains(tenant, operator)

        rotated = tenant.json("inbox", "rotate", "scout@example.test")
        check(rotated["imapPassword"] != inbox["imapPassword"], "rotate gives a new password")
        tenant.text("inbox", "delete", "scout@example.test")
        tenant.refused(NOT_FOUND, "no inbox", "inbox", "show", "scout@example.test")
        tenant.refused(NOT_FOUND, "404", "inbox", "show", inbox["id"])
        tenant.refused(USAGE, "unexpected argument", "inbox", "list", "--rubbish")
        tenant.refused(KEY, "401", "inbox", "list", "--key", "tk_wrong")

        cli_rules.run(server)
        cli_mail.run(server)
        cli_events.run(server)


scenario.main(run, 120)
