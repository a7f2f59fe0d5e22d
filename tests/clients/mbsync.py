#!/usr/bin/env python3
"""mbsync (isync): pulls all mailboxes into Maildirs, byte-exact, then pushes flags, a new message and a deletion; then syncs
again and again while mail comes and another client changes, moves and expunges, and in the end both sides are the same."""

import mailbox
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import scenario
import smtp
from fixture import filled_inbox, same_as_sent, stored_contents
from imap import Imap
from scenario import check, command, equal
from server import Server

CONFIG = """
IMAPAccount test
Host localhost
Port {port}
User {user}
Pass {password}
SSLType {kind}
CertificateFile {ca}
SystemCertificates no

IMAPStore remote
Account test

MaildirStore local
Path {maildir}/
Inbox {maildir}/INBOX
SubFolders Verbatim

Channel test
Far :remote:
Near :local:
Patterns *
Create Both
Expunge Both
Sync All
SyncState *
"""


def local_messages(folder):
    """File names by content; mbsync adds an X-TUID field of its own and stores LF."""
    found = {}
    for sub in ("new", "cur"):
        for name in os.listdir(os.path.join(folder, sub)):
            with open(os.path.join(folder, sub, name), "rb") as file:
                text = file.read().replace(b"\r\n", b"\n")
            found[re.sub(rb"X-TUID: .*\n", b"", text)] = os.path.join(folder, sub, name)
    return found


def one_run(server, kind, service):
    inbox, contents = filled_inbox(server, kind.lower())
    maildir = os.path.join(server.folder, kind)
    os.mkdir(maildir)
    config = os.path.join(server.folder, kind + ".rc")
    with open(config, "w") as file:
        file.write(CONFIG.format(port=server.address(service)[1], user=inbox.address, password=inbox.password, kind=kind,
                                 ca=server.ready["ca"], maildir=maildir))
    sync = ["mbsync", "-c", config, "-a"]
    command(sync)
    pulled = local_messages(os.path.join(maildir, "INBOX"))
    # mbsync leaves out a message without an empty line after its header.
    whole = [sent for sent in contents if b"\r\n\r\n" in sent]
    equal(len(pulled), len(whole), "messages pulled")
    for sent in whole:
        flat = (sent if sent.endswith(b"\r\n") else sent + b"\r\n").replace(b"\r\n", b"\n")
        stored = [text for text in pulled if text.endswith(flat)]
        equal(len(stored), 1, "local copies of one message")
        same_as_sent(stored[0].replace(b"\n", b"\r\n"), sent, "a pulled message")
    check(os.path.isdir(os.path.join(maildir, "Sent")), "no local Sent")

    box = mailbox.Maildir(os.path.join(maildir, "INBOX"), factory=None, create=False)
    keys = {message["Subject"]: (key, message) for key, message in box.items()}
    flagged, deleted = keys["dots"], keys["long-lines"]
    flagged[1].add_flag("F")
    flagged[1].set_subdir("cur")
    box[flagged[0]] = flagged[1]
    deleted[1].add_flag("T")
    deleted[1].set_subdir("cur")
    box[deleted[0]] = deleted[1]
    new = corpus.octets(corpus.plain(inbox.address, "Pushed"))
    box.add(new.replace(b"\r\n", b"\n"))
    command(sync)

    with Imap(server, inbox.address, inbox.password) as session:
        equal(session.select()["exists"], len(contents), "messages after the push (one more, one less)")
        flags = session.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        equal([text.strip() for marks, text in flags.values() if "\\flagged" in marks], [b"Subject: dots"], "flagged messages")
    stored = stored_contents(server, inbox)
    equal(sum(re.sub(rb"X-TUID: .*\r\n", b"", text) == new for text in stored), 1, "copies of the pushed message")
    check(not any(b"Subject: long-lines\r\n" in text for text in stored), "the deleted message is still there")
    command(sync)
    equal(len(local_messages(os.path.join(maildir, "INBOX"))), len(whole), "local messages after a third run")


def churn(server):
    """Both sides change while mbsync runs; afterwards they must agree, and nothing is lost."""
    inbox = api.create_inbox(server, "churn")
    maildir = os.path.join(server.folder, "churn")
    os.mkdir(maildir)
    config = maildir + ".rc"
    with open(config, "w") as file:
        file.write(CONFIG.format(port=server.address("imaps")[1], user=inbox.address, password=inbox.password, kind="IMAPS", ca=server.ready["ca"],
                                 maildir=maildir))
    sync = ["mbsync", "-q", "-c", config, "-a"]
    subjects = [f"churn {number}" for number in range(60)]
    stop, moved = threading.Event(), set()

    def deliver():
        for subject in subjects:
            smtp.deliver(server, [inbox.address], corpus.octets(corpus.plain(inbox.address, subject)))
            time.sleep(0.05)
        stop.set()

    def change():
        """Sets flags, moves every seventh message away and expunges some of those moved."""
        with Imap(server, inbox.address, inbox.password) as session:
            session.select()
            while not stop.is_set():
                for uid in session.uids():
                    if uid % 7 == 0:
                        session.command(f"UID MOVE {uid} Archive")
                        moved.add(uid)
                    elif uid % 3 == 0:
                        session.command(f"UID STORE {uid} +FLAGS.SILENT (\\Flagged)")
                time.sleep(0.05)

    def repeat():
        while not stop.is_set():
            command(sync, expect=None)
            folder = os.path.join(maildir, "INBOX")
            if os.path.isdir(folder):
                box = mailbox.Maildir(folder, factory=None, create=False)
                for key in list(box.keys())[:2]:
                    try:
                        message = box[key]
                        message.add_flag("S")
                        box[key] = message
                    except (KeyError, FileNotFoundError):
                        pass  # mbsync renamed it meanwhile

    scenario.threads([deliver, change, repeat], 100)
    command(sync)
    command(sync)
    sides = {}
    for name in ("INBOX", "Archive"):
        stored = stored_contents(server, inbox, name)
        local = local_messages(os.path.join(maildir, name))
        equal(len(local), len(stored), f"messages of {name} on both sides")
        with Imap(server, inbox.address, inbox.password) as session:
            session.select(name)
            there = {re.search(rb"Subject: (.*?)\r", text)[1]: marks for marks, text in session.fetch("1:*", "BODY.PEEK[HEADER]").values()} if stored else {}
        for text, path in local.items():
            subject = re.search(rb"Subject: (.*?)\n", text)[1]
            marks = path.rsplit(":2,", 1)[1] if ":2," in path else ""
            equal(("F" in marks, "S" in marks), ("\\flagged" in there[subject], "\\seen" in there[subject]), f"flags of {subject!r} here and there")
        sides[name] = set(there)
    equal({subject.decode() for subject in sides["INBOX"] | sides["Archive"]}, set(subjects), "messages at the end")
    check(moved and not sides["INBOX"] & sides["Archive"], "a moved message is in both mailboxes, or none was moved")


def run():
    with Server() as server:
        churn(server)
        one_run(server, "IMAPS", "imaps")
        one_run(server, "STARTTLS", "imap")


if __name__ == "__main__":
    scenario.main(run, 200)
