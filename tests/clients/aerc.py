#!/usr/bin/env python3
"""aerc in a pseudo-terminal that nobody looks at: opens, searches, flags, moves, copies, deletes; hears of new mail by IDLE."""

import os
import pty
import re
import struct
import sys
import fcntl
import termios
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import corpus
import scenario
import smtp
from fixture import filled_inbox
from imap import Imap
from scenario import check, spawn, wait_until
from server import Server

ACCOUNTS = """[test]
source = imaps://{user}:{password}@localhost:{port}
default = INBOX
from = Agent <{address}>
copy-to = Sent
check-mail = 0
"""


class Aerc:
    def __init__(self, folder, environment):
        self.own, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        self.process = spawn(["setsid", "--ctty", "aerc"], stdin=other, stdout=other, stderr=other, env=environment)
        os.close(other)
        os.set_blocking(self.own, False)
        self.screen = b""

    def read(self):
        try:
            self.screen += os.read(self.own, 1 << 16)
        except (BlockingIOError, OSError):
            pass
        return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", self.screen)

    def shows(self, text, seconds=20):
        try:
            wait_until(lambda: text in self.read(), f"aerc to show {text!r}", seconds)
        except scenario.Failure:
            raise scenario.Failure(f"aerc does not show {text!r}: {self.read()[-1500:]!r}") from None

    def command(self, text):
        self.screen = b""
        os.write(self.own, b":" + text.encode() + b"\r")


def run():
    with Server() as server:
        inbox, _ = filled_inbox(server, "aerc")
        home = os.path.join(server.folder, "home")
        config = os.path.join(home, ".config", "aerc")
        os.makedirs(config)
        with open(config + "/accounts.conf", "w") as file:
            file.write(ACCOUNTS.format(user=urllib.parse.quote(inbox.address, safe=""), password=urllib.parse.quote(inbox.password, safe=""),
                                       port=server.address("imaps")[1], address=inbox.address))
        os.chmod(config + "/accounts.conf", 0o600)
        aerc = Aerc(server.folder, {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home + "/.config", "TERM": "xterm-256color", "LANG": "C.UTF-8",
                                    "SSL_CERT_FILE": server.ready["ca"]})
        aerc.shows(b"trailing-space")
        with Imap(server, inbox.address, inbox.password) as session:
            def flags(subject, mailbox="INBOX"):
                session.select(mailbox)
                found = session.fetch("1:*", "BODY.PEEK[HEADER]") if session.uids() else {}
                return next((marks for marks, text in found.values() if b"Subject: %s\r\n" % subject in text), None)

            def on(subject, action):
                aerc.command("clear")
                aerc.command(f"search {subject.decode()}")
                aerc.shows(subject)
                aerc.command(action)

            on(b"dots", "flag")
            wait_until(lambda: "\\flagged" in (flags(b"dots") or ()), "the flag that aerc sets")
            on(b"long-lines", "move Archive")
            wait_until(lambda: flags(b"long-lines") is None and flags(b"long-lines", "Archive") is not None, "the message that aerc moves")
            on(b"base64", "copy Drafts")
            wait_until(lambda: flags(b"base64", "Drafts") is not None, "the message that aerc copies")
            on(b"empty-body", "delete-message")
            wait_until(lambda: flags(b"empty-body") is None, "the message that aerc deletes")
            aerc.command("clear")
            aerc.command("mkdir Projects")
            smtp.deliver(server, [inbox.address], corpus.octets(corpus.plain(inbox.address, "While idling")))
            aerc.shows(b"While idling")
            check(any(b'"/" Projects' in line[0] for line in session.command('LIST "" *')[0]), "aerc made no mailbox")
        aerc.command("quit")
        wait_until(lambda: (aerc.read(), aerc.process.poll() is not None)[1], "aerc to quit", 10)


if __name__ == "__main__":
    scenario.main(run, 120)
