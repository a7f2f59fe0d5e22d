#!/usr/bin/env python3
"""Python's IMAPClient: signs in, syncs, searches and sorts, threads, idles, moves, deletes, asks for quota."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [path for path in sys.path if os.path.abspath(path or ".") != HERE]  # this file is called as the package
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import packages

packages.use_python_packages()
import imapclient
import corpus
import scenario
import smtp
from fixture import filled_inbox, same_as_sent
from imap import Imap
from scenario import check, equal
from server import Server


def session(client, server, inbox, contents):
    client.login(inbox.address, inbox.password)
    client.enable("CONDSTORE")
    folders = {name: flags for flags, _, name in client.list_folders()}
    check(b"\\Drafts" in folders["Drafts"], f"folders are {folders}")
    equal(client.find_special_folder(b"\\Sent"), "Sent", "the folder for sent mail")
    client.create_folder("Größe/日本")
    check("Größe/日本" in {name for _, _, name in client.list_folders("Größe")}, "the new folder is not listed")
    client.subscribe_folder("Größe/日本")
    opened = client.select_folder("INBOX")
    equal(opened[b"EXISTS"], len(contents), "EXISTS")
    check(opened[b"HIGHESTMODSEQ"] > 0, f"SELECT says {opened}")
    uids = client.search(["ALL"])
    equal(len(uids), len(contents), "messages found")
    fetched = client.fetch(uids, ["BODY.PEEK[]", "FLAGS", "ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE", "MODSEQ"])
    for uid, sent in zip(uids, contents):
        stored = fetched[uid][b"BODY[]"]
        same_as_sent(stored, sent, f"UID {uid}")
        equal(fetched[uid][b"RFC822.SIZE"], len(stored), "RFC822.SIZE")
    equal(client.search(["SUBJECT", "dots"]), [uids[1]], "the message about dots")
    equal(client.search(["TEXT", "Größe 7"], charset="UTF-8"), [uids[0]], "a search in UTF-8")
    equal(sorted(client.sort("SIZE")), uids, "all messages, sorted")
    sizes = [fetched[uid][b"RFC822.SIZE"] for uid in client.sort(["REVERSE", "SIZE"])]
    equal(sizes, sorted(sizes, reverse=True), "sizes in order")
    equal(sorted(uid for thread in client.thread("REFERENCES") for uid in thread), uids, "all messages, in threads")

    before = fetched[uids[2]][b"MODSEQ"][0]
    client.add_flags(uids[2], [imapclient.FLAGGED, "$Work"])
    changed = client.fetch(uids, ["FLAGS"], modifiers=[f"CHANGEDSINCE {before}"])
    check(uids[2] in changed and b"$Work" in changed[uids[2]][b"FLAGS"], f"changed since {before}: {changed}")
    client.move(uids[1], "Größe/日本")
    client.delete_messages(uids[3])
    client.uid_expunge(uids[3])
    equal(client.search(["ALL"]), [uid for uid in uids if uid not in (uids[1], uids[3])], "messages left")
    equal(client.folder_status("Größe/日本", ["MESSAGES"])[b"MESSAGES"], 1, "messages moved")
    client.append("Drafts", b"Subject: a draft\r\n\r\nfor later\r\n", [imapclient.DRAFT])
    _, told = client.multiappend("Drafts", [b"Subject: one\r\n\r\n1\r\n", b"Subject: two\r\n\r\n2\r\n"])
    check(told[0].startswith(b"[APPENDUID "), f"MULTIAPPEND was told {told}")
    equal(client.folder_status("Drafts", ["MESSAGES"])[b"MESSAGES"], 3, "drafts")
    check(client.get_quota_root("INBOX")[1], "no quota")

    client.idle()
    smtp.deliver(server, [inbox.address], corpus.octets(corpus.plain(inbox.address, "While idling")))
    with Imap(server, inbox.address, inbox.password) as other:
        other.select()
        other.command("UID STORE %d +FLAGS (\\Answered)" % uids[0])
    heard = []
    while not ({b"EXISTS", b"FETCH"} <= {word[1] for word in heard if len(word) > 1}):
        new = client.idle_check(timeout=10)
        check(new, f"nothing more heard after {heard}")
        heard += new
    client.idle_done()
    client.unselect_folder()
    client.delete_folder("Größe/日本")
    client.delete_folder("Größe")
    client.logout()


def run():
    with Server() as server:
        for name in ("tls", "starttls"):
            inbox, contents = filled_inbox(server, name)
            tls = server.tls()
            if name == "tls":
                client = imapclient.IMAPClient("localhost", server.address("imaps")[1], ssl_context=tls, timeout=20)
            else:
                client = imapclient.IMAPClient("localhost", server.address("imap")[1], ssl=False, timeout=20)
                client.starttls(tls)
            session(client, server, inbox, contents)


if __name__ == "__main__":
    scenario.main(run, 120)
