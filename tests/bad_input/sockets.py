#!/usr/bin/env python3
"""Clients that misuse sockets: half-closed, cut at every state, never reading, 10,000 silent connections.

The silent ones come from a process of their own, as many as `ulimit -n` lets it open (the number is printed). The
server has the limits that `serve` comes with. Memory stays bounded, those over the limit get 421 or BYE, and a normal client is served all the while on the other listener and,
once the silent ones are gone, on this one too.
"""

import os
import resource
import selectors
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import scenario
import smtp
from fixture import stored_contents
from imap import Imap
from scenario import check, equal, options, say, spawn, wait_until
from server import Server

WANTED = 10_000

SILENT = """
import resource, selectors, socket, sys
port, wanted = int(sys.argv[1]), int(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
wanted = min(wanted, hard - 50)
held, refused, closed = [], 0, 0
ready = selectors.DefaultSelector()
for number in range(wanted):
    one = socket.socket()
    one.settimeout(10)
    try:
        # 127.0.1.1 to 127.0.1.200: as from many addresses, each below a limit for one address
        if sys.argv[3] == "many": one.bind((f"127.0.1.{number % 200 + 1}", 0))
        one.connect(("127.0.0.1", port))
    except OSError:
        closed += 1
        continue
    one.setblocking(False)
    held.append(one)
    ready.register(one, selectors.EVENT_READ)
for _ in range(40):
    for key, _ in ready.select(0.25):
        try: data = key.fileobj.recv(1000)
        except OSError: data = b""
        if data.startswith((b"421", b"* BYE")): refused += 1
        if not data: closed += 1; ready.unregister(key.fileobj)
print(wanted, len(held), refused, closed, flush=True)
sys.stdin.read()
"""


def half_closed(server, inbox):
    """A client that sends all, closes its sending side and reads on gets every reply."""
    content = smtp.stuffed(corpus.unique_message("half-closed"))
    with smtp.Smtp(server.address("smtp_in")) as client:
        client.hello()
        client.send(f"MAIL FROM:<a@client.example.net>\r\nRCPT TO:<{inbox.address}>\r\nDATA\r\n".encode())
        for code in (250, 250, 354):
            client.expect(code)
        client.send(content + b".\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        client.expect(250)
    with Imap(server, inbox.address, inbox.password, tls=False) as session:
        session.send(b"a SELECT INBOX\r\nb FETCH 1:* FLAGS\r\nc LOGOUT\r\n")
        session.socket.shutdown(socket.SHUT_WR)
        check(session.finish(b"c"), "no answers to a half-closed client")


def cut_anywhere(server, inbox):
    """Connections that end, or reset, after each octet of a dialogue leave nothing behind."""
    dialogue = f"EHLO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{inbox.address}>\r\nDATA\r\nSubject: cut\r\n\r\nx\r\n.".encode()
    for at in range(0, len(dialogue) + 1, 3):
        with socket.create_connection(server.address("smtp_in"), 10) as client:
            if at % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            client.sendall(dialogue[:at])


def never_reading(server, inbox):
    """Fifty clients ask for all bodies many times over and read nothing: what is queued for them is bounded."""
    smtp.deliver(server, [inbox.address], corpus.unique_message("large", 5_000_000))
    before = server.resident_octets()
    deaf = []
    for _ in range(50):
        session = Imap(server, inbox.address, inbox.password)
        session.select()
        session.socket.settimeout(0.2)
        deaf.append(session)
        try:
            session.send(b"".join(b"x%d UID FETCH 1:* BODY.PEEK[]\r\n" % n for n in range(2000)))
        except OSError:
            pass
    time.sleep(3)
    grown = server.resident_octets() - before
    check(grown < 100 << 20, f"fifty deaf clients took {grown >> 20} MiB")
    equal(len(stored_contents(server, inbox)), 2, "messages for a client that reads")
    for session in deaf:
        session.close()
    for number in range(20):
        with socket.create_connection(server.address("smtp_in"), 10) as client:
            client.settimeout(0.2)
            try:
                client.sendall(b"EHLO a.example\r\n" + b"NOOP\r\n" * 500_000)
            except OSError:
                pass
    grown = server.resident_octets() - before
    check(grown < 100 << 20, f"deaf SMTP clients took {grown >> 20} MiB")


def silent(server, inbox, service, other, addresses):
    """Many silent connections to one listener; a normal client on the other."""
    before = server.resident_octets()
    crowd = spawn([sys.executable, "-c", SILENT, str(server.address(service)[1]), str(WANTED), addresses], stdin=-1, stdout=-1)
    opened = []
    begun = time.monotonic()
    wait_until(lambda: opened or crowd_report(crowd, opened) or other(), "the silent crowd", 90, pause=0.3)
    wanted, held, refused, closed = opened
    grown = server.resident_octets() - before
    where = "many addresses" if addresses == "many" else "one address"
    say(f"{service}: {wanted} silent connections from {where} in {time.monotonic() - begun:.0f} s: {held} connected, "
        f"{refused} got 421 or BYE, {closed} closed; {grown >> 20} MiB more")
    check(refused > 0, "nobody was told 421 or BYE over the limit")
    check(refused >= closed - (wanted - held) - 100, f"{closed} closed, but only {refused} were told why")
    check(grown < 400 << 20, f"silent connections took {grown >> 20} MiB")
    other()
    crowd.stdin.close()
    crowd.wait(20)
    wait_until(lambda: served(server, inbox), f"service on {service} after the crowd", 20)


def crowd_report(crowd, opened):
    with selectors.DefaultSelector() as ready:
        ready.register(crowd.stdout, selectors.EVENT_READ)
        if ready.select(0):
            opened += [int(word) for word in crowd.stdout.readline().split()]
    return opened


def served(server, inbox):
    try:
        smtp.deliver(server, [inbox.address], corpus.unique_message("after"))
        return bool(stored_contents(server, inbox))
    except (OSError, scenario.Failure):
        return False


def run():
    options()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the server inherits it
    with Server(log_level="warn") as server:
        inbox = api.create_inbox(server, "sockets")
        half_closed(server, inbox)
        cut_anywhere(server, inbox)
        equal(len(stored_contents(server, inbox)), 1, "messages after cut connections")
        never_reading(server, inbox)

        def reads():
            check(stored_contents(server, inbox), "no mail while the crowd is there")

        def sends():
            smtp.deliver(server, [inbox.address], corpus.unique_message("meanwhile"))

        server.restart_as_serve("connections = 4096\nconnections_per_address = 64")
        silent(server, inbox, "smtp_in", reads, "many")
        silent(server, inbox, "imap", sends, "one")
        check("panicked" not in server.log_text(), "a panic in the log")
        server.stop()
        server.fsck()


if __name__ == "__main__":
    scenario.main(run, 300)
