"""Clients of one inbox, each doing random things in its own dialect. What another client made impossible is no fault; all else is."""

import collections
import os
import random
import re
import smtplib
import time
import urllib.parse

import api
import scenario
import submit
from imap import Imap, Refused
from scenario import check, equal
from smtp import Smtp

FOLDERS = ("INBOX", "Archive", "Spam", "Trash", "Sent", "Drafts")
FLAGS = ("\\Seen", "\\Flagged", "\\Seen \\Flagged", "red")
SETTLED = (200, 201, 204, 404, 409)  # somebody else was faster: it is gone, or it has changed


class Agent:
    """The inbox that everybody uses, with a key for each dialect."""

    def __init__(self, server):
        self.server, tenant, am = server, server.ready["tenant_key"], server.ready["api_key"]
        ask = api.Connection(server, tenant).ask
        status, made = ask("POST", "/api/v1/identities/", {"agent_handle": "busy-" + os.urandom(5).hex(), "display_name": "Busy"})
        equal(status, 201, f"an identity ({made})")
        self.address, self.id, self.handle = made["email_address"], made["mailbox"]["id"], made["agent_handle"]
        status, told = ask("POST", f"/v1/inboxes/{self.id}/rotate-credentials", {})
        self.password, self.key = told["imapPassword"], told["apiKey"]
        status, told = api.Connection(server, am).ask("POST", f"/v0/inboxes/{self.address}/api-keys", {"name": "x"})
        equal(status, 200, f"a key ({told})")
        self.am = told["api_key"]
        self.inbox = api.Inbox(self.id, self.address, self.password, self.key)
        self.v0, self.v1, self.box = f"/v0/inboxes/{self.address}", f"/v1/inboxes/{self.id}", f"/api/v1/mail/mailboxes/{self.address}"


def unique(word):
    return f"{word} {os.urandom(6).hex()}"


class Worker:
    """A client that does one random thing after the other until it is told to stop."""

    def __init__(self, agent, key=None):
        self.agent, self.connection = agent, api.Connection(agent.server, key)
        self.counts, self.chance = collections.Counter(), random.Random(random.getrandbits(64))
        self.doings = [(name, getattr(self, name)) for name in dir(self) if name.startswith("do_")]

    def run(self, end):
        while time.monotonic() < end:
            name, doing = self.chance.choice(self.doings)
            self.counts[f"{type(self).__name__}.{name[3:]}", doing()] += 1

    def ask(self, method, path, body=None):
        """The JSON of a success, or None for what is settled otherwise; anything else is a fault."""
        status, told = self.connection.ask(method, path, body)
        check(status in SETTLED, f"{method} {path} {body}: {status} {told}")
        return (told if told is not None else {}) if status < 300 else None

    def done(self, method, path, body=None):
        return self.ask(method, path, body) is not None

    def one(self, items):
        return self.chance.choice(items) if items else None

    def recipient(self):
        return self.chance.choice([self.agent.address, "other@elsewhere.example"])


class AgentMail(Worker):
    def message(self):
        found = self.one(self.ask("GET", self.agent.v0 + "/messages?limit=20&include_spam=true&include_trash=true")["messages"])
        return found and f"{self.agent.v0}/messages/{urllib.parse.quote(found['message_id'], safe='')}"

    def update(self, **body):
        path = self.message()
        return bool(path) and self.done("PATCH", path, body)

    def do_send(self):
        return self.done("POST", self.agent.v0 + "/messages/send", {"to": [self.recipient()], "subject": unique("v0"), "text": "x"})

    def do_mark(self):
        return self.update(**{self.chance.choice(["add_labels", "remove_labels"]): ["unread"]})

    def do_label(self):
        return self.update(add_labels=[self.chance.choice(["red", "blue"])], remove_labels=["green"])

    def do_move(self):
        return self.update(**{self.chance.choice(["add_labels", "remove_labels"]): [self.chance.choice(["spam", "trash"])]})

    def do_reply(self):
        path = self.message()
        return bool(path) and self.done("POST", path + "/reply", {"text": "y", "to": [self.recipient()]})

    def do_draft(self):
        made = self.ask("POST", self.agent.v0 + "/drafts", {"to": [self.recipient()], "subject": unique("v0 draft"), "text": "x"})
        return made is not None

    def do_change_draft(self):
        draft = self.one(self.ask("GET", self.agent.v0 + "/drafts")["drafts"])
        return bool(draft) and self.done("PATCH", f"{self.agent.v0}/drafts/{draft['draft_id']}", {"subject": unique("v0 again")})

    def do_send_draft(self):
        draft = self.one(self.ask("GET", self.agent.v0 + "/drafts")["drafts"])
        return bool(draft) and bool(draft.get("to")) and self.done("POST", f"{self.agent.v0}/drafts/{draft['draft_id']}/send", {})


class MyAgentMail(Worker):
    def message(self):
        found = self.one(self.ask("GET", self.agent.v1 + "/messages?limit=20")["messages"])
        return found and f"{self.agent.v1}/messages/{found['id']}"

    def do_send(self):
        return self.done("POST", self.agent.v1 + "/send", {"to": self.recipient(), "subject": unique("v1"), "plainBody": "x"})

    def do_mark(self):
        path = self.message()
        return bool(path) and self.done("PATCH", path, {self.chance.choice(["isRead", "isStarred", "isArchived"]): self.chance.random() < 0.5})

    def do_delete(self):
        path = self.message() if self.chance.random() < 0.3 else None
        return bool(path) and self.done("DELETE", path)

    def do_reply(self):
        path = self.message()
        return bool(path) and self.done("POST", path.replace("/messages/", "/reply/"), {"plainBody": "y"})

    def do_draft(self):
        made = self.ask("POST", self.agent.v1 + "/drafts", {"to": self.recipient(), "subject": unique("v1 draft"), "plainBody": "x"})
        return made is not None and self.done(*self.chance.choice([
            ("DELETE", f"{self.agent.v1}/drafts/{made['id']}"), ("PATCH", f"{self.agent.v1}/drafts/{made['id']}", {"subject": unique("v1 again")}),
            ("POST", f"{self.agent.v1}/drafts/{made['id']}/send")]))


class Inkbox(Worker):
    def item(self, what):
        found = self.one(self.ask("GET", f"{self.agent.box}/{what}?limit=20")["items"])
        return found and (f"{self.agent.box}/{what}/{found['id']}", found)

    def do_send(self):
        return self.done("POST", self.agent.box + "/messages", {"recipients": {"to": [self.recipient()]}, "subject": unique("ink"), "body_text": "x"})

    def do_mark(self):
        found = self.item("messages")
        return bool(found) and self.done("PATCH", found[0], {self.chance.choice(["is_read", "is_starred"]): self.chance.random() < 0.5})

    def do_read(self):
        found = self.item("messages")
        return bool(found) and self.done("GET", found[0])

    def do_folder(self):
        found = self.item("threads")
        return bool(found) and self.done("PATCH", found[0], {"folder": self.chance.choice(["inbox", "archive", "spam"])})

    def do_delete(self):
        found = self.item("messages") if self.chance.random() < 0.3 else None
        return bool(found) and self.done("DELETE", found[0])

    def do_forward(self):
        found = self.item("messages")
        return bool(found) and self.done("POST", found[0] + "/forward", {"recipients": {"to": [self.recipient()]}, "mode": self.chance.choice(["inline", "wrapped"])})

    def do_draft(self):
        return self.done("POST", self.agent.box + "/drafts", {"recipients": {"to": [self.recipient()]}, "subject": unique("ink draft"), "body_text": "x"})

    def do_change_draft(self):
        found = self.item("drafts")
        return bool(found) and self.done("PATCH", found[0], {"generation": found[1]["generation"], "subject": unique("ink again")})

    def do_send_draft(self):
        found = self.item("drafts")
        return bool(found) and bool(found[1]["to_addresses"]) and self.done("POST", found[0] + "/send", {"generation": found[1]["generation"]})


class MailProgram(Worker):
    """An IMAP session that goes from mailbox to mailbox."""

    def __init__(self, agent, key=None):
        super().__init__(agent, key)
        self.session = Imap(agent.server, agent.address, agent.password)

    def some(self, *names):
        """A UID of a mailbox that is now selected."""
        name = self.chance.choice(names or FOLDERS)
        self.session.select(name)
        uids = self.session.uids()
        return (name, self.chance.choice(uids[-20:])) if uids else (name, None)

    def command(self, text):
        try:
            self.session.command(text)
        except Refused as refusal:
            check(str(refusal).startswith("NO"), f"{text}: {refusal}")
            return False
        return True

    def do_append(self):
        name = self.chance.choice(FOLDERS)
        content = f"From: {self.agent.address}\r\nTo: other@elsewhere.example\r\nMessage-ID: <{os.urandom(8).hex()}@imap.example>\r\nSubject: {unique('imap')}\r\n\r\nx\r\n"
        self.session.append(name, content.encode(), self.chance.choice(["", "\\Seen", "\\Flagged"]))
        return True

    def do_flags(self):
        uid = self.some()[1]
        return uid is not None and self.command(f"UID STORE {uid} {self.chance.choice('+-')}FLAGS ({self.chance.choice(FLAGS)})")

    def do_move(self):
        uid = self.some("INBOX", "Archive", "Spam", "Trash")[1]
        return uid is not None and self.command(f"UID MOVE {uid} {self.chance.choice(['INBOX', 'Archive', 'Spam', 'Trash'])}")

    def do_copy(self):
        uid = self.some("INBOX", "Archive")[1]
        return uid is not None and self.command(f"UID COPY {uid} {self.chance.choice(['INBOX', 'Archive'])}")

    def do_expunge(self):
        uid = self.some("Trash", "Drafts", "Spam")[1]
        return uid is not None and self.command(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)") and self.command(f"UID EXPUNGE {uid}")


class Outside(Worker):
    """Mail that comes in from other servers."""

    def do_deliver(self):
        with Smtp(self.agent.server.address("smtp_in")) as client:
            client.hello()
            content = f"From: x@client.example.net\r\nMessage-ID: <{os.urandom(8).hex()}@outside.example>\r\nSubject: {unique('outside')}\r\n\r\nx\r\n"
            reply = client.deliver([self.agent.address], content.encode())
            check(reply.code == 250, f"SMTP: {reply}")
        time.sleep(0.02)
        return True


class Submitting(Worker):
    """A mail program that sends."""

    def do_submit(self):
        content = f"From: {self.agent.address}\r\nTo: other@elsewhere.example\r\nMessage-ID: <{os.urandom(8).hex()}@laptop.example>\r\nSubject: {unique('submitted')}\r\n\r\nx\r\n"
        try:
            submit.submit(self.agent.server, self.agent.inbox, [self.recipient()], content)
        except smtplib.SMTPException as error:
            raise scenario.Failure(f"submission: {error}") from error
        return True


class Watching(Worker):
    """An idling session: it must never be told what does not add up."""

    def do_idle(self):
        with Imap(self.agent.server, self.agent.address, self.agent.password, timeout=5) as session:
            exists = session.select()["exists"]
            tag, end = session.start("IDLE"), time.monotonic() + 1
            session.socket.settimeout(0.2)
            while time.monotonic() < end:
                try:
                    line = session.response()[0]
                except TimeoutError:
                    continue
                if found := re.match(rb"\* (\d+) EXISTS", line):
                    check(int(found[1]) >= exists, f"EXISTS went from {exists} to {int(found[1])}")
                    exists = int(found[1])
                elif found := re.match(rb"\* (\d+) EXPUNGE", line):
                    check(int(found[1]) <= exists, f"EXPUNGE {int(found[1])} of {exists}")
                    exists -= 1
            session.socket.settimeout(10)
            session.send(b"DONE\r\n")
            session.finish(tag)
        return True


CLIENTS = [(AgentMail, "am", 2), (MyAgentMail, "key", 2), (Inkbox, "key", 2), (MailProgram, None, 2), (Outside, None, 1), (Submitting, None, 1), (Watching, None, 1)]
