#!/usr/bin/env python3
"""Bad IMAP: oversized lines, literals and sets, deep nesting, NULs, invalid UTF-8, commands in the wrong state, noise.

Each gets BAD or NO (or BYE), allocates nothing of what a literal merely announces, and leaves the server and the mail
as they were.
"""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import scenario
from fixture import filled_inbox, same_as_sent, stored_contents
from imap import Closed, Imap, Refused
from scenario import Failure, check, options
from server import Server

BEFORE_LOGIN = [b"SELECT INBOX", b"FETCH 1 FLAGS", b"NONSENSE", b"LOGIN a", b"LOGIN {5+}\r\na\x00bcd x", b"AUTHENTICATE NONSENSE",
                b"LOGIN \xff\xfe \xff", b"AUTHENTICATE PLAIN !!!!", b"AUTHENTICATE PLAIN AAA=", b"LOGIN {9000000+}\r\n" + b"x" * 9_000_000 + b" x"]
SELECTED = [
    b"FETCH 0 FLAGS", b"FETCH 4294967296 FLAGS", b"FETCH 1:99999999999999 FLAGS", b"FETCH 1 (FLAGS", b"FETCH 1 BODY[", b"FETCH 1 BODY[]<5.>",
    b"FETCH 1 BODY[HEADER.FIELDS ()]", b"STORE 1 +FLAGS (\\Recent)", b"STORE 1 FLAGS (\\Nonsense)",
    b"STORE 1 +FLAGS", b"SEARCH", b"SEARCH CHARSET X-NONE ALL", b"SEARCH " + b"NOT " * 5000 + b"ALL", b"SEARCH " + b"(" * 5000 + b"ALL" + b")" * 5000,
    b"SEARCH SINCE 99-Foo-2026", b"COPY 1 {3+}\r\n\x00\x00\x00", b"COPY 1 Nowhere", b"CREATE \"\"", b"CREATE INBOX", b"CREATE \"a\x00b\"",
    b"CREATE \"" + b"a/" * 3000 + b"\"", b"DELETE INBOX", b"RENAME Nowhere Somewhere", b"LIST \"\" \"" + b"*%" * 2000 + b"\"x",
    b"APPEND INBOX {99999999999999999999+}\r\n", b"APPEND INBOX (\\Seen {5}", b"APPEND Nowhere {3+}\r\nabc", b"UID", b"UID NONSENSE 1",
    b"ID (\"a\")", b"ENABLE", b"\x00\x00\x00", b"\xff\xfe\xfd", b"NOOP NOOP", b"IDLE NOW", b"FETCH " + b"1," * 100000 + b"1 FLAGS",
]


def one(session, line):
    """The command must fail; True if the connection lives on."""
    try:
        session.command(line)
    except Refused:
        return True
    except TimeoutError:
        raise Failure(f"no answer to: {line[:80]!r}") from None
    except (Closed, ConnectionError):
        return False
    raise Failure(f"accepted: {line[:80]!r}")


def each(server, lines, user=None, password=None):
    for line in lines:
        with Imap(server, user, password, timeout=20) as session:
            if user:
                session.select()
            if one(session, line):
                session.command("NOOP")


def odd_but_legal(server, inbox):
    with Imap(server, inbox.address, inbox.password) as session:
        session.select()
        for line in ("FETCH 1 (FLAGS FLAGS FLAGS)", "FETCH 1:* BODY.PEEK[1.1.1.1.1.1]", "FETCH *:1 UID", "SEARCH UID 1:4294967295",
                     'SEARCH HEADER X-None ""', "SEARCH OR OR ALL ALL ALL", "FETCH 1 BODY.PEEK[4294967296.1.1.1.1]",
                     "FETCH 1 BODY.PEEK[]<4294967290.10>"):
            try:
                session.command(line)
            except Refused as refusal:
                check(str(refusal).startswith("NO") or "1.1.1.1" in line, f"{line}: {refusal}")


def announced_literals(server):
    """Fifty announcements of 50 MB each before login: nothing of that size is set aside."""
    before = server.resident_octets()
    sessions = [Imap(server, timeout=20) for _ in range(50)]
    for session in sessions:
        session.send(b"a LOGIN {50000000}\r\n")
        session.send(b"b APPEND INBOX {50000000}\r\n")
    grown = server.resident_octets() - before
    for session in sessions:
        session.close()
    check(grown < 40 << 20, f"announced literals took {grown >> 20} MiB")


def noise(server, inbox, chance):
    script = (f'a LOGIN {inbox.address} {inbox.password}\r\nb SELECT INBOX\r\nc UID FETCH 1:* (FLAGS ENVELOPE BODY[1.MIME]<0.9>)\r\n'
              'd SEARCH OR (SEEN DELETED) NOT HEADER Subject "x"\r\ne LIST (SUBSCRIBED) "" (% *)\r\nf ID NIL\r\ng NOOP\r\n').encode()
    login = script.index(b"b SELECT")
    for _ in range(150):
        data = bytearray(script)
        for _ in range(chance.randint(1, 20)):
            at = chance.randrange(login, len(data))
            data[at:at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
        with Imap(server, timeout=10) as session:
            try:
                session.send(bytes(data))
                session.send(b"\r\nzz LOGOUT\r\n")
                session.socket.settimeout(2)
                while session.socket.recv(65536):
                    pass
            except OSError:
                pass
    check(server.alive(), "noise ended the server")


def run():
    chosen = options()
    with Server() as server:
        inbox, contents = filled_inbox(server, "scout")
        before = server.resident_octets()
        each(server, BEFORE_LOGIN)
        each(server, SELECTED, inbox.address, inbox.password)
        odd_but_legal(server, inbox)
        announced_literals(server)
        for stored, sent in zip(stored_contents(server, inbox), contents, strict=True):
            same_as_sent(stored, sent, "mail after bad commands")
        noise(server, inbox, random.Random(chosen.seed))
        grown = server.resident_octets() - before
        check(grown < 300 << 20, f"resident memory grew by {grown >> 20} MiB")
        check("panicked" not in server.log_text(), "a panic in the log")
        server.stop()
        server.fsck()


if __name__ == "__main__":
    scenario.main(run, 180)
