#!/usr/bin/env python3
"""offlineimap: two-way sync of all mailboxes with Maildirs, several times, with changes on both sides between and during."""

import mailbox
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import corpus
import scenario
import smtp
from fixture import filled_inbox, stored_contents
from imap import Imap
from scenario import check, command, equal
from server import Server

CONFIG = """[general]
accounts = test
metadata = {folder}/state
ui = basic
fsync = false
[Account test]
localrepository = local
remoterepository = remote
[Repository local]
type = Maildir
localfolders = {folder}/mail
[Repository remote]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = yes
sslcacertfile = {ca}
usecompression = {compression}
expunge = yes
"""


def flat(content):
    return re.sub(rb"X-OfflineIMAP: .*\n", b"", content.replace(b"\r\n", b"\n"))


def messages(folder):
    box = mailbox.Maildir(folder, factory=None, create=False)
    return {key: box.get_bytes(key) for key in box.keys()}, box


def one_run(server, name, compression):
    inbox, contents = filled_inbox(server, name)
    folder = os.path.join(server.folder, name)
    os.mkdir(folder)
    config = os.path.join(folder, "offlineimaprc")
    with open(config, "w") as file:
        file.write(CONFIG.format(folder=folder, port=server.address("imaps")[1], user=inbox.address, password=inbox.password,
                                 ca=server.ready["ca"], compression=compression))
    sync = ["offlineimap", "-c", config, "-o", "-u", "basic"]
    environment = {**os.environ, "HOME": folder}
    command(sync, env=environment)
    local, box = messages(folder + "/mail/INBOX")
    equal(len(local), len(contents), "messages pulled")
    for sent in contents:
        equal(sum(flat(sent) in text for text in local.values()), 1, f"copies of {sent[:60]!r}")
    for mailbox_name in ("Sent", "Drafts", "Trash", "Archive", "Spam"):
        check(os.path.isdir(f"{folder}/mail/{mailbox_name}"), f"no local {mailbox_name}")

    # Changes here: a flag, a deletion, a new message. Changes there: mail, a flag, an expunge, a new mailbox.
    key_of = {re.search(rb"^Subject: (.*)$", text, re.M)[1]: key for key, text in local.items()}
    flagged = box[key_of[b"dots"]]
    flagged.add_flag("F")
    box[key_of[b"dots"]] = flagged
    box.remove(key_of[b"long-lines"])
    box.add(mailbox.MaildirMessage(b"From: a@example.test\nSubject: Pushed\n\nfrom the laptop\n"))
    smtp.deliver(server, [inbox.address], corpus.octets(corpus.plain(inbox.address, "Later")))
    with Imap(server, inbox.address, inbox.password) as session:
        session.command("CREATE Projects/One")
        session.append("Projects/One", b"Subject: there\r\n\r\nin a new mailbox\r\n")
        session.select()
        uid = next(uid for uid, (_, text) in session.fetch("1:*", "BODY.PEEK[HEADER]").items() if b"Subject: base64" in text)
        session.command(f"UID STORE {uid} +FLAGS (\\Seen)")
        gone = next(uid for uid, (_, text) in session.fetch("1:*", "BODY.PEEK[HEADER]").items() if b"Subject: eight-bit" in text)
        session.command(f"UID STORE {gone} +FLAGS (\\Deleted)")
        session.command(f"UID EXPUNGE {gone}")
    command(sync, env=environment)
    command(sync, env=environment)
    local, box = messages(folder + "/mail/INBOX")
    subjects = sorted(re.search(rb"^Subject: (.*)$", text, re.M)[1] for text in local.values())
    check({b"Later", b"Pushed"} <= set(subjects) and b"long-lines" not in subjects and b"eight-bit" not in subjects, f"local messages are {subjects}")
    seen = next(box[key] for key, text in local.items() if b"Subject: base64" in text)
    check("S" in seen.get_flags(), "a flag set on the server did not arrive")
    check(any(os.path.isdir(f"{folder}/mail/{path}") for path in ("Projects/One", "Projects.One")), f"no new folder in {os.listdir(folder + '/mail')}")
    stored = stored_contents(server, inbox)
    equal(sum(b"Subject: Pushed\r\n" in text for text in stored), 1, "copies of the pushed message")
    check(not any(b"Subject: long-lines\r\n" in text for text in stored), "the deleted message is still there")
    equal(len(stored), len(local), "messages on both sides")
    with Imap(server, inbox.address, inbox.password) as session:
        session.select()
        marks = {text: marks for marks, text in session.fetch("1:*", "BODY.PEEK[HEADER]").values()}
        check(any("\\flagged" in flags and b"Subject: dots" in text for text, flags in marks.items()), "a flag set here did not arrive")


def run():
    with Server() as server:
        one_run(server, "plain", "no")
        one_run(server, "compressed", "yes")


if __name__ == "__main__":
    scenario.main(run, 200)
