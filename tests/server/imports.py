#!/usr/bin/env python3
"""Mail brought along in files over the Inkbox API, against a live server.

An mbox of thousands of messages comes in while the server is killed again and again: every message is there once, octet by octet, with its
date, in its order, and no webhook-like event tells of it. Then single messages, archives, what is no archive, what is encrypted, and
what grows; and an upload without its ticket.
"""

import io
import json
import os
import random
import sys
import time
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from imap import Imap
from scenario import check, equal, say, wait_until
from server import Server
from upload import upload

FINAL = ("completed", "failed", "cancelled")


class Mailbox:
    def __init__(self, server, name):
        self.server, self.inbox = server, api.create_inbox(server, name)
        self.path = f"/api/v1/mail/mailboxes/{self.inbox.address}/imports"

    def ask(self, method, rest="", body=None, expect=200):
        status, told = api.request(self.server, method, self.path + rest, body, self.inbox.api_key)
        equal(status, expect, f"{method} {rest} ({told})")
        return told

    def uploaded(self, content, **wish):
        made = self.ask("POST", body=wish, expect=201)
        equal(upload(made["upload"], made["upload"]["fields"], content), 204, "upload")
        return made["job"]["id"]

    def started(self, content, **wish):
        job = self.uploaded(content, **wish)
        equal(self.ask("POST", f"/{job}/start")["status"], "queued", "start")
        return job

    def ended(self, job, seconds=60):
        def final():
            told = self.ask("GET", f"/{job}")
            return told if told["status"] in FINAL else None

        return wait_until(final, f"import {job} to end", seconds, 0.1)

    def done(self, content, **wish):
        return self.ended(self.started(content, **wish))


def letter(number, rng):
    lines = "".join(f"{rng.choice(['From me', '>From', 'text', ''])} {rng.randrange(1000)}\r\n" for _ in range(rng.randrange(40)))
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(1_400_000_000 + 60 * number))
    return f"From: a@example.net\r\nDate: {date}\r\nMessage-ID: <{number}@example.net>\r\nSubject: {number}\r\n\r\n{lines}".encode()


def mbox(letters, newline):
    marked = lambda content: b"\n".join((b">" + line if line.lstrip(b">").startswith(b"From ") else line) for line in content.split(b"\n"))
    file = b"".join(b"From a@example.net Thu Jan  1 00:00:00 2015\r\n" + marked(one) + b"\r\n" for one in letters)
    return file.replace(b"\r\n", newline)


def zipped(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def bodies(server, inbox, name="INBOX"):
    """[(octets, INTERNALDATE in seconds)] by UID."""
    found = []
    with Imap(server, inbox.address, inbox.password) as imap:
        imap.command(f'EXAMINE "{name}"')
        untagged, _ = imap.command("UID FETCH 1:* (UID INTERNALDATE BODY.PEEK[])")
        for response in untagged:
            if len(response) > 1:
                date = b" ".join(response[::2]).decode().split('INTERNALDATE "', 1)[1][:20].strip()
                found.append((response[1], int(time.mktime(time.strptime(date, "%d-%b-%Y %H:%M:%S")) - time.timezone)))
    return found


def killed(server, rng, count, newline):
    box = Mailbox(server, f"killed{len(newline)}")
    letters = [letter(number, rng) for number in range(count)]
    job = box.started(mbox(letters, newline), source_format="mbox", mark_as_read=False)
    kills, seen = 0, 0
    while True:
        time.sleep(rng.uniform(0.05, 0.5))
        told = box.ask("GET", f"/{job}")
        check(told["messages_processed"] >= seen, "it goes on where it was")
        seen = told["messages_processed"]
        if told["status"] in FINAL:
            break
        if kills < 4:
            server.kill()
            server.start()
            kills += 1
    equal((told["status"], told["messages_processed"], told["messages_imported"]), ("completed", count, count), f"after {kills} kills ({told})")
    expected = [(one, 1_400_000_000 + 60 * number) for number, one in enumerate(letters)]
    equal(bodies(server, box.inbox), expected, "each message once, in its order")
    equal(os.listdir(os.path.join(server.data, "imports")), [], "files that are left")
    again = box.done(mbox(letters, newline))
    equal((again["messages_imported"], again["messages_skipped_duplicate"]), (0, count), "again")
    return kills


def formats(server, rng):
    box = Mailbox(server, "formats")
    one, two, three = (letter(10_000 + number, rng) for number in range(3))
    counts = lambda told: (told["status"], told["messages_imported"], told["messages_skipped_duplicate"])
    equal(counts(box.done(one, source_format="auto")), ("completed", 1, 0), "one message")
    archive = zipped([("a/one.eml", one), ("two.eml", two), ("three.mbox", mbox([three], b"\n")), ("readme.txt", b"no mail")])
    equal(counts(box.done(archive)), ("completed", 2, 1), "an archive")
    equal([content for content, _ in bodies(server, box.inbox)], [one, two, three], "what came")
    sent = box.done(two.replace(b"10001@", b"x@"), original_addresses=["A@example.net"])
    equal(counts(sent), ("completed", 1, 0), "what the owner wrote")
    equal(len(bodies(server, box.inbox, "Sent")), 1, "in Sent")
    encrypted = bytearray(zipped([("one.eml", one)]))
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    for content, told in (
        (bytes(encrypted), "encrypted"),
        (b"PK\x03\x04 and nothing", "no zip"),
        (b"\x00\x01\x02", "no eml"),
    ):
        failed = box.done(content)
        check(failed["status"] == "failed" and told in failed["error_detail"], f"{told}: {failed}")
    out = box.done(zipped([("../../etc/one.eml", one), ("two.eml", one.replace(b"@", b"@out."))]))
    equal((out["status"], out["messages_imported"], out["messages_rejected_unsafe"]), ("completed", 1, 1), "a name that leads out")
    job = box.uploaded(one)
    equal(box.ask("POST", f"/{job}/cancel")["status"], "cancelled", "cancel")
    box.ask("POST", f"/{job}/start", expect=409)
    made = box.ask("POST", body={}, expect=201)
    url = made["upload"]["url"]
    for wrong in (url.split("?")[0], url[:-2] + "zz", url.split("=")[0] + "="):
        equal(upload({**made["upload"], "url": wrong}, {}, one), 403, "an upload without its ticket")
    status, told = api.request(server, "GET", f"/api/v1/mail/mailboxes/{box.inbox.address}/messages", key=box.inbox.api_key)
    equal((status, len(told["items"])), (200, 5), "over the API")
    quiet = api.request(server, "GET", "/postroom/v1/events?limit=100", key=server.ready["tenant_key"])[1]
    check("10001@example.net" not in json.dumps(quiet), "nobody is told")


def run():
    args = scenario.options(("--messages", 2000, "messages of the file"))
    rng = random.Random(args.seed)
    with Server() as server:
        for newline in (b"\r\n", b"\n"):
            say(f"{args.messages} messages and {killed(server, rng, args.messages, newline)} kills")
        formats(server, rng)


scenario.main(run)
