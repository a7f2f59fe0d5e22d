#!/usr/bin/env python3
"""An organization from its first message to its restored last one, against a live server.

Suspended, nothing of it leaves and nothing is lost; resumed, what waited goes. Everything of it is exported over the command line
and read back with Python's own zipfile and mailbox: every message octet by octet, every flag, UID and date as IMAP has them. Deleted,
its IMAP sessions end within a second, its keys are 401 and its addresses 550, also after a crash; restored, all is as it was.
"""

import datetime
import email.utils
import json
import mailbox
import os
import random
import smtplib
import sys
import time
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
import smtp
import submit
from commands import FAILED, NOT_FOUND, Cli
from imap import Closed, Imap, Refused
from scenario import check, equal, say, wait_until
from server import Server

ODD = [
    b"Subject: plain\r\n\r\nhello\r\n",
    b"Subject: marked\r\n\r\nFrom here on\r\n>From there\r\n>>From\r\nFrom \r\n",
    b"Subject: no end\r\n\r\nthe last line has no end",
    b"Subject: only a head\r\n\r\n",
    b"Subject: octets\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n",
    b"Subject: blank lines\r\n\r\n\r\n\r\n\r\n",
]
FLAGS = ["\\Seen", "\\Flagged $Label1", "", "\\Answered \\Deleted", "\\Draft blue", "\\Seen green $Forwarded"]


def fill(server, inbox, rng):
    """Mail over SMTP and by APPEND, in several mailboxes, some of it expunged again."""
    for number in range(12):
        content = b"From: a@client.example.net\r\nSubject: %d\r\n\r\n" % number + b"From the start %d\r\n" % number * rng.randrange(1, 3000)
        smtp.deliver(server, [inbox.address], content)
    with Imap(server, inbox.address, inbox.password) as imap:
        for name in ("Projects/\u00fcber & more", "..", "x" * 200):
            imap.command(f'CREATE "{utf7(name)}"')
            for content, flags in zip(ODD, FLAGS):
                imap.append(utf7(name), content, flags)
        for content, flags in zip(ODD, FLAGS):
            imap.append("Archive", content, flags)
        uids = imap.select()
        imap.command("UID STORE 2,5 +FLAGS.SILENT (\\Seen urgent)")
        imap.command("UID STORE 3 +FLAGS.SILENT (\\Deleted)")
        imap.command("EXPUNGE")
        imap.command("UID COPY 4:6 Archive")
        check(uids["exists"] == 12, "the mail came")


def utf7(name):
    """Modified UTF-7, for the little of it that is needed here (RFC 3501 section 5.1.3)."""
    return name.replace("&", "&-").replace("\u00fc", "&APw-")


def plain(name):
    return name.replace("&APw-", "\u00fc").replace("&-", "&")


def there(server, inbox):
    """{mailbox: [(uid, flags, octets, seconds)]} as IMAP tells it."""
    found = {}
    with Imap(server, inbox.address, inbox.password) as imap:
        lines = [b" ".join(response) for response in imap.command('LIST "" "*"')[0]]
        names = [line.rsplit(b'"/" ', 1)[1].strip(b'"').decode() for line in lines]
        for name in names:
            imap.command(f'EXAMINE "{name}"')
            messages = []
            for uid in imap.uids():
                untagged, _ = imap.command(f"UID FETCH {uid} (UID FLAGS INTERNALDATE BODY.PEEK[])")
                response = next(response for response in untagged if len(response) > 1)
                head = b" ".join(response[::2]).decode()
                flags = frozenset(head.split("FLAGS (", 1)[1].split(")", 1)[0].lower().split()) - {"\\recent"}
                date = head.split('INTERNALDATE "', 1)[1].split('"', 1)[0]
                messages.append((uid, flags, response[1], email.utils.mktime_tz(email.utils.parsedate_tz(date.replace("-", " ", 2)))))
            found[plain(name)] = messages
    return found


def lines(archive, name):
    return [json.loads(line) for line in archive.read(name).decode().splitlines()]


def exported(archive, folder, address):
    """The same from the archive, read by others' code."""
    found = {}
    for one in lines(archive, f"mailboxes/{address}.jsonl"):
        path = archive.extract(f"mail/{address}/{one['file']}", folder)
        check(os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep), f"{path} is within its folder")
        known = lines(archive, f"mail/{address}/{one['file'].removesuffix('.mbox')}.jsonl")
        box = mailbox.mbox(path, create=False)
        equal(len(box), len(known), f"messages of {one['name']}")
        messages = []
        for key, line in zip(sorted(box.keys()), known):
            content = unmarked(box.get_bytes(key))[: line["sizeOctets"]]
            flags = frozenset(flag.lower() for flag in line["flags"] + line["keywords"])
            messages.append((line["uid"], flags, content, int(datetime.datetime.fromisoformat(line["internalDate"]).timestamp())))
        found[one["name"]] = messages
    return found


def unmarked(content):
    """mboxrd undone: one `>` less before `From `."""
    restored = []
    for line in content.split(b"\n"):
        if line.startswith(b">") and line.lstrip(b">").startswith(b"From "):
            line = line[1:]
        restored.append(line)
    return b"\n".join(restored)


def same(server, inbox, archive, folder):
    expected, got = there(server, inbox), exported(archive, folder, inbox.address)
    equal(sorted(got), sorted(expected), "mailboxes")
    count = 0
    for name, messages in expected.items():
        equal(len(got[name]), len(messages), f"messages in {name}")
        for ours, theirs in zip(got[name], messages):
            equal(ours, theirs, f"a message of {name}")
            count += 1
    return count


def suspended(server, operator, organization, inbox, tenant):
    forward = {"forwardTo": "away@example.net"}
    status, told = api.request(server, "PATCH", f"/postroom/v1/inboxes/{inbox.id}", forward, tenant)
    equal(status, 200, f"forwarding ({told})")
    session = submit.session(server, inbox)
    equal(operator.json("org", "suspend", organization)["status"], "suspended", "org suspend")
    content = f"From: {inbox.address}\r\nTo: a@example.net\r\nSubject: x\r\n\r\nx\r\n"
    try:
        session.sendmail(inbox.address, ["a@example.net"], content)
        check(False, "a suspended organization sent over SMTP")
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refused:
        equal((refused.smtp_code, refused.smtp_error[:6]), (550, b"5.7.13"), "the refusal")
    session.close()
    status, told = api.request(server, "POST", f"/v1/inboxes/{inbox.id}/send", {"to": "a@example.net", "subject": "x", "plainBody": "x"}, inbox.api_key)
    equal((status, told["code"]), (403, "ORGANIZATION_SUSPENDED"), "over HTTP")
    # Mail that comes is kept, and read; the copy that would go on waits.
    smtp.deliver(server, [inbox.address], b"Subject: kept\r\n\r\nkept\r\n")
    with Imap(server, inbox.address, inbox.password) as imap:
        equal(imap.select()["exists"], 1, "kept while suspended")
    time.sleep(1.5)
    names = lambda: [one["to"] for one in api.request(server, "GET", "/postroom/v1/captured?limit=100", key=tenant)[1]["captured"]]
    equal(names(), [], "nothing leaves")
    queued = operator.json("queue", "ls")["queue"]
    equal([(one["address"], one["state"], one["attempts"]) for one in queued], [("away@example.net", "queued", 0)], "it waits")
    equal(operator.json("org", "resume", organization)["status"], "active", "org resume")
    wait_until(lambda: names() == ["away@example.net"], "what waited to go by itself", 10, 0.1)
    api.request(server, "PATCH", f"/postroom/v1/inboxes/{inbox.id}", {"forwardTo": None}, tenant)
    with Imap(server, inbox.address, inbox.password) as imap:
        imap.select()
        imap.command("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
        imap.command("EXPUNGE")


def limited(server, operator, organization, inbox):
    equal(operator.json("org", "limits", organization, "--octets", "1")["maxOctets"], 1, "org limits")
    with smtp.Smtp(server.address("smtp_in")) as client:
        client.hello()
        client.command("MAIL FROM:<a@client.example.net>", 250)
        check("4.2.2" in client.command(f"RCPT TO:<{inbox.address}>", 452).text, "452 4.2.2 over the limit")
    with Imap(server, inbox.address, inbox.password) as imap:
        try:
            imap.append("INBOX", ODD[0])
            check(False, "APPEND over the limit")
        except Refused as refused:
            check("OVERQUOTA" in str(refused), f"OVERQUOTA over the limit: {refused}")
    equal(operator.json("org", "limits", organization, "--octets", "none")["maxOctets"], None, "without a limit again")


def deleted(server, operator, organization, inbox, tenant):
    imap = Imap(server, inbox.address, inbox.password, timeout=5)
    imap.select()
    imap.send(b"x IDLE\r\n")
    equal(imap.line(), b"+ idling", "IDLE")
    begun = time.monotonic()
    operator.text("org", "rm", organization)
    try:
        while not (line := imap.line()).startswith(b"* BYE"):
            check(line, "a line before the BYE")
    except Closed:
        pass
    check(time.monotonic() - begun < 1.5, "the session ended within a second of the command")
    imap.close()
    gone(server, inbox, tenant)


def gone(server, inbox, tenant):
    for key in (tenant, inbox.api_key):
        equal(api.request(server, "GET", "/v1/me", key=key)[0], 401, "a key of what is deleted")
    with smtp.Smtp(server.address("smtp_in")) as client:
        client.hello()
        client.command("MAIL FROM:<a@client.example.net>", 250)
        client.command(f"RCPT TO:<{inbox.address}>", 550)
    try:
        Imap(server, inbox.address, inbox.password).close()
        check(False, "a login to what is deleted")
    except scenario.Failure as refused:
        check("AUTHENTICATIONFAILED" in str(refused), f"login: {refused}")


def run():
    args = scenario.options()
    rng = random.Random(args.seed)
    with Server() as server:
        operator = Cli(server, "operator_key")
        made = operator.json("org", "create", "Acme & Co")
        organization, tenant = made["id"], made["apiKey"]
        scout, ranger = (api.create_inbox(server, name, tenant) for name in ("scout", "ranger.with.dots"))
        suspended(server, operator, organization, scout, tenant)
        say("suspended and resumed")
        fill(server, scout, rng)
        limited(server, operator, organization, scout)
        say("limited")

        file = os.path.join(server.folder, "acme.zip")
        saved = operator.json("org", "export", organization, file)
        equal(saved["octets"], os.path.getsize(file), "octets of the export")
        operator.refused(FAILED, "exists", "org", "export", organization, file)
        operator.refused(NOT_FOUND, "404", "org", "export", "00000000-0000-0000-0000-000000000000", os.path.join(server.folder, "none.zip"))
        check(not os.path.exists(os.path.join(server.folder, "none.zip")), "no file of nothing")
        with zipfile.ZipFile(file) as archive:
            equal(archive.testzip(), None, "the archive is whole")
            equal(json.loads(archive.read("organization.json"))["id"], organization, "organization.json")
            equal({one["canonical"] for one in lines(archive, "inboxes.jsonl")}, {scout.address, ranger.address}, "inboxes.jsonl")
            count = sum(same(server, inbox, archive, os.path.join(server.folder, "unpacked")) for inbox in (scout, ranger))
            text = b"".join(archive.read(name) for name in archive.namelist() if not name.endswith(".mbox"))
            check(not any(secret.encode() in text for secret in (tenant, scout.api_key, scout.password)), "no secret in it")
        say(f"exported and read back: {count} messages")
        check(count > 35, "enough to compare")

        before = there(server, scout)
        deleted(server, operator, organization, scout, tenant)
        equal(operator.json("org", "ls", "--deleted")["organizations"][0]["id"], organization, "org ls --deleted")
        server.kill()
        server.start()
        gone(server, scout, tenant)
        equal(operator.json("org", "restore", organization)["status"], "active", "org restore")
        equal(there(server, scout), before, "all as it was")
        equal(api.request(server, "GET", "/v1/inboxes", key=tenant)[0], 200, "the key is good again")
        operator.refused(NOT_FOUND, "404", "org", "restore", organization)
        say("deleted, crashed, restored")


scenario.main(run)
