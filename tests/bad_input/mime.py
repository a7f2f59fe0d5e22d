#!/usr/bin/env python3
"""Hostile MIME: deep nesting, thousands of parts, huge headers, broken encodings, charsets and boundaries, random damage.

Each message is accepted, stored octet for octet, and FETCH of ENVELOPE, BODYSTRUCTURE and SEARCH on it give an answer
in bounded time and memory.
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import scenario
import smtp
from fixture import same_as_sent
from imap import Imap
from scenario import check, equal, options
from server import Server

HEAD = b"From: a@client.example.net\r\nTo: b@example.test\r\nSubject: hostile\r\nMIME-Version: 1.0\r\n"


def nested(depth):
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return HEAD + opening + b"Content-Type: text/plain\r\n\r\ndeep\r\n" + b"".join(b"--b%d--\r\n" % n for n in reversed(range(depth)))


def hostile():
    multipart = HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    yield "nested multiparts", nested(3000)
    yield "nested messages", HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 5000 + b"deep\r\n"
    yield "many parts", multipart + b"--x\r\n\r\n.\r\n" * 30000 + b"--x--\r\n"
    yield "many boundaries alike", multipart + b"--x" * 30000 + b"\r\n"
    yield "many fields", HEAD + b"".join(b"X-F%d: v\r\n" % n for n in range(30000)) + b"\r\nbody\r\n"
    yield "a long field", HEAD + b"X-Long:" + b" word\r\n" * 60000 + b"\r\nbody\r\n"
    yield "many addresses", HEAD + b"Cc: " + b",\r\n ".join(b"a%d@b.example" % n for n in range(20000)) + b"\r\n\r\nbody\r\n"
    yield "nested comments", HEAD + b"Cc: " + b"(" * 20000 + b"\r\n " + b")" * 20000 + b"\r\n\r\nbody\r\n"
    yield "nested groups", HEAD + b"Cc: " + b"g:" * 20000 + b"a@b.example" + b";" * 20000 + b"\r\n\r\nbody\r\n"
    yield "many references", HEAD + b"References: " + b"\r\n ".join(b"<%d@x.example>" % n for n in range(20000)) + b"\r\n\r\nbody\r\n"
    yield "encoded words", HEAD + b"Subject: " + b"=?utf-8?B?\xff?= =?x-none?Q?=ZZ?= =?utf-8?Q?" * 3000 + b"\r\n\r\nbody\r\n"
    yield "parameters", HEAD + b"Content-Type: text/plain" + b"".join(b";\r\n a*%d*=x''%%ZZ" % n for n in range(5000)) + b"\r\n\r\nbody\r\n"
    yield "broken base64", HEAD + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"=\x80A*" * 20000 + b"\r\n"
    yield "broken quoted-printable", HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=Z=\xff==3" * 20000 + b"\r\n"
    yield "unknown charset", HEAD + b"Content-Type: text/plain; charset=\"\xff\xfe\"\r\n\r\n\xff\xfe\r\n"
    yield "utf-7 and 16", HEAD + b"Content-Type: text/html; charset=utf-16\r\n\r\n+ADw-\xd8\x00\xd8\x00x\r\n"
    yield "nested html", HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div><b>\r\n" * 60000 + b"\r\n"
    yield "unclosed html", HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!--<a \r\n" * 60000 + b"\r\n"
    yield "no boundary", HEAD + b"Content-Type: multipart/mixed\r\n\r\n--\r\n--\r\n"
    yield "empty boundary", HEAD + b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n"
    yield "tnef", HEAD + b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\neJ8+IgEAAQaQCAAE\r\n"
    yield "dates", HEAD + b"Date: Foo, 99 Bar 99999999 99:99:99 +9999\r\nDate: \xff\r\n\r\nx\r\n"
    yield "no header", b"\r\nonly a body\r\n"
    yield "only colons", b":\r\n:::\r\n: x\r\n\r\n:\r\n"
    yield "invalid UTF-8 everywhere", b"Subject: \xc3\x28\xf0\x28\x8c\xbc\r\nFrom: \xff <\xfe@\xfd>\r\n\xa0\xa1: \xe2\x28\xa1\r\n\r\n\xff\r\n"


def damaged(chance, count):
    """The multipart sample with octets changed, and no bare CR, LF left."""
    for number in range(count):
        # Each with a Message-ID of its own: a second message with the same one and the same body is stored once.
        data = bytearray(corpus.octets(corpus.with_attachments("b@example.test")[0])[:6000])
        for _ in range(chance.randint(1, 60)):
            at = chance.randrange(len(data))
            data[at:at + chance.randint(0, 3)] = chance.choice((b"", b"\x00", b"\xff", b"--", b";", b"\r\n", b"=?", chance.randbytes(2)))
        lines = bytes(data).replace(b"\r\n", b"\n").replace(b"\r", b"").split(b"\n")
        yield f"damaged {number}", b"\r\n".join(line[:990] for line in lines) + b"\r\n"


def run():
    chosen = options()
    with Server() as server:
        inbox = api.create_inbox(server, "mime")
        messages = [*hostile(), *damaged(random.Random(chosen.seed), 100)]
        with smtp.Smtp(server.address("smtp_in"), timeout=60) as client:
            client.hello()
            for name, content in messages:
                begun = time.monotonic()
                reply = client.deliver([inbox.address], content, parameters=" BODY=8BITMIME")
                equal(reply.code, 250, f"reply to {name} ({reply})")
                check(time.monotonic() - begun < 10, f"{name} took {time.monotonic() - begun:.1f} s")
        with Imap(server, inbox.address, inbox.password, timeout=60) as session:
            equal(session.select()["exists"], len(messages), "messages stored")
            for number, (name, content) in enumerate(messages, 1):
                same_as_sent(session.body(number), content, name)
                untagged, _ = session.command(f"FETCH {number} (ENVELOPE BODYSTRUCTURE BODY RFC822.SIZE BODY.PEEK[1] BODY.PEEK[TEXT])")
                check(any(b"ENVELOPE (" in b"".join(response) for response in untagged), f"no ENVELOPE of {name}")
            for query in ('SUBJECT "hostile"', 'TEXT "deep"', 'BODY "zzz"', "SENTSINCE 1-Jan-2020", 'HEADER X-F9 "v"'):
                session.command("SEARCH " + query)
        for path in (f"/v1/inboxes/{inbox.id}/messages?limit=100", f"/v1/inboxes/{inbox.id}/messages?limit=100&offset=100"):
            equal(api.request(server, "GET", path, key=inbox.api_key)[0], 200, path)
        check(server.peak_octets() < 500 << 20, f"peak memory {server.peak_octets() >> 20} MiB")
        server.stop()
        server.fsck()


if __name__ == "__main__":
    scenario.main(run, 240)
