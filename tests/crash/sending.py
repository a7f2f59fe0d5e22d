#!/usr/bin/env python3
"""kill -9 while 8 clients submit and the server delivers to a remote that counts; some replies to the final dot are lost.

After the last kill and a flush of the queue: a message that got 250 was taken by the remote, exactly once, or more often
only if an attempt of it says `uncertain`; one whose 250 was lost, at most so; one whose final dot was never sent, never.
Every message that got 250 is in Sent exactly once and has reached an end; local recipients have it exactly once.
"""

import os
import random
import smtplib
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from nameserver import NameServer
from fixture import stored_contents
from remote import CLOSE, Remote
from scenario import check, equal, options, record, say, wait_until
from server import Server
from submit import FINAL, session

CLIENTS = 8
CUT_OFF = (ConnectionError, socket.timeout, OSError, smtplib.SMTPException)
RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")


class Sending:
    """What was submitted, and what was promised."""

    def __init__(self, server, inboxes, friend, seed):
        self.server, self.inboxes, self.friend = server, inboxes, friend
        self.chance, self.lock = random.Random(seed), threading.Lock()
        self.state = {}  # Message-ID -> (inbox index, "begun", "dotted" or "promised", has a local recipient)
        self.number, self.errors = 0, []

    def begin(self):
        self.running = True
        self.workers = [threading.Thread(target=self.client, args=(n, random.Random(self.chance.getrandbits(64))), daemon=True)
                        for n in range(CLIENTS)]
        for worker in self.workers:
            worker.start()

    def end(self):
        self.running = False
        for worker in self.workers:
            worker.join(60)
            check(not worker.is_alive(), "a client did not end")
        if self.errors:
            raise self.errors[0]

    def client(self, index, chance):
        try:
            while self.running:
                self.connection(index % len(self.inboxes), chance)
        except CUT_OFF:
            pass
        except BaseException as error:  # noqa: BLE001 - carried to the main thread
            self.errors.append(error)

    def connection(self, index, chance):
        inbox = self.inboxes[index]
        with session(self.server, inbox) as smtp:
            for _ in range(chance.randrange(1, 20)):
                if not self.running:
                    return
                self.one(smtp, index, inbox, chance)

    def one(self, smtp, index, inbox, chance):
        with self.lock:
            self.number += 1
            unique = f"<m{self.number}.{self.chance.getrandbits(32):08x}@example.test>"
            local = chance.random() < 0.3
            self.state[unique] = (index, "begun", local)
        content = f"From: {inbox.address}\r\nTo: zoe@elsewhere.test\r\nSubject: x\r\nMessage-ID: {unique}\r\n\r\n{'text.~' * chance.randrange(1, 400)}".replace('~', '\r\n')
        smtp.mail(inbox.address)
        equal(smtp.rcpt("zoe@elsewhere.test")[0], 250, "RCPT")
        if local:
            equal(smtp.rcpt(self.friend.address)[0], 250, "local RCPT")
        equal(smtp.docmd("DATA")[0], 354, "DATA")
        smtp.send(content.replace("\r\n.", "\r\n..").encode())
        self.note(unique, "dotted")
        smtp.send(b".\r\n")
        code, text = smtp.getreply()
        equal(code, 250, f"final reply ({text})")
        self.note(unique, "promised")

    def note(self, unique, state):
        with self.lock:
            index, _, local = self.state[unique]
            self.state[unique] = (index, state, local)


def unsettled(server):
    """Whether a recipient is still on its way."""
    for state in ("queued", "attempting", "on-hold"):
        status, told = api.request(server, "GET", f"/postroom/v1/queue?limit=1&state={state}", key=server.ready["operator_key"])
        equal(status, 200, f"queue ({told})")
        if told["queue"]:
            return True
    return False


def settle(server):
    """Everything due now, until nothing is on its way."""

    def done():
        api.request(server, "POST", "/postroom/v1/queue/flush", {}, server.ready["operator_key"])
        return not unsettled(server)

    wait_until(done, "the queue to be empty", 600, pause=1)


def uncertain(server, inbox):
    """Message-IDs with an attempt whose outcome is not known: {Message-ID}."""
    found, offset = set(), 0
    while True:
        _, listed = api.request(server, "GET", f"/v1/inboxes/{inbox.id}/messages?limit=100&offset={offset}", key=inbox.api_key)
        for message in listed["messages"]:
            if message["direction"] == "outbound":
                _, told = api.request(server, "GET", f"/postroom/v1/inboxes/{inbox.id}/messages/{message['id']}/trace", key=inbox.api_key)
                attempts = [attempt for recipient in told["recipients"] for attempt in recipient["attempts"]]
                check(all(recipient["state"] in FINAL for recipient in told["recipients"]), f"no end: {told}")
                if any(attempt["outcome"] == "uncertain" for attempt in attempts):
                    found.add(f"<{message['messageIdHeader'].strip('<>')}>")
        offset += 100
        if len(listed["messages"]) < 100:
            return found


def verify(sending, server, remote):
    counts, doubtful, copies, local = remote.ids(), set(), {}, {}
    for inbox in sending.inboxes:
        doubtful |= uncertain(server, inbox)
        for content in stored_contents(server, inbox, "Sent"):
            unique = message_id(content)
            copies[unique] = copies.get(unique, 0) + 1
    for content in stored_contents(server, sending.friend):
        unique = message_id(content)
        local[unique] = local.get(unique, 0) + 1
    promised = 0
    for unique, (_, state, has_local) in sending.state.items():
        taken = counts.get(unique, 0)
        if state == "promised":
            promised += 1
            check(taken >= 1, f"{unique} got 250 and was never delivered")
            equal(copies.get(unique), 1, f"copies of {unique} in Sent")
            equal(local.get(unique, 0), int(has_local), f"local deliveries of {unique}")
        if state == "begun":
            equal((taken, copies.get(unique, 0)), (0, 0), f"{unique}, whose dot was never sent: taken, in Sent")
        check(taken <= 1 or unique in doubtful, f"{unique} was delivered {taken} times and no attempt is uncertain")
        check(local.get(unique, 0) <= 1 and copies.get(unique, 0) <= 1, f"{unique} is there twice")
    check(set(counts) <= set(sending.state), "the remote has messages nobody sent")
    return promised, len(doubtful), sum(1 for count in counts.values() if count > 1)


def message_id(content):
    lines = content.split(b"\r\n\r\n")[0].decode().splitlines()
    return next(line.split(": ")[1] for line in lines if line.lower().startswith("message-id:"))


def run():
    chosen = options(("--kills", 8, "how many times the server is killed"), ("--record", False, "put the result into RESULTS.md"))
    begun, chance = time.monotonic(), random.Random(chosen.seed)

    calm = threading.Event()

    def script(phase, _session):
        if calm.is_set():
            return None
        if phase in ("data", "dot") and chance.random() < 0.2:
            time.sleep(0.2)  # a kill may come now
        return CLOSE if phase == "dot" and chance.random() < 0.03 else None

    remote = Remote(("127.0.0.9", 0), script)
    names = NameServer({("elsewhere.test", "MX"): "10 mx.elsewhere.test", ("mx.elsewhere.test", "A"): "127.0.0.9"})
    with Server(log_level="warn") as server:
        inboxes, friend = [api.create_inbox(server, f"sender{n}") for n in range(4)], api.create_inbox(server, "friend")
        server.restart_as_serve(dns=names.address, limits="daily_messages = 0\nconnections_per_address = 1000", outbound_port=remote.address[1])
        sending = Sending(server, inboxes, friend, chance.getrandbits(64))
        for _ in range(chosen.kills):
            sending.begin()
            time.sleep(chance.uniform(0.3, 2.0))
            server.kill()
            sending.end()
            server.fsck()
            server.relaunch()
        calm.set()
        settle(server)
        promised, doubtful, twice = verify(sending, server, remote)
        done = f"{promised:,} messages that got 250, {doubtful} with an uncertain attempt, {twice} of them taken twice"
        say(f"{chosen.kills} kills, {time.monotonic() - begun:.0f} s: {done}")
        server.stop()
        server.fsck()
        if chosen.record:
            record(RESULTS, f"sending, {chosen.kills:,} kills", f"seed {chosen.seed}: {done}; nothing lost, nothing else twice")


if __name__ == "__main__":
    scenario.main(run, 6 * 3600)
