"""Mail traffic that may be cut off at any moment, and a ledger of what was promised before it was.

Twelve senders deliver to four inboxes (one command at a time, pipelined, or with smtplib); four IMAP sessions, two for
each of the first two inboxes, append, set flags, copy, move and expunge. A session changes only messages whose UID
has its parity, so what it was told is what must be there. `verify` compares a restarted server with the ledger:

- a message that got 250 (or OK) is there exactly once, with every octet; one whose reply was lost, at most once; one
  whose final dot was never sent, never;
- UIDVALIDITY stays; a UID once seen keeps its message; new UIDs lie above all old ones;
- flags, copies, moves and expunges that got OK hold; those whose reply was lost happened wholly or not at all.
"""

import random
import re
import smtplib
import socket
import threading
import time
from collections import Counter

import api
import corpus
from imap import Imap, fetched
from scenario import check, equal
from smtp import Smtp, stuffed

SENDERS, MAILBOXES = 12, ("INBOX", "Copies", "Moved", "Appended")
FLAGS = ("\\flagged", "\\answered", "\\seen", "$later")
CUT_OFF = (ConnectionError, socket.timeout, OSError, smtplib.SMTPServerDisconnected)


class Box:
    """One inbox and what the ledger knows of it. `lock` guards everything here."""

    def __init__(self, inbox):
        self.inbox = inbox
        self.lock = threading.Lock()
        self.delivered = {}  # unique -> "sent" (dot sent, no reply yet) or "kept" (250)
        self.appended = {}  # unique -> "sent" or "kept"
        self.seen = {name: {} for name in MAILBOXES}  # mailbox -> {uid: unique}, as verified or told
        self.flags = {name: {} for name in MAILBOXES}  # mailbox -> {uid: set of flags, or None when in doubt}
        self.gone, self.doubtful = {}, {}  # INBOX uid -> "moved" or "expunged", told OK / in doubt
        self.copies, self.copies_in_doubt = Counter(), Counter()  # unique -> number
        self.validity, self.top = {}, {name: 0 for name in MAILBOXES}


class Workload:
    def __init__(self, server, seed):
        self.server, self.chance = server, random.Random(seed)
        self.prefix, self.round = f"{self.chance.getrandbits(32):08x}", 0
        self.boxes = [Box(api.create_inbox(server, f"crash{n}")) for n in range(4)]
        for box in self.boxes:
            with Imap(server, box.inbox.address, box.inbox.password) as session:
                for name in MAILBOXES[1:]:
                    session.command(f"CREATE {name}")
                for name in MAILBOXES:
                    box.validity[name] = session.select(name)["uidvalidity"]
        self.errors, self.counts = [], Counter()

    def begin(self):
        """Starts all senders and sessions; they run until `end`, or until the server is gone."""
        self.round += 1
        self.running = threading.Event()
        self.running.set()
        seeds = [self.chance.getrandbits(64) for _ in range(SENDERS + 4)]
        jobs = [lambda n=n: self.sender(n, random.Random(seeds[n])) for n in range(SENDERS)]
        jobs += [lambda n=n: self.session(self.boxes[n // 2], n % 2, random.Random(seeds[SENDERS + n])) for n in range(4)]
        self.workers = [threading.Thread(target=self.guarded, args=(job,), daemon=True) for job in jobs]
        for worker in self.workers:
            worker.start()

    def guarded(self, job):
        try:
            job()
        except CUT_OFF:
            pass
        except BaseException as error:  # noqa: BLE001 - carried to the main thread
            self.errors.append(error)

    def end(self, seconds=60):
        """Waits for the workers; passes on what they found wrong."""
        self.running.clear()
        limit = time.monotonic() + seconds
        for worker in self.workers:
            worker.join(max(0, limit - time.monotonic()))
            check(not worker.is_alive(), "a worker did not end: no reply and no end of the connection")
        if self.errors:
            raise self.errors[0]

    # Senders

    def sender(self, number, chance):
        way = (self.by_command, self.pipelined, self.with_smtplib)[number % 3]
        count = 0
        while self.running.is_set():
            for _ in way(number, chance):
                count += 1
                if not self.running.is_set():
                    return

    def next_message(self, number, chance):
        """A new message for one to three inboxes."""
        with self.boxes[0].lock:
            self.counts["made"] += 1
            unique = f"{self.prefix}-{self.round}-{number}-{self.counts['made']}"
        boxes = chance.sample(self.boxes, chance.choice((1, 1, 2, 3)))
        return unique, boxes, corpus.unique_message(unique, chance.choice((300, 2000, 2000, 20000)))

    def note(self, boxes, unique, state):
        for box in boxes:
            with box.lock:
                box.delivered[unique] = state
        self.counts[state] += 1

    def final(self, reply_code, text, boxes, unique):
        check(reply_code == 250 or 400 <= reply_code < 500, f"the reply to a message was {reply_code} {text}")
        if reply_code == 250:
            self.note(boxes, unique, "kept")
        else:
            for box in boxes:
                with box.lock:
                    del box.delivered[unique]  # refused for now: it must not be there
            time.sleep(0.02)

    def by_command(self, number, chance):
        with Smtp(self.server.address("smtp_in")) as client:
            client.hello()
            while True:
                unique, boxes, content = self.next_message(number, chance)
                client.envelope([box.inbox.address for box in boxes])
                data = stuffed(content)
                cut = chance.randrange(len(data))
                client.send(data[:cut])
                self.note(boxes, unique, "sent")
                client.send(data[cut:] + b".\r\n")
                reply = client.reply()
                self.final(reply.code, reply.text, boxes, unique)
                yield

    def pipelined(self, number, chance):
        with Smtp(self.server.address("smtp_in")) as client:
            client.hello()
            while True:
                unique, boxes, content = self.next_message(number, chance)
                lines = ["MAIL FROM:<s@client.example.net>"] + [f"RCPT TO:<{box.inbox.address}>" for box in boxes] + ["DATA"]
                client.send("".join(line + "\r\n" for line in lines).encode())
                for _ in lines[:-1]:
                    client.expect(250)
                client.expect(354)
                self.note(boxes, unique, "sent")
                client.send(stuffed(content) + b".\r\n")
                reply = client.reply()
                self.final(reply.code, reply.text, boxes, unique)
                yield

    def with_smtplib(self, number, chance):
        host, port = self.server.address("smtp_in")
        with smtplib.SMTP(host, port, "client.example.net", timeout=30) as client:
            for _ in range(chance.randint(1, 10)):
                unique, boxes, content = self.next_message(number, chance)
                self.note(boxes, unique, "sent")
                try:
                    refused = client.sendmail("s@client.example.net", [box.inbox.address for box in boxes], content)
                    equal(refused, {}, "refused recipients")
                    self.final(250, "", boxes, unique)
                except smtplib.SMTPResponseException as refusal:
                    check(refusal.smtp_code != -1, "no reply code")
                    self.final(refusal.smtp_code, refusal.smtp_error, boxes, unique)
                yield

    # IMAP sessions

    def session(self, box, parity, chance):
        with Imap(self.server, box.inbox.address, box.inbox.password) as session:
            session.select()
            while self.running.is_set():
                mine = [uid for uid in self.look(box, session) if uid % 2 == parity]
                for _ in range(8):
                    if not self.running.is_set():
                        return
                    act = chance.choice((self.set_flags, self.set_flags, self.copy, self.move, self.expunge, self.append))
                    if act == self.append:
                        act(box, session, chance)
                    elif mine:
                        uid = chance.choice(mine)
                        act(box, session, uid, chance)
                        if uid in box.gone:
                            mine.remove(uid)
                    else:
                        time.sleep(0.02)

    def look(self, box, session):
        """Present UIDs of INBOX; what is new is entered as seen."""
        present = session.uids()
        unknown = [uid for uid in present if uid not in box.seen["INBOX"]]
        if unknown:
            untagged, _ = session.command(f"UID FETCH {','.join(map(str, unknown))} (UID FLAGS BODY.PEEK[])")
            for response in untagged:
                if len(response) > 1:
                    uid, (_, content) = fetched(response)
                    unique = corpus.unique_of(content)
                    check(unique, f"UID {uid} of INBOX is damaged")
                    with box.lock:
                        equal(box.seen["INBOX"].setdefault(uid, unique), unique, f"message with UID {uid}")
                        box.flags["INBOX"].setdefault(uid, set())
        return [uid for uid in present if uid in box.seen["INBOX"] and uid not in box.gone]

    def set_flags(self, box, session, uid, chance):
        sign, flag = chance.choice("+-"), chance.choice(FLAGS)
        before, box.flags["INBOX"][uid] = box.flags["INBOX"][uid], None
        session.command(f"UID STORE {uid} {sign}FLAGS.SILENT ({flag})")
        if before is not None:
            box.flags["INBOX"][uid] = before | {flag} if sign == "+" else before - {flag}
        self.counts["flag changes"] += 1

    def copy(self, box, session, uid, chance):
        unique = box.seen["INBOX"][uid]
        with box.lock:
            box.copies_in_doubt[unique] += 1
        _, text = session.command(f"UID COPY {uid} Copies")
        target = destination(text, box.validity["Copies"])
        with box.lock:
            box.copies_in_doubt[unique] -= 1
            box.copies[unique] += 1
            equal(box.seen["Copies"].setdefault(target, unique), unique, f"message with UID {target} in Copies")
            box.flags["Copies"][target] = known(box.flags["INBOX"][uid])
        self.counts["copies"] += 1

    def move(self, box, session, uid, chance):
        box.doubtful[uid] = "moved"
        untagged, text = session.command(f"UID MOVE {uid} Moved")
        told = b"\n".join(response[0] for response in untagged) + b"\n" + text
        target = destination(told, box.validity["Moved"])
        with box.lock:
            box.gone[uid] = box.doubtful.pop(uid)
            equal(box.seen["Moved"].setdefault(target, box.seen["INBOX"][uid]), box.seen["INBOX"][uid], f"UID {target} in Moved")
            box.flags["Moved"][target] = known(box.flags["INBOX"][uid])
        self.counts["moves"] += 1

    def expunge(self, box, session, uid, chance):
        before, box.flags["INBOX"][uid] = box.flags["INBOX"][uid], None
        session.command(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        if before is not None:
            box.flags["INBOX"][uid] = before | {"\\deleted"}
        box.doubtful[uid] = "expunged"
        session.command(f"UID EXPUNGE {uid}")
        box.gone[uid] = box.doubtful.pop(uid)
        self.counts["expunges"] += 1

    def append(self, box, session, chance):
        unique, _, content = self.next_message("append", chance)
        with box.lock:
            box.appended[unique] = "sent"
        text = session.append("Appended", content, "\\Seen")
        found = re.search(rb"\[APPENDUID (\d+) (\d+)\]", text)
        check(found and int(found[1]) == box.validity["Appended"], f"APPENDUID in {text!r}")
        with box.lock:
            box.appended[unique] = "kept"
            equal(box.seen["Appended"].setdefault(int(found[2]), unique), unique, f"UID {int(found[2])} in Appended")
            box.flags["Appended"][int(found[2])] = {"\\seen"}
        self.counts["appends"] += 1

    # After a restart

    def verify(self):
        for box in self.boxes:
            with Imap(self.server, box.inbox.address, box.inbox.password, timeout=60) as session:
                found = {name: self.mailbox(box, session, name) for name in MAILBOXES}
            self.compare(box, found)

    def mailbox(self, box, session, name):
        """{uid: (unique, flags)} after checking what holds for UIDs."""
        status = session.select(name)
        equal(status["uidvalidity"], box.validity[name], f"UIDVALIDITY of {name}")
        items = session.fetch("1:*", "BODY.PEEK[]") if status["exists"] else {}
        equal(len(items), status["exists"], f"messages fetched from {name}")
        equal(list(items), sorted(items), f"order of UIDs in {name}")
        found = {}
        for uid, (flags, content) in items.items():
            unique = corpus.unique_of(content)
            check(unique, f"UID {uid} of {name} is damaged")
            if uid in box.seen[name]:
                equal(unique, box.seen[name][uid], f"message with UID {uid} in {name}")
            else:
                check(uid > box.top[name], f"new UID {uid} in {name} although {box.top[name]} was given before")
            found[uid] = (unique, set(flags) - {"\\recent"})
        top = max([box.top[name], *found, *box.seen[name]])
        check(status["uidnext"] > top, f"UIDNEXT {status['uidnext']} of {name}, but UID {top} was given")
        box.top[name] = status["uidnext"] - 1
        return found

    def compare(self, box, found):
        who = box.inbox.address
        inbox, moved, appended, copies = (Counter(unique for unique, _ in found[name].values())
                                          for name in ("INBOX", "Moved", "Appended", "Copies"))
        out = {box.seen["INBOX"][uid]: what for uid, what in box.gone.items()}
        maybe = {box.seen["INBOX"][uid]: what for uid, what in box.doubtful.items()}
        for unique in inbox.keys() | moved.keys() | box.delivered.keys():
            here = (inbox[unique], moved[unique])
            legal = {(1, 0)} if box.delivered.get(unique) == "kept" else {(0, 0), (1, 0)} if unique in box.delivered else {(0, 0)}
            if unique in out:
                legal = {(0, 1)} if out[unique] == "moved" else {(0, 0)}
            elif unique in maybe:
                legal = {(1, 0), (0, 1)} if maybe[unique] == "moved" else {(1, 0), (0, 0)}
            check(here in legal, f"{who}: {unique} ({box.delivered.get(unique, 'never sent')}, {out.get(unique)}, {maybe.get(unique)})"
                                 f" is (INBOX, Moved) = {here} times, legal are {legal}")
        for unique in appended.keys() | box.appended.keys():
            legal = {"kept": {1}, "sent": {0, 1}}.get(box.appended.get(unique), {0})
            check(appended[unique] in legal, f"{who}: {unique} is {appended[unique]} times in Appended, legal are {legal}")
        for unique in copies.keys() | box.copies.keys():
            least, more = box.copies[unique], box.copies_in_doubt[unique]
            check(least <= copies[unique] <= least + more, f"{who}: {copies[unique]} copies of {unique}, expected {least} to {least + more}")
        for name in MAILBOXES:
            for uid, flags in box.flags[name].items():
                if uid in found[name] and flags is not None:
                    equal(found[name][uid][1], flags, f"{who}: flags of UID {uid} in {name}")
            for uid in box.seen[name]:
                lost = uid not in found[name] and not (name == "INBOX" and (uid in box.gone or uid in box.doubtful))
                check(not lost, f"{who}: UID {uid} of {name} was seen and is gone")
        self.settle(box, found, inbox, moved, appended, copies)

    def settle(self, box, found, inbox, moved, appended, copies):
        """What was in doubt is now known: it must stay as it is."""
        for uid, what in box.doubtful.items():
            if uid not in found["INBOX"]:
                box.gone[uid] = what
        box.doubtful.clear()
        settled = {box.seen["INBOX"][uid] for uid in box.gone}
        for unique, state in list(box.delivered.items()):
            if inbox[unique] or moved[unique] or unique in settled:
                box.delivered[unique] = "kept"
            elif state == "sent":
                del box.delivered[unique]
        box.appended = {unique: "kept" for unique in appended}
        box.copies, box.copies_in_doubt = copies, Counter()
        for name, items in found.items():
            box.seen[name].update({uid: unique for uid, (unique, _) in items.items()})
            box.flags[name] = {uid: flags for uid, (_, flags) in items.items()}


def known(flags):
    return None if flags is None else set(flags)


def destination(text, validity):
    """The one UID in a COPYUID response code."""
    found = re.search(rb"\[COPYUID (\d+) \d+ (\d+)\]", text)
    check(found and int(found[1]) == validity, f"COPYUID in {text!r}")
    return int(found[2])
