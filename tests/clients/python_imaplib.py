#!/usr/bin/env python3
"""Python's imaplib, over TLS and STARTTLS: a whole session of every common command, checked by a second client."""

import imaplib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import corpus
import scenario
from fixture import filled_inbox, same_as_sent
from scenario import check, equal
from server import Server


def ok(answer):
    status, data = answer
    equal(status, "OK", f"imaplib answer {data}")
    return data


def numbers(data):
    return [int(word) for word in (data[0] or b"").split()]


def session(client, inbox, contents):
    ok(client.login(inbox.address, inbox.password))
    capabilities = ok(client.capability())[0].decode().split()
    for capability in ("IDLE", "UIDPLUS", "MOVE", "NAMESPACE", "ID", "ENABLE", "UNSELECT", "CHILDREN", "SPECIAL-USE"):
        check(capability in capabilities, f"no {capability} in {capabilities}")
    check(any(c in capabilities for c in ("LITERAL+", "LITERAL-")), "no non-synchronizing literals")
    check(any(b"\\Junk" in line for line in ok(client.list())), "no mailbox is \\Junk")
    ok(client.namespace())
    ok(client.noop())
    ok(client.create('"Projects/Gr&APYA3w-e"'))  # modified UTF-7 for öß
    ok(client.create("Copies"))
    ok(client.subscribe("Copies"))
    check(any(b"Copies" in line for line in ok(client.lsub())), "LSUB lacks Copies")

    equal(int(ok(client.select("INBOX"))[0]), len(contents), "EXISTS")
    for number, sent in enumerate(contents, 1):
        same_as_sent(ok(client.fetch(str(number), "(BODY.PEEK[])"))[0][1], sent, f"message {number}")
    part = ok(client.fetch("1", "(BODY.PEEK[]<10.20>)"))[0][1]
    equal(part, ok(client.fetch("1", "(BODY.PEEK[])"))[0][1][10:30], "a partial FETCH")
    meta = ok(client.fetch("1:*", "(ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE FLAGS UID)"))
    starts = [re.match(rb"\d+ \(", line[0] if isinstance(line, tuple) else line) for line in meta]
    equal(sum(map(bool, starts)), len(contents), "FETCH lines")

    ok(client.store("1", "+FLAGS", "(\\Flagged $Work)"))
    ok(client.store("2", "+FLAGS.SILENT", "(\\Answered)"))
    equal(numbers(ok(client.search(None, "FLAGGED"))), [1], "SEARCH FLAGGED")
    equal(numbers(ok(client.search(None, "KEYWORD", "$work"))), [1], "SEARCH KEYWORD")
    equal(numbers(ok(client.search(None, "SUBJECT", '"attachments"'))), [1], "SEARCH SUBJECT")
    equal(numbers(ok(client.search(None, "UNDELETED", "LARGER", "10000000"))), [], "SEARCH LARGER")
    equal(len(numbers(ok(client.uid("SEARCH", "UID", "2:4")))), 3, "UID SEARCH")

    ok(client.copy("1:3", "Copies"))
    ok(client.uid("MOVE", "4", "Copies"))
    equal(client.response("EXPUNGE")[1], [b"4"], "EXPUNGE responses of MOVE")
    equal(len(numbers(ok(client.search(None, "ALL")))), len(contents) - 1, "messages after MOVE")
    ok(client.store("1", "+FLAGS", "(\\Deleted)"))
    equal(len(ok(client.expunge())), 1, "EXPUNGE responses")
    ok(client.append("Copies", "(\\Seen)", '"21-Nov-2026 10:00:00 +0000"', corpus.octets(corpus.plain(inbox.address, "Appended"))))
    check(b"MESSAGES 5" in ok(client.status("Copies", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"))[0], "STATUS of Copies")
    ok(client.rename("Copies", "Kept"))
    equal(int(ok(client.select("Kept", readonly=True))[0]), 5, "EXISTS of the renamed mailbox")
    equal(client.uid("STORE", "1", "+FLAGS", "(\\Seen)")[0], "NO", "STORE in a read-only mailbox")
    ok(client.unselect())
    ok(client.delete("Kept"))
    equal(client.select("Kept")[0], "NO", "SELECT of a deleted mailbox")
    client.logout()


def second_client(client, inbox, contents):
    ok(client.login(inbox.address, inbox.password))
    equal(int(ok(client.select("INBOX"))[0]), len(contents) - 2, "EXISTS for the second client")
    equal(numbers(ok(client.uid("SEARCH", "ALL"))), [2, 3] + list(range(5, len(contents) + 1)), "UIDs that are left")
    equal(numbers(ok(client.uid("SEARCH", "ANSWERED"))), [2], "answered messages")
    ok(client.close())
    client.logout()


def run():
    with Server() as server:
        context = server.tls()
        for name in ("tls", "starttls"):
            inbox, contents = filled_inbox(server, name)
            clients = []
            for _ in range(2):
                if name == "tls":
                    clients.append(imaplib.IMAP4_SSL("localhost", server.address("imaps")[1], ssl_context=context, timeout=30))
                else:
                    clients.append(imaplib.IMAP4("localhost", server.address("imap")[1], timeout=30))
                    clients[-1].starttls(context)
            session(clients[0], inbox, contents)
            second_client(clients[1], inbox, contents)


if __name__ == "__main__":
    scenario.main(run, 120)
