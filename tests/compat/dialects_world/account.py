"""One account: what is changed through one dialect holds in the others, over IMAP and over SMTP, from that moment on."""

import os
import smtplib

import api
import corpus
import submit
from imap import Imap
from scenario import Failure, check, equal
from smtp import Smtp, stuffed


class Views:
    """The inbox of an agent, asked in each dialect."""

    def __init__(self, agent):
        self.agent, self.server = agent, agent.server
        self.admin = api.Connection(agent.server, agent.server.ready["tenant_key"])
        self.am = api.Connection(agent.server, agent.am)
        self.key = api.Connection(agent.server, agent.key)

    def ask(self, connection, method, path, body=None, expect=(200, 201, 204)):
        status, told = connection.ask(method, path, body)
        check(status in (expect if isinstance(expect, tuple) else (expect,)), f"{method} {path} {body}: {status} {told}")
        return told

    def sends(self, to, allowed):
        """Every way to send agrees on whether mail may go there."""
        bodies = {
            "AgentMail": (self.am, self.agent.v0 + "/messages/send", {"to": [to], "subject": "x", "text": "x"}),
            "MyAgentMail": (self.key, self.agent.v1 + "/send", {"to": to, "subject": "x", "plainBody": "x"}),
            "Inkbox": (self.key, self.agent.box + "/messages", {"recipients": {"to": [to]}, "subject": "x", "body_text": "x"}),
        }
        for name, (connection, path, body) in bodies.items():
            status, told = connection.ask("POST", path, body)
            check((status < 300) == allowed and (allowed or status == 403), f"{name} sends to {to}: {status} {told}")
        equal(self.submits(to), allowed, f"SMTP submission to {to}")

    def submits(self, to):
        try:
            submit.submit(self.server, self.agent.inbox, [to], f"From: {self.agent.address}\r\nTo: {to}\r\nSubject: x\r\n\r\nx\r\n")
        except smtplib.SMTPResponseException as refusal:
            check(500 <= refusal.smtp_code < 600, f"refused with {refusal.smtp_code}")
            return False
        except smtplib.SMTPRecipientsRefused:
            return False
        return True

    def takes(self, sender, wanted, to=None):
        """Whether mail from outside comes into INBOX."""
        to = to or self.agent.address
        message = corpus.plain(to, "From " + sender + os.urandom(4).hex())
        message.replace_header("From", sender)
        with Smtp(self.server.address("smtp_in")) as client:
            client.hello()
            client.command(f"MAIL FROM:<{sender}>", 250)
            if client.command(f"RCPT TO:<{to}>").code == 250:
                client.command("DATA", 354)
                client.send(stuffed(corpus.octets(message)) + b".\r\n")
                client.reply()
        listed = self.ask(self.admin, "GET", self.agent.box + "/threads?folder=inbox&limit=100")["items"]
        equal(message["Subject"] in [thread["subject"] for thread in listed], wanted, f"mail from {sender} comes in")


def names(views):
    """The display name, wherever it is set."""
    agent = views.agent
    ways = [(views.admin, "PATCH", f"/api/v1/identities/{agent.handle}", {"display_name": "Set by Inkbox"}, "Set by Inkbox"),
            (views.admin, "PATCH", agent.v1, {"displayName": "Set by MyAgentMail"}, "Set by MyAgentMail"),
            (views.am, "PATCH", agent.v0, {"display_name": "Set by AgentMail"}, "Set by AgentMail")]
    for *request, name in ways:
        views.ask(*request)
        shown = (views.ask(views.am, "GET", agent.v0)["display_name"], views.ask(views.key, "GET", agent.v1)["displayName"],
                 views.ask(views.admin, "GET", f"/api/v1/identities/{agent.handle}")["display_name"])
        equal(shown, (name,) * 3, "the display name")
        sent = views.ask(views.key, "POST", agent.box + "/messages", {"recipients": {"to": ["other@elsewhere.example"]}, "subject": "Named", "body_text": "x"})
        equal(sent["from_display_name"], name, "the name in From")


def blocks(views):
    """Block lists of one dialect and contact rules of another are both obeyed, and neither undoes the other."""
    agent, bad = views.agent, "foe@bad.example"
    views.sends(bad, True)
    views.takes(bad, True)
    rules = f"/api/v1/identities/{agent.handle}/mail-contact-rules"
    rule = views.ask(views.admin, "POST", rules, {"action": "block", "match_type": "domain", "match_target": "bad.example"})["id"]
    views.sends(bad, False)
    views.takes(bad, False)
    views.ask(views.admin, "PATCH", f"{rules}/{rule}", {"action": "allow"})
    views.sends(bad, True)
    views.takes(bad, True)
    for direction in ("send", "receive"):
        views.ask(api.Connection(views.server, views.server.ready["api_key"]), "POST", f"{agent.v0}/lists/{direction}/block", {"entry": bad})
    views.sends(bad, False)
    views.takes(bad, False)
    views.sends("friend@good.example", True)
    views.takes("friend@good.example", True)
    for direction in ("send", "receive"):
        views.ask(api.Connection(views.server, views.server.ready["api_key"]), "DELETE", f"{agent.v0}/lists/{direction}/block/{bad}")
    views.ask(views.admin, "DELETE", f"{rules}/{rule}")
    views.ask(views.admin, "PATCH", f"/api/v1/identities/{agent.handle}", {"mail_filter_mode": "whitelist"})
    views.sends(bad, False)
    views.takes(bad, False)
    views.ask(views.admin, "PATCH", f"/api/v1/identities/{agent.handle}", {"mail_filter_mode": "blacklist"})
    views.sends(bad, True)


def pause(views):
    """A paused agent sends nothing in any way, and gets its mail."""
    path = f"/api/v1/identities/{views.agent.handle}"
    views.ask(views.admin, "PATCH", path, {"status": "paused"})
    views.sends("other@elsewhere.example", False)
    views.takes("friend@good.example", True)
    views.ask(views.admin, "PATCH", path, {"status": "active"})
    views.sends("other@elsewhere.example", True)


def aliases(views):
    """An alias made in one dialect is an address of the inbox for all."""
    agent, alias = views.agent, f"alias-{os.urandom(4).hex()}@{views.server.ready['domain']}"
    views.ask(views.admin, "POST", agent.v1 + "/addresses", {"email": alias, "primary": False})
    views.takes("friend@good.example", True, alias)
    for path, body in (("/api/v1/identities/", {"agent_handle": alias.split("@")[0]}), ("/v1/inboxes?strict=true", {"username": alias.split("@")[0]})):
        status, told = views.admin.ask("POST", path, body)
        check(status == 409 or path.startswith("/v1") and told.get("id") == agent.id, f"the alias as another's: {status} {told}")
    views.ask(views.admin, "DELETE", f"{agent.v1}/addresses/{alias}")
    with Smtp(views.server.address("smtp_in")) as client:
        client.hello()
        client.command("MAIL FROM:<x@client.example.net>", 250)
        client.command(f"RCPT TO:<{alias}>", 550)


def credentials(views):
    """One rule for who may log in: the password, and keys of this inbox alone."""
    agent, server = views.agent, views.server
    for secret, allowed in ((agent.password, True), (agent.key, True), (agent.am, True), (server.ready["tenant_key"], False), (server.ready["operator_key"], False),
                            (server.ready["inbox"]["password"], False)):
        try:
            with Imap(server, agent.address, secret) as session:
                session.select()
            got = True
        except Failure:
            got = False
        equal(got, allowed, f"login with {secret[:3]}…")


def one_account(agent):
    views = Views(agent)
    for story in (names, blocks, pause, aliases, credentials):
        story(views)
