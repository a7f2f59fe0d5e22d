#!/usr/bin/env python3
"""Each operation that changes mail, done over the API and seen by an IMAP session at once, and done over IMAP and seen by the API.

The IMAP session idles before the API does something, so what it is told comes by itself; an API client asks once after the
IMAP command was answered.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "python"), os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-agentmail.txt")
import corpus  # noqa: E402
import coverage  # noqa: E402
import submit  # noqa: E402
from api import Inbox  # noqa: E402
from imap import Imap  # noqa: E402
from scenario import check, equal, say  # noqa: E402
from server import Server  # noqa: E402
from world import Case, unique  # noqa: E402

AT_ONCE = 5  # seconds for what must come without asking; only a stuck wake-up takes longer
_stories = []


def story(function):
    _stories.append(function)
    return function


class Both:
    """An inbox with a message, an idling IMAP session on one of its mailboxes, and the API."""

    def __init__(self, server):
        self.case = Case(server)
        self.server, self.api = server, self.case.quiet
        self.inbox = self.case.inbox()
        self.id = self.case.receive(self.inbox, "Seen from both sides")
        self.sessions = []

    def close(self):
        for session in self.sessions:
            session.close()
        self.case.close()

    def session(self, mailbox="INBOX"):
        session = Imap(self.server, self.inbox, self.case.key, timeout=AT_ONCE)
        self.sessions.append(session)
        session.select(mailbox)
        return session

    def idle(self, mailbox="INBOX"):
        session = self.session(mailbox)
        session.tag = session.start("IDLE")
        check(session.response()[0].startswith(b"+"), "IDLE was not taken")
        return session

    def labels(self, message_id=None):
        return set(self.api.inboxes.messages.get(self.inbox, message_id or self.id).labels)

    def shown(self, **options):
        return [m.subject for m in self.api.inboxes.messages.list(self.inbox, **options).messages]

    def update(self, *add, remove=()):
        self.api.inboxes.messages.update(self.inbox, self.id, add_labels=list(add) or None, remove_labels=list(remove) or None)


def hears(session, *patterns):
    """The idling session is told lines with these words, in any order."""
    missing, told = list(patterns), []
    while missing:
        told.append(session.response()[0])
        missing = [pattern for pattern in missing if not all(word in told[-1] for word in pattern.split())]
    return told


def hears_all(session, *patterns):
    hears(session, *[pattern.encode() for pattern in patterns])


@story
def read_and_unread_over_the_api(both):
    session = both.idle()
    both.update(remove=["unread"])
    hears_all(session, "FETCH \\Seen")
    both.update("unread")
    line = hears(session, b"FETCH FLAGS")[-1]
    check(b"\\Seen" not in line, f"told {line}")


@story
def own_labels_over_the_api(both):
    session = both.idle()
    both.update("Follow-Up", "größe")
    line = hears(session, b"FETCH follow-up")[-1]
    check(b"=C3=B6" in line.upper() or b"gr" in line, f"told {line}")
    equal({"follow-up", "größe"} - both.labels(), set(), "labels that are missing")
    both.update(remove=["follow-up"])
    check(b"follow-up" not in hears(session, b"FETCH FLAGS")[-1], "the label is still there")


@story
def spam_over_the_api_and_back(both):
    inbox, spam = both.idle(), both.idle("Spam")
    both.update("spam")
    hears_all(inbox, "1 EXPUNGE")
    hears_all(spam, "1 EXISTS")
    both.update(remove=["spam"])
    hears_all(spam, "1 EXPUNGE")
    hears_all(inbox, "1 EXISTS")


@story
def trash_over_the_api_and_back(both):
    inbox, trash = both.idle(), both.idle("Trash")
    both.update("trash")
    hears_all(inbox, "1 EXPUNGE")
    hears_all(trash, "1 EXISTS")
    both.update(remove=["trash"])
    hears_all(trash, "1 EXPUNGE")
    hears_all(inbox, "1 EXISTS")


@story
def many_at_once_over_the_api(both):
    ids = [both.id, both.case.receive(both.inbox, "The second")]
    session = both.idle()
    both.api.inboxes.messages.batch_update(both.inbox, message_ids=ids, add_labels=["done"], remove_labels=["unread"])
    hears_all(session, "1 FETCH \\Seen done", "2 FETCH \\Seen done")


@story
def deleted_over_the_api(both):
    session = both.idle()
    both.api.inboxes.messages.delete(both.inbox, both.id)
    hears_all(session, "1 EXPUNGE")


@story
def a_thread_over_the_api(both):
    thread = both.case.thread_of(both.inbox, both.id)
    session = both.idle()
    both.api.inboxes.threads.update(both.inbox, thread, add_labels=["vip"])
    hears_all(session, "FETCH vip")
    both.api.inboxes.threads.delete(both.inbox, thread)
    hears_all(session, "1 EXPUNGE")


@story
def sent_and_answered_over_the_api(both):
    sent, inbox = both.idle("Sent"), both.idle()
    message = both.api.inboxes.messages.send(both.inbox, to=both.inbox, subject="To myself", text="x")
    hears_all(sent, "1 EXISTS")
    hears_all(inbox, "2 EXISTS")
    both.api.inboxes.messages.reply(both.inbox, message.message_id, to=both.inbox, text="y")
    hears_all(sent, "2 EXISTS")
    both.api.inboxes.messages.forward(both.inbox, both.id, to=both.inbox, text="z")
    hears_all(sent, "3 EXISTS")


@story
def drafts_over_the_api(both):
    drafts, sent = both.idle("Drafts"), both.idle("Sent")
    draft = both.api.inboxes.drafts.create(both.inbox, to=[both.inbox], subject="One", text="x")
    hears_all(drafts, "1 EXISTS")
    both.api.inboxes.drafts.update(both.inbox, draft.draft_id, subject="Two")
    hears_all(drafts, "EXPUNGE", "EXISTS")
    both.api.inboxes.drafts.send(both.inbox, draft.draft_id)
    hears_all(drafts, "1 EXPUNGE")
    hears_all(sent, "1 EXISTS")
    other = both.api.inboxes.drafts.create(both.inbox, subject="Three")
    hears_all(drafts, "1 EXISTS")
    both.api.inboxes.drafts.delete(both.inbox, other.draft_id)
    hears_all(drafts, "1 EXPUNGE")


@story
def flags_over_imap(both):
    session = both.session()
    session.command("STORE 1 +FLAGS (\\Seen follow-up)")
    labels = both.labels()
    check("unread" not in labels and "follow-up" in labels, f"labels are {labels}")
    session.command("STORE 1 -FLAGS (\\Seen follow-up)")
    labels = both.labels()
    check("unread" in labels and "follow-up" not in labels, f"labels are {labels}")
    check("unread" not in session.refused("STORE 1 +FLAGS (sent)").lower(), "a system label over IMAP")


@story
def reading_over_imap(both):
    both.session().command("FETCH 1 BODY[]")
    check("unread" not in both.labels(), "reading over IMAP leaves it unread")


@story
def moved_over_imap(both):
    session = both.session()
    for mailbox, label in (("Spam", "spam"), ("Trash", "trash")):
        session.command(f"MOVE 1 {mailbox}")
        check(label in both.labels() and both.shown() == [], f"after MOVE to {mailbox}: {both.labels()}, {both.shown()}")
        there = both.session(mailbox)
        there.command("MOVE 1 INBOX")
        session.command("NOOP")
        check(label not in both.labels() and both.shown() == ["Seen from both sides"], f"after MOVE back: {both.labels()}, {both.shown()}")
    session.command("MOVE 1 Archive")
    equal(both.shown(), ["Seen from both sides"], "after MOVE to Archive")


@story
def copied_over_imap(both):
    session = both.session()
    session.command("COPY 1 Archive")
    equal(both.shown(), ["Seen from both sides"], "a copy is the same message")
    both.update(remove=["unread"])
    for mailbox in ("INBOX", "Archive"):
        untagged, _ = both.session(mailbox).command("FETCH 1 FLAGS")
        check(any(b"\\Seen" in r[0] for r in untagged), f"in {mailbox} it is unread: {untagged}")


@story
def expunged_over_imap(both):
    session = both.session()
    session.command("STORE 1 +FLAGS (\\Deleted)")
    session.command("EXPUNGE")
    equal(both.shown(include_trash=True, include_spam=True), [], "after EXPUNGE")


@story
def appended_over_imap(both):
    session = both.session()
    for mailbox in ("INBOX", "Sent", "Drafts"):
        session.append(mailbox, corpus.octets(corpus.plain(both.inbox, f"Appended to {mailbox}")), "\\Seen")
        if mailbox == "Drafts":
            equal([d.subject for d in both.api.inboxes.drafts.list(both.inbox).drafts], ["Appended to Drafts"], "drafts")
        else:
            check(f"Appended to {mailbox}" in both.shown(), f"after APPEND to {mailbox}: {both.shown()}")


@story
def a_draft_over_imap(both):
    session = both.session("Drafts")
    message = corpus.plain("x@client.example.net", "Draft one")
    session.append("Drafts", corpus.octets(message), "\\Draft")
    draft = both.api.inboxes.drafts.list(both.inbox).drafts[0]
    message.replace_header("Subject", "Draft two")
    session.append("Drafts", corpus.octets(message), "\\Draft")
    session.command("STORE 1 +FLAGS (\\Deleted)")
    session.command("EXPUNGE")
    equal([(d.draft_id, d.subject) for d in both.api.inboxes.drafts.list(both.inbox).drafts], [(draft.draft_id, "Draft two")], "saved again")
    session.command("STORE 1:* +FLAGS (\\Deleted)")
    session.command("EXPUNGE")
    equal(both.api.inboxes.drafts.list(both.inbox).count, 0, "drafts")


@story
def sent_over_smtp(both):
    subject, idle = unique("Submitted "), both.idle("Sent")
    answer = corpus.plain(both.inbox, subject)
    answer.replace_header("From", both.inbox)
    answer["In-Reply-To"] = both.id
    sender = Inbox(both.inbox, both.inbox, both.case.key, both.case.key)
    submit.submit(both.server, sender, [both.inbox], corpus.octets(answer))
    hears_all(idle, "1 EXISTS")
    found = both.api.inboxes.messages.list(both.inbox, subject=[subject], labels=["sent"]).messages
    equal([m.in_reply_to for m in found], [both.id], "over the API")
    equal(both.case.thread_of(both.inbox, found[0].message_id), both.case.thread_of(both.inbox, both.id), "the thread")


@story
def received_over_smtp(both):
    session = both.idle()
    message_id = both.case.receive(both.inbox, "One more")
    equal(both.shown()[0], "One more", "over the API, when SMTP has said 250")
    hears_all(session, "2 EXISTS")
    check("unread" in both.labels(message_id), "it is not unread")


@story
def mailboxes_over_imap(both):
    session = both.session()
    session.command("CREATE Projects")
    session.command("MOVE 1 Projects")
    equal(both.shown(), ["Seen from both sides"], "in a mailbox of one's own")
    session.command("RENAME Projects Old")
    equal(both.shown(), ["Seen from both sides"], "after RENAME")
    session.command("DELETE Old")
    equal(both.shown(include_trash=True), [], "after DELETE")


@story
def the_inbox_is_deleted(both):
    session = both.idle()
    both.api.inboxes.delete(both.inbox)
    hears_all(session, "BYE")


def run():
    failed = []
    with Server() as server:
        for one in _stories:
            both = Both(server)
            try:
                one(both)
                say(f"ok   {one.__name__}")
            except Exception as error:  # noqa: BLE001 - one story must not hide the others
                failed.append(one.__name__)
                say(f"FAIL {one.__name__}: {coverage.reason(error)}")
            finally:
                both.close()
    check(not failed, f"{len(failed)} of {len(_stories)} fail: {', '.join(failed)}")
    say(f"{len(_stories)} stories")


if __name__ == "__main__":
    scenario.main(run, 240)
