"""An inbox that holds the sample messages, and what must be found in it afterwards."""

import api
import corpus
import smtp
from imap import Imap
from scenario import check, equal


def filled_inbox(server, name):
    """(inbox, [content as sent]): a new inbox with the samples, delivered in order."""
    inbox = api.create_inbox(server, name)
    contents = [content for _, content in corpus.samples(inbox.address)]
    for content in contents:
        smtp.deliver(server, [inbox.address], content, parameters=" BODY=8BITMIME")
    return inbox, contents


def same_as_sent(stored, sent, what):
    """The stored message is trace fields, then exactly what was sent."""
    trace = corpus.without_trace(stored, sent)
    check(trace is not None, f"{what} is not byte-exact")
    check(trace.startswith(b"Return-Path:") and b"\r\nReceived: " in trace, f"{what}: trace fields are {trace!r}")


def stored_contents(server, inbox, mailbox="INBOX"):
    """Every message of a mailbox, in UID order, read with BODY.PEEK[]."""
    with Imap(server, inbox.address, inbox.password) as session:
        exists = session.select(mailbox)["exists"]
        found = session.fetch("1:*", "BODY.PEEK[]") if exists else {}
        equal(len(found), exists, f"messages fetched from {mailbox}")
        return [content for _, content in sorted((uid, content) for uid, (_, content) in found.items())]
