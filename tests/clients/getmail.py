#!/usr/bin/env python3
"""getmail: takes new mail of two mailboxes over TLS, once; the second run finds nothing, then only what is new."""

import email
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import corpus
import scenario
import smtp
from fixture import filled_inbox, stored_contents
from imap import Imap
from scenario import check, command, equal
from server import Server

CONFIG = """[retriever]
type = SimpleIMAPSSLRetriever
server = localhost
port = {port}
username = {user}
password = {password}
mailboxes = ("INBOX", "Archive")
ca_certs = {ca}
use_peek = true
[destination]
type = MDA_external
path = /bin/sh
arguments = ("{folder}/store",)
allow_root_commands = true
[options]
read_all = false
delete = {delete}
delivered_to = false
received = false
"""


def getmail(server, inbox, folder, delete):
    config = os.path.join(folder, "getmailrc")
    with open(config, "w") as file:
        file.write(CONFIG.format(port=server.address("imaps")[1], user=inbox.address, password=inbox.password, ca=server.ready["ca"],
                                 folder=folder, delete=delete))
    command(["getmail", "--getmaildir", folder, "--rcfile", config], env={**os.environ, "HOME": folder})
    found = []
    for name in os.listdir(folder):
        if name.endswith(".eml"):
            with open(os.path.join(folder, name), "rb") as file:
                found.append(file.read().replace(b"\r\n", b"\n"))
    return found


def parts(content):
    """What getmail keeps: it writes a message anew, with the same fields and the same decoded parts."""
    message = email.message_from_bytes(content.replace(b"\r\n", b"\n"))
    leaves = [part for part in message.walk() if not part.is_multipart()]
    return message["Subject"], message["Message-ID"], [(part.get_content_type(), part.get_payload(decode=True).rstrip(b"\n")) for part in leaves]


def run():
    with Server() as server:
        inbox, contents = filled_inbox(server, "getmail")
        folder = os.path.join(server.folder, "getmail")
        os.mkdir(folder)
        with open(folder + "/store", "w") as file:
            file.write(f"exec cat > {folder}/$$.eml\n")
        with Imap(server, inbox.address, inbox.password) as session:
            session.append("Archive", b"Subject: archived\r\n\r\nolder\r\n")
        fetched = getmail(server, inbox, folder, "false")
        equal(len(fetched), len(contents) + 1, "messages fetched")
        arrived = [parts(text) for text in fetched]
        for sent in contents:
            check(parts(sent) in arrived, f"a message was changed on its way: {sent[:200]!r}")
        equal(len(getmail(server, inbox, folder, "false")), len(fetched), "messages after a second run")
        smtp.deliver(server, [inbox.address], corpus.octets(corpus.plain(inbox.address, "New")))
        equal(len(getmail(server, inbox, folder, "true")), len(fetched) + 1, "messages after new mail")
        left = [text for mailbox in ("INBOX", "Archive") for text in stored_contents(server, inbox, mailbox)]
        equal(left, [], "messages left on the server")


if __name__ == "__main__":
    scenario.main(run, 120)
