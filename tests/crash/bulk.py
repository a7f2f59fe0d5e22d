#!/usr/bin/env python3
"""kill -9 in the middle of COPY, MULTIAPPEND, RENAME, MOVE and EXPUNGE of thousands of messages.

After each restart: a COPY or MULTIAPPEND is there whole or not at all (RFC 9051 §6.4.7, RFC 3502 §4), a RENAME has moved the whole
tree or none of it, every message of a MOVE is in exactly one of the two mailboxes, an EXPUNGE has removed only what was
marked. What had its OK is done. The offline check must find nothing.
"""

import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from imap import Closed, Imap, Refused
from scenario import check, equal, options, say
from server import Server

MESSAGES, APPENDED, CHILDREN = 3000, 400, 40


def filled(session):
    """`Source` with messages whose subjects are their numbers."""
    session.command("CREATE Source")
    for first in range(0, MESSAGES, 100):
        literals = [b"Subject: n%d\r\n\r\n%d\r\n" % (number, number) for number in range(first, first + 100)]
        multiappend(session, "Source", literals)


def multiappend(session, mailbox, contents):
    return session.command(b"APPEND %s" % mailbox.encode() + b"".join(b" {%d+}\r\n%s" % (len(content), content) for content in contents))


def count(session, mailbox):
    untagged, _ = session.command(f"STATUS {mailbox} (MESSAGES)")
    return int(untagged[0][0].rsplit(b"MESSAGES ", 1)[1].rstrip(b")"))


def names(session):
    return {line[0].rsplit(b" ", 1)[1].strip(b'"').decode() for line in session.command('LIST "" *')[0]}


def subjects(session, mailbox):
    session.command(f"SELECT {mailbox}")
    if not count(session, mailbox):
        return []
    untagged, _ = session.command("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return [response[1].strip().removeprefix(b"Subject: n") for response in untagged if len(response) > 1]


class Trial:
    """One operation under fire, and what must hold after the restart; `done`: whether it got its OK."""

    def prepare(self, session):
        pass


class Copy(Trial):
    def prepare(self, session):
        session.command("CREATE Target")

    def work(self, session):
        session.command("SELECT Source")
        session.command("COPY 1:* Target")

    def verify(self, session, done):
        found = count(session, "Target")
        check(found in ((MESSAGES,) if done else (0, MESSAGES)), f"{found} of {MESSAGES} messages copied")
        equal(count(session, "Source"), MESSAGES, "messages left in Source")
        session.command("DELETE Target")


class Append(Trial):
    def prepare(self, session):
        session.command("CREATE Target")

    def work(self, session):
        multiappend(session, "Target", [b"Subject: a%d\r\n\r\n%s\r\n" % (number, b"x" * 500) for number in range(APPENDED)])

    def verify(self, session, done):
        found = count(session, "Target")
        check(found in ((APPENDED,) if done else (0, APPENDED)), f"{found} of {APPENDED} messages appended")
        session.command("DELETE Target")


class Rename(Trial):
    def prepare(self, session):
        for number in range(CHILDREN):
            session.command(f"CREATE Tree/b{number}/c")
        multiappend(session, "Tree/b0/c", [b"Subject: leaf\r\n\r\nx\r\n"] * 50)

    def work(self, session):
        for old, new in (("Tree", "Wood"), ("Wood", "Forest/Deep"), ("Forest/Deep", "Tree")):
            session.command(f"RENAME {old} {new}")

    def verify(self, session, done):
        roots = [root for root in ("Tree", "Wood", "Forest/Deep") if f"{root}/b0/c" in names(session)]
        equal(len(roots), 1, f"trees ({roots})")
        check(not done or roots == ["Tree"], f"the tree is called {roots} after its last OK")
        inside = [name for name in names(session) if name.startswith(roots[0] + "/")]
        equal(len(inside), 2 * CHILDREN, f"mailboxes in {roots[0]}")
        equal(count(session, f"{roots[0]}/b0/c"), 50, "messages in a renamed mailbox")
        for name in sorted(inside, reverse=True) + [roots[0]] + (["Forest"] if "Forest" in names(session) else []):
            session.command(f"DELETE {name}")


class Move(Trial):
    def prepare(self, session):
        session.command("CREATE Target")

    def work(self, session):
        session.command("SELECT Source")
        session.command("MOVE 1:* Target")

    def verify(self, session, done):
        here, there = subjects(session, "Source"), subjects(session, "Target")
        equal(sorted(here + there, key=int), [b"%d" % number for number in range(MESSAGES)], "all messages, each once")
        check(not done or not here, f"{len(here)} messages were left by a MOVE that got its OK")
        if there:
            session.command("SELECT Target")
            session.command("MOVE 1:* Source")
        session.command("DELETE Target")


class Expunge(Trial):
    def prepare(self, session):
        session.command("SELECT Source")
        session.command("COPY 1:* Doomed") if "Doomed" in names(session) else (session.command("CREATE Doomed"), session.command("COPY 1:* Doomed"))
        session.command("SELECT Doomed")
        session.command(f"STORE 1:{MESSAGES - 100} +FLAGS.SILENT (\\Deleted)")

    def work(self, session):
        session.command("SELECT Doomed")
        session.command("EXPUNGE")

    def verify(self, session, done):
        left = subjects(session, "Doomed")
        check(len(left) >= 100 and (not done or len(left) == 100), f"{len(left)} messages left of {MESSAGES}, 100 were to stay")
        kept = {b"%d" % number for number in range(MESSAGES)} & set(left)
        equal(len(kept), len(left), "messages left that are whole")
        equal(len(session.command("SEARCH UNDELETED")[0][0][0].split()) - 2, 100, "messages that were not marked")
        session.command("UNSELECT")
        session.command("DELETE Doomed")


def one_trial(server, inbox, trial, longest):
    with Imap(server, inbox.address, inbox.password, timeout=60) as session:
        trial.prepare(session)
    state = {"done": False, "took": longest}

    def work():
        try:
            with Imap(server, inbox.address, inbox.password, timeout=60) as session:
                begun = time.monotonic()
                trial.work(session)
                state.update(done=True, took=time.monotonic() - begun)
        except (Closed, OSError, Refused):
            pass

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(random.uniform(0, longest))
    server.kill()
    thread.join(30)
    server.fsck()
    server.start()
    with Imap(server, inbox.address, inbox.password, timeout=60) as session:
        trial.verify(session, state["done"])
    return state["done"], state["took"]


def run():
    chosen = options(("--kills", 15, "how many times the server is killed"))
    trials = [Copy(), Append(), Rename(), Move(), Expunge()]
    longest, told = {}, {}  # how long each took when it was not broken off: the kill comes before that
    with Server(log_level="warn") as server:
        inbox = api.create_inbox(server, "bulk")
        with Imap(server, inbox.address, inbox.password, timeout=60) as session:
            filled(session)
        for number in range(chosen.kills):
            trial = trials[number % len(trials)]
            name = type(trial).__name__
            done, longest[name] = one_trial(server, inbox, trial, longest.get(name, 1.0))
            told.setdefault(name, [0, 0])[0 if done else 1] += 1
        server.stop()
        server.fsck()
    say(", ".join(f"{name}: {done} done before the kill, {broken} broken off" for name, (done, broken) in told.items()))


if __name__ == "__main__":
    scenario.main(run, 3600)
