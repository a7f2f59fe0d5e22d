#!/usr/bin/env python3
"""Bad SMTP: oversized lines and commands, NULs, invalid UTF-8, bare CR and LF, wrong order, smuggling, size limits.

Each gets a clear 4xx or 5xx (or, for endless lines, the end of the connection); the server stays up, its memory bounded,
and mail that got 250 before and after is readable.
"""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import scenario
import smtp
from fixture import stored_contents
from scenario import check, equal, options
from server import Server
from smtp import Smtp

BAD_LINES = [
    (b"NOOP " + b"x" * 5000, (500, 501, 503)),
    (b"EHLO " + b"a" * 600, (500, 501)),
    (b"MAIL FROM:<" + b"a" * 2000 + b"@client.example.net>", (500, 501, 553)),
    (b"MAIL FROM:<a@b.example> SIZE=99999999999999999999999", (501, 552)),
    (b"MAIL FROM:<a@b.example> SIZE=999999999999", (552,)),
    (b"MAIL FROM:<a@b.example> UNKNOWN=1", (501, 504, 555)),
    (b"MAIL FROM:<a@b.example", (501, 553)),
    (b"MAIL FROM:<a\x00b@client.example.net>", (500, 501, 553)),
    (b"MAIL FROM:<\xff\xfe@client.example.net>", (500, 501, 553)),
    (b"MAIL FROM:<caf\xc3\xa9@client.example.net>", (500, 501, 550, 553)),
    (b"\x00\x00\x00\x00", (500,)),
    (b"\xff\xfe\xfd", (500,)),
    (b"", (500,)),
    (b"RCPT TO:<x@example.test>", (503,)),
    (b"DATA", (503,)),
    (b"BDAT 10 LAST", (500, 502, 503)),
    (b"AUTH PLAIN AGEAYg==", (500, 502, 503, 530, 538)),
    (b"HELO", (501,)),
    (b"GET / HTTP/1.1", (421, 500)),
    (b"STARTTLS now", (501,)),
]


def bad_lines(server):
    for line, codes in BAD_LINES:
        with Smtp(server.address("smtp_in")) as client:
            client.hello()
            client.send(line + b"\r\n")
            reply = client.reply()
            check(reply.code in codes, f"{line[:60]!r} got {reply}, expected {codes}")
            if reply.code != 421:
                client.command("RSET", 250)


def endless(server):
    """A line without an end: a reply and the end, long before 50 MB were taken."""
    with Smtp(server.address("smtp_in")) as client:
        client.hello()
        try:
            for _ in range(500):
                client.send(b"A" * 100_000)
            client.send(b"\r\n")
            equal(client.reply().code // 100, 5, "reply to a line of 50 MB")
        except ConnectionError:
            pass


def contents(server, inbox):
    """Content that must be refused, and content that must be taken as it is."""
    refused = {
        "bare LF": b"Subject: x\r\n\r\na\nb\r\n",
        "bare CR": b"Subject: x\r\n\r\na\rb\r\n",
        "LF dot LF": b"Subject: x\r\n\r\na\n.\nMAIL FROM:<evil@client.example.net>\r\n",
        "CR dot CR": b"Subject: x\r\n\r\na\r.\rb\r\n",
        "CRLF dot CR CR LF": b"Subject: x\r\n\r\na\r\n.\r\r\nb\r\n",
        "LF dot CRLF": b"Subject: x\r\n\r\na\n.\r\nb\r\n",
    }
    for name, data in refused.items():
        with Smtp(server.address("smtp_in")) as client:
            client.hello()
            client.envelope([inbox.address])
            client.send(data + b"\r\n.\r\n")
            reply = client.reply()
            equal(reply.code, 554, f"reply to content with {name} ({reply})")
            client.command("NOOP", 250)
    with Smtp(server.address("smtp_in")) as client:
        client.hello()
        reply = client.deliver([inbox.address], b"X-Unique: hops\r\n" + b"Received: by x.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n" * 120 + b"\r\nx\r\n")
        equal(reply.code, 554, "reply to a mail loop")
        client.envelope([inbox.address])
        try:
            for _ in range(60):
                client.send(b"x" * 998 + b"\r\n" + (b"y" * 998 + b"\r\n") * 1048)
            client.send(b".\r\n")
            equal(client.reply().code, 552, "reply to a message of 60 MiB")
        except ConnectionError:
            pass
    for number in range(3):
        smtp.deliver(server, [inbox.address], corpus.unique_message(f"good-{number}"))
    smtp.deliver(server, [inbox.address], b"\x00\x01 not a header \xff\xfe\r\n\r\nNUL: \x00 here\r\n", parameters=" BODY=8BITMIME")


def many_recipients(server, inbox):
    with Smtp(server.address("smtp_in")) as client:
        client.hello()
        client.command("MAIL FROM:<a@client.example.net>", 250)
        codes = [client.command(f"RCPT TO:<scout+{n}@example.test>").code for n in range(1500)]
        accepted = codes.count(250)
        check(accepted >= 1 and set(codes) <= {250, 452, 451, 550, 421}, f"replies to 1,500 recipients: {set(codes)}")


def noise(server, chance):
    """Random octets, and a legal dialogue with octets changed, cut and doubled."""
    script = b"EHLO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<scout@example.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n"
    for _ in range(150):
        data = bytearray(script)
        for _ in range(chance.randint(1, 20)):
            at = chance.randrange(len(data))
            data[at:at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
        with Smtp(server.address("smtp_in"), timeout=10) as client:
            try:
                client.send(bytes(data) if chance.random() < 0.8 else chance.randbytes(3000))
                client.socket.shutdown(1)
                while client.socket.recv(65536):
                    pass
            except ConnectionError:
                pass
    check(server.alive(), "noise ended the server")


def run():
    chosen = options()
    with Server() as server:
        inbox = api.create_inbox(server, "scout")
        smtp.deliver(server, [inbox.address], corpus.unique_message("first"))
        before = server.resident_octets()
        bad_lines(server)
        endless(server)
        contents(server, inbox)
        many_recipients(server, inbox)
        stored = stored_contents(server, inbox)
        equal([corpus.unique_of(text) for text in stored[:4]], ["first", "good-0", "good-1", "good-2"], "stored mail")
        equal(len(stored), 5, "stored messages")
        check(stored[4].endswith(b"NUL: \x00 here\r\n"), "the message with NUL was changed")
        noise(server, random.Random(chosen.seed))
        smtp.deliver(server, [inbox.address], corpus.unique_message("last"))
        check(any(corpus.unique_of(text) == "last" for text in stored_contents(server, inbox) if b"X-Sum" in text), "the last message is missing")
        grown = server.resident_octets() - before
        check(grown < 300 << 20, f"resident memory grew by {grown >> 20} MiB")
        check("panicked" not in server.log_text(), "a panic in the log")
        server.stop()
        server.fsck()


if __name__ == "__main__":
    scenario.main(run, 180)
