"""All that a server shows of its mail, as plain data: for comparing a data folder with what it was earlier.

What is told: every mailbox with UIDVALIDITY, UIDNEXT, and of each UID the flags, the size, the internal date and the SHA-256 of its octets, over IMAP;
every message over the API with what it says of it and the SHA-256 of what it hands out; which mailboxes are subscribed.
"""

import hashlib
import re

import api
from imap import Imap
from scenario import check, equal

# What the API says of a message and no later version may say otherwise.
FIELDS = ("threadId", "direction", "fromAddress", "toAddresses", "subject", "plainBody", "isRead", "isStarred", "isArchived", "isSpam",
          "messageIdHeader", "inReplyTo", "receivedAt", "sizeBytes")


def sha256(octets):
    return hashlib.sha256(octets).hexdigest()


def inbox(server, who):
    """Everything of one inbox; `who` has `id`, `address`, `password` and `api_key`."""
    with Imap(server, who.address, who.password, timeout=120) as session:
        names = listed(session, "LIST")
        mailboxes = {name: mailbox(session, name) for name in names}
        subscribed = listed(session, "LSUB")
    return {"mailboxes": mailboxes, "subscribed": subscribed, "messages": messages(server, who)}


def listed(session, verb):
    untagged, _ = session.command(f'{verb} "" "*"')
    found = [re.search(r' "?([^"]+)"?$', response[0].decode()) for response in untagged if response[0].startswith(f"* {verb} ".encode())]
    return sorted(name[1] for name in found)


def mailbox(session, name):
    status = session.select(name)
    untagged = session.command("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")[0] if status["exists"] else []
    found = {}
    for response in untagged:
        head = b" ".join(response[::2])
        if len(response) > 1 and (uid := re.search(rb"\bUID (\d+)", head)):
            flags = re.search(rb"FLAGS \(([^)]*)\)", head)[1].decode().split()
            found[uid[1].decode()] = {
                "flags": sorted(flag for flag in flags if flag.lower() != "\\recent"),
                "date": re.search(rb'INTERNALDATE "([^"]+)"', head)[1].decode(),
                "octets": int(re.search(rb"RFC822.SIZE (\d+)", head)[1]),
                "sha256": sha256(response[1]),
            }
            equal(found[uid[1].decode()]["octets"], len(response[1]), "RFC822.SIZE")
    equal(len(found), status["exists"], f"messages fetched from {name}")
    return {"uidvalidity": status["uidvalidity"], "uidnext": status["uidnext"], "messages": found}


def messages(server, who):
    found, offset = {}, 0
    while True:
        status, page = api.request(server, "GET", f"/v1/inboxes/{who.id}/messages?limit=100&offset={offset}", key=who.api_key)
        equal(status, 200, f"listing messages of {who.address} ({page})")
        for one in page["messages"]:
            status, shown = api.request(server, "GET", f"/v1/inboxes/{who.id}/messages/{one['id']}", key=who.api_key)
            equal(status, 200, f"message {one['id']}")
            content = api.raw(server, f"/postroom/v1/inboxes/{who.id}/messages/{one['id']}/raw", who.api_key)
            shown["plainBody"] = sha256(shown["plainBody"].encode()) if shown["plainBody"] else None
            found[one["id"]] = {"sha256": sha256(content), **{field: shown[field] for field in FIELDS},
                                "attachments": [[each["filename"], each["contentType"], each["sizeBytes"]] for each in shown["attachments"]]}
        offset += len(page["messages"])
        if not page["messages"] or len(page["messages"]) < 100:
            return found


def compare(got, expected, what, may_grow=False):
    """The same as then; with `may_grow`, new messages above what was there are no fault (notices that came since)."""
    equal(got["subscribed"], expected["subscribed"], f"{what}: subscriptions")
    equal(sorted(got["mailboxes"]), sorted(expected["mailboxes"]), f"{what}: mailboxes")
    for name, then in expected["mailboxes"].items():
        now = got["mailboxes"][name]
        equal(now["uidvalidity"], then["uidvalidity"], f"{what}: UIDVALIDITY of {name}")
        check(now["uidnext"] >= then["uidnext"] if may_grow else now["uidnext"] == then["uidnext"],
              f"{what}: UIDNEXT of {name} was {then['uidnext']}, is {now['uidnext']}")
        same(now["messages"], then["messages"], f"{what}: UID of {name}", lambda uid: may_grow and int(uid) >= then["uidnext"])
    # How a text is shown may change from release to release; what it is shown of may not, and its hash is compared.
    content = lambda messages: {name: {field: value for field, value in one.items() if field != "plainBody"} for name, one in messages.items()}
    same(content(got["messages"]), content(expected["messages"]), f"{what}: message", lambda _: may_grow)


def same(now, then, what, may_be_new):
    for name, one in then.items():
        check(name in now, f"{what} {name} is gone")
        equal(now[name], one, f"{what} {name}")
    for name in now.keys() - then.keys():
        check(may_be_new(name), f"{what} {name} was not there: {now[name]}")
