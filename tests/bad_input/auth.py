#!/usr/bin/env python3
"""AUTH that is garbage, half finished, endless or hostile, on 587, 465 and IMAP: refused, bounded, and nobody else waits."""

import base64
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from imap import Closed, Imap
from scenario import check, equal, options, say
from server import Server
from smtp import Smtp
from submit import session

MECHANISMS = ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER", "XOAUTH2")


def encode(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def garbage(chance, inbox):
    """Responses no client should send."""
    user, nonce = inbox.address, "r" * 24
    yield from ("", "=", "*", "====", "%%%%", "a", encode(b"\0"), encode(b"\0\0"), encode(b"\0\0\0"), encode(b"\xff\xfe\0\xff\0\xff"))
    yield encode(f"someone@example.test\0{user}\0{inbox.password}")
    yield encode(f"\0{user}\0" + "x" * 2000)
    for header in ("n,,", "y,,", "p=tls-exporter,,", "p=tls-unique,,", "n,a=other@example.test,", "x,,", "n,a=", ",,", "n,,m=ext,"):
        yield encode(f"{header}n={user},r={nonce}")
    yield encode(f"n,,n={user},r=")
    yield encode(f"n,,n={user}=2,r={nonce}")
    yield encode(f"n,,n={user},r=" + "n" * 5000)
    yield encode(f"n,,n=,r={nonce}")
    for token in ("", "Bearer", "Bearer ", "bearer x y", "Basic " + encode(f"{user}:{inbox.password}"), "Bearer ak_wrong"):
        yield encode(f"n,a={user},\1auth={token}\1\1")
        yield encode(f"user={user}\1auth={token}\1\1")
    yield encode("n,,\1" * 500)
    for _ in range(40):
        yield encode(chance.randbytes(chance.randrange(1, 200)))


def opened(server, service="submission"):
    client = Smtp(server.address(service)) if service == "submission" else tls(server)
    client.hello()
    if service == "submission":
        client.start_tls(server.tls())
        client.command("EHLO laptop.example", 250)
    return client


def tls(server):
    client = Smtp(server.address("submissions"))
    client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
    return client


def refused(server, inbox, chance):
    """Every mechanism with every response, at once and after a challenge; never 235."""
    responses, answers = list(garbage(chance, inbox)), {}
    for mechanism in MECHANISMS:
        client = opened(server)
        for response in responses:
            for at_once in (True, False):
                try:
                    code = exchange(client, mechanism, response, at_once)
                except (ConnectionError, OSError):
                    code, client = 421, opened(server)
                check(code != 235, f"{mechanism} {response[:100]} was let in")
                check(code in (421, 454, 500, 501, 503, 504, 535, 538), f"{mechanism} {response[:100]}: {code}")
                answers[code] = answers.get(code, 0) + 1
                if code == 421:
                    client = opened(server)
        client.close()
    say("replies:", ", ".join(f"{code}: {count}" for code, count in sorted(answers.items())))


def exchange(client, mechanism, response, at_once):
    """The code that ends an exchange."""
    reply = client.command(f"AUTH {mechanism}" + (f" {response}" if at_once and response else ""))
    for _ in range(5):
        if reply.code != 334:
            return reply.code
        reply = client.command(response or "*")
    client.command("*")
    return 535


def half_finished(server):
    """Connections left in the middle of AUTH cost little and hold nobody up."""
    before = server.resident_octets()
    left = []
    for number in range(150):
        client = opened(server)
        client.command(f"AUTH {MECHANISMS[number % 2]}", 334)
        if number % 3 == 0:
            client.send(b"dGhpcyBpcyBub3QgdGhl" * 100)
        left.append(client)
    grown = server.resident_octets() - before
    check(grown < 32 << 20, f"150 half-finished exchanges took {grown >> 20} MiB")
    for client in left:
        client.close()


def long_lines(server):
    """A line longer than any mechanism needs (RFC 4954 §4: 12,288 octets) is refused, not kept."""
    client = opened(server)
    client.command("AUTH PLAIN", 334)
    try:
        for _ in range(200):
            client.send(b"QUJD" * 25000)
        client.send(b"\r\n")
        reply = client.reply()
        check(reply.code in (421, 500, 501), f"a 20 MB response got {reply}")
    except OSError:
        pass
    check(server.peak_octets() < 256 << 20, "the line was kept in memory")


def imap_way(server, inbox, chance):
    responses = list(garbage(chance, inbox))
    client = Imap(server)
    for mechanism in MECHANISMS:
        for response in responses:
            try:
                status = imap_exchange(client, mechanism, response)
            except (Closed, OSError):
                client = Imap(server)
                continue
            check(not status.startswith(b"OK"), f"IMAP let in {mechanism} {response[:100]}")
    client.close()


def imap_exchange(client, mechanism, response):
    tag = client.start(f"AUTHENTICATE {mechanism}" + (f" {response}" if response else ""))
    for _ in range(5):
        line = client.line()
        if line.startswith(tag + b" "):
            return line[len(tag) + 1:]
        if line.startswith(b"+"):
            client.send((response or "*").encode() + b"\r\n")
    client.send(b"*\r\n")
    while not (line := client.line()).startswith(tag + b" "):
        pass
    return line[len(tag) + 1:]


def run():
    chosen = options()
    chance = random.Random(chosen.seed)
    with Server() as server:
        inbox = api.create_inbox(server, "scout")
        refused(server, inbox, chance)
        imap_way(server, inbox, chance)
        half_finished(server)
        long_lines(server)
        begun = time.monotonic()
        with session(server, inbox) as smtp:
            equal(smtp.sendmail(inbox.address, ["zoe@elsewhere.example"], f"From: {inbox.address}\r\n\r\nhello\r\n".encode()), {}, "refused")
        check(time.monotonic() - begun < 5, "a good client had to wait")
        check(server.alive(), "the server is gone")


scenario.main(run, 300)
