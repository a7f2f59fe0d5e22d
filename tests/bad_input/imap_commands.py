#!/usr/bin/env python3
"""Bad IMAP: oversized lines, literals and sets, deep nesting, NULs, invalid UTF-8, commands in the wrong state, noise.

Each gets BAD or NO (or BYE), allocates nothing of what a literal merely announces, and leaves the server and the mail
as they were.
"""

import os
import random
import sys
import time
import zlib

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
    b"SELECT INBOX (QRESYNC (1 18446744073709551615))", b"SELECT INBOX (QRESYNC (1 1 1:*))", b"SELECT INBOX (QRESYNC (0 1))",
    b"FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)", b"FETCH 1 FLAGS (VANISHED)", b"STORE 1 (UNCHANGEDSINCE -1) FLAGS ()",
    b"FETCH 1 BINARY.SIZE[1]<0.1>", b"FETCH 1 (" + b"BINARY.PEEK[1] " * 4000 + b"UID)", b"FETCH 1 PREVIEW (LAZY",
    b"SORT () UTF-8 ALL", b"SORT (REVERSE REVERSE DATE) UTF-8 ALL", b"SORT (" + b"DATE " * 5000 + b"DATE) UTF-8 ALL",
    b"SORT (DATE) UTF-7 ALL", b"THREAD NONSENSE UTF-8 ALL", b"THREAD REFERENCES UTF-8 " + b"NOT " * 5000 + b"ALL",
    b"SEARCH " + b"NOT TEXT zz " * 4000 + b"ALL", b"SEARCH " + b"OR " * 5000 + b"ALL " * 5001, b"SEARCH MODSEQ 99999999999999999999",
    b"SEARCH TEXT {70000}", b"COMPRESS NONSENSE", b"NOTIFY SET (SELECTED (MessageNew))", b"NOTIFY SET (PERSONAL (Nonsense))",
    b"LIST \"\" (" + b"* " * 5000 + b"*)", b"LIST (RECURSIVEMATCH) \"\" *", b"LIST \"\" * RETURN (STATUS ())", b"CREATE a (USE (\\Nonsense))",
    b"REPLACE 1:2 INBOX {3+}\r\nabc", b"REPLACE 1 Nowhere {3+}\r\nabc", b"APPEND INBOX {1+}\r\na {1+}\r\nb x",
    b"APPEND INBOX CATENATE (URL \"imap://elsewhere/INBOX/;UID=1\")", b"APPEND INBOX CATENATE (TEXT {2+}\r\nab {2+}\r\nab)",
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


def zeros_compressed(server, inbox):
    """A little that swells to a quarter of a gigabyte, and octets that are no DEFLATE: neither takes memory nor time from others."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    swelling = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(256))
    swelling += deflate.compress(b"\r\n") + deflate.flush(zlib.Z_SYNC_FLUSH)
    for data, answered in ((swelling, True), (b"\xff" * 1000, False), (b"\x00\x00\x00\xff\xff" * 100_000 + b"\x06", False)):
        with Imap(server, inbox.address, inbox.password) as session, Imap(server, inbox.address, inbox.password) as other:
            session.command("COMPRESS DEFLATE")
            before, begun = server.resident_octets(), time.monotonic()
            session.send(data)
            other.command("NOOP")
            check(time.monotonic() - begun < 10, "others wait for what is decompressed")
            try:
                check(not answered or b"BAD" in zlib.decompressobj(-15).decompress(session.socket.recv(1 << 16)), "no BAD to an endless line")
                check(answered or session.socket.recv(1) == b"", "goes on after what is not compressed")
            except ConnectionError:
                check(not answered, "the connection broke")
            grown = server.resident_octets() - before
            check(grown < 20 << 20, f"decompression took {grown >> 20} MiB")


def much_appended(server, inbox):
    """One message named a thousand times, and a thousand messages in one command: refused at the limit, nothing appended."""
    large = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 100_000
    with Imap(server, inbox.address, inbox.password) as session:
        session.command("CREATE large")
        session.append("large", large)
        server.reset_peak()
        before = server.resident_octets()
        url = b' URL "/large/;UID=1"'
        refusal = session.refused(b"APPEND large CATENATE (" + (url * 1000)[1:] + b")")
        check("TOOBIG" in refusal, f"CATENATE without end: {refusal}")
        many = b" {%d+}\r\n%s" % (len(large), large)
        refusal = session.refused(b"APPEND large" + many * 8)
        check("TOOBIG" in refusal, f"MULTIAPPEND without end: {refusal}")
        grown = server.peak_octets() - before
        check(grown < 200 << 20, f"what was refused took {grown >> 20} MiB")
        check(session.select("large")["exists"] == 1, "something of it was appended")
        session.command("DELETE large")


def large_parts_decoded(server, inbox):
    """Large decoded parts have room only together; who does not read them does not keep others from theirs."""
    part = (b"Subject: part\r\nMIME-Version: 1.0\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + (b"eHh4" * 19 + b"\r\n") * 250_000)
    with Imap(server, inbox.address, inbox.password) as session:
        session.command("CREATE parts")
        session.append("parts", part)
        session.select("parts")
        server.reset_peak()
        before = server.resident_octets()
        sections = " ".join(["BINARY.SIZE[1]", *(f"BINARY.PEEK[1]<{i}.5>" for i in range(9))])
        answer, _ = session.command(f"FETCH 1 ({sections})")
        check(b"BINARY.SIZE[1] 14250000" in answer[0][0], f"BINARY.SIZE: {answer[0][0][:100]}")
        idle = [Imap(server, inbox.address, inbox.password) for _ in range(8)]
        for one_of_them in idle:
            one_of_them.select("parts")
            one_of_them.start("FETCH 1 BINARY.PEEK[1]")
        session.command("FETCH 1 BINARY.PEEK[1]<0.5>")
        grown = server.peak_octets() - before
        check(grown < 350 << 20, f"decoding took {grown >> 20} MiB")
        for one_of_them in idle:
            one_of_them.close()
        session.command("DELETE parts")


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
        zeros_compressed(server, inbox)
        much_appended(server, inbox)
        large_parts_decoded(server, inbox)
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
