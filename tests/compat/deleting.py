#!/usr/bin/env python3
"""An inbox is deleted, through each dialect and with its organization: what it had ends at once and never comes into other hands."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
import smtplib  # noqa: E402
import time  # noqa: E402

import api  # noqa: E402
import coverage  # noqa: E402
import scenario  # noqa: E402
import submit  # noqa: E402
from imap import Imap, Refused  # noqa: E402
from scenario import Failure, check, equal, say  # noqa: E402
from server import Server  # noqa: E402
from smtp import Smtp  # noqa: E402

AT_ONCE = 1.0  # seconds from the answer of the deletion to the end of a session


class Doomed:
    """An agent with a key for each dialect, a password, an alias, and sessions that are open."""

    def __init__(self, server, key, am_key):
        self.server, self.key, self.am_key = server, key, am_key
        self.handle = "doomed-" + os.urandom(5).hex()
        made = self.ask("POST", "/api/v1/identities/", {"agent_handle": self.handle}, 201)
        self.address, self.id, self.identity = made["email_address"], made["mailbox"]["id"], made["id"]
        self.alias = self.ask("POST", f"/v1/inboxes/{self.id}/addresses", {"email": f"alias-{self.handle}@{server.ready['domain']}", "primary": False}, 201)["address"]
        told = self.ask("POST", f"/v1/inboxes/{self.id}/rotate-credentials", {})
        self.password, self.keys = told["imapPassword"], [told["apiKey"]]
        self.keys.append(self.ask("POST", "/api/v1/api-keys", {"label": "own", "scoped_identity_id": self.identity}, 201)["api_key"])
        if am_key:
            self.keys.append(self.ask("POST", f"/v0/inboxes/{self.address}/api-keys", {"name": "own"}, key=am_key)["api_key"])
        wanted = {"url": "http://127.0.0.1:9/x", "event_types": ["message.received"], "agent_identity_id": self.identity}
        self.hook = self.ask("POST", "/api/v1/webhooks/subscriptions", wanted, 201, self.keys[0])["id"]
        self.sessions = {}

    def ask(self, method, path, body=None, expect=200, key=None):
        status, told = api.request(self.server, method, path, body, key or self.key)
        equal(status, expect, f"{method} {path} ({told})")
        return told

    def open(self):
        """One session of each kind: {what: how to see that it ended}."""
        for what, secret in (("IMAP idle, by password", self.password), ("IMAP idle, by key", self.keys[1])):
            session = Imap(self.server, self.address, secret, timeout=10)
            session.select()
            session.start("IDLE")
            check(session.response()[0].startswith(b"+"), "IDLE was not taken")
            self.sessions[what] = session.response
        silent = Imap(self.server, self.address, self.password, timeout=10)
        self.sessions["IMAP, in no mailbox"] = silent.response
        inbox = api.Inbox(self.id, self.address, self.password, self.keys[0])
        for service in ("submission", "submissions"):
            session = submit.session(self.server, inbox, service)
            if service == "submission":
                session.docmd("MAIL", f"FROM:<{self.address}>")
            self.sessions[f"SMTP {service}"] = lambda session=session: line_of(session)
        self.incoming = Smtp(self.server.address("smtp_in"))
        self.incoming.hello()
        self.incoming.command("MAIL FROM:<x@client.example.net>", 250)

    def ended(self, since):
        """Every session must have ended by itself within a second of the deletion."""
        for what, read in self.sessions.items():
            try:
                while True:
                    read()
            except (ConnectionError, smtplib.SMTPServerDisconnected):
                pass
            except (TimeoutError, OSError) as late:
                raise Failure(f"{what} goes on ({late})") from late
            took = time.monotonic() - since
            check(took < AT_ONCE, f"{what} ended after {took:.1f} s")

    def gone(self):
        """Nobody gets in, and nothing comes in."""
        for key in self.keys:
            for path in ("/v1/me", "/api/whoami", "/v0/auth/me", f"/v1/inboxes/{self.id}", f"/api/v1/mail/mailboxes/{self.address}", f"/v0/inboxes/{self.address}"):
                equal(api.request(self.server, "GET", path, key=key)[0], 401, f"GET {path} with a key of the deleted inbox")
        for secret in (self.password, *self.keys):
            try:
                Imap(self.server, self.address, secret).close()
            except Refused:
                pass
            else:
                raise Failure("IMAP takes a login")
        try:
            submit.session(self.server, api.Inbox(self.id, self.address, self.password, ""), "submission").close()
        except smtplib.SMTPAuthenticationError as refusal:
            equal(refusal.smtp_code, 535, "SMTP AUTH")
        else:
            raise Failure("SMTP takes a login")
        for address in (self.address, self.alias, self.address.replace("@", "+tag@"), self.address.upper()):
            self.incoming.command(f"RCPT TO:<{address}>", 550)
        with Smtp(self.server.address("smtp_in")) as fresh:
            fresh.hello()
            fresh.command("MAIL FROM:<x@client.example.net>", 250)
            fresh.command(f"RCPT TO:<{self.address}>", 550)
        self.incoming.close()

    def invisible(self):
        """The organization's own keys find nothing either."""
        for method, path in (
                ("GET", f"/v1/inboxes/{self.id}"), ("DELETE", f"/v1/inboxes/{self.id}"), ("GET", f"/v1/inboxes/{self.id}/messages"), ("GET", f"/api/v1/webhooks/subscriptions/{self.hook}"),
                ("GET", f"/api/v1/identities/{self.handle}"), ("DELETE", f"/api/v1/identities/{self.handle}"), ("GET", f"/api/v1/mail/mailboxes/{self.address}"),
                ("GET", f"/api/v1/identities/{self.handle}/mail-contact-rules"), ("GET", f"/api/v1/identities/{self.handle}/access")):
            self.ask(method, path, expect=404)
        if self.am_key:
            for method in ("GET", "DELETE"):
                self.ask(method, f"/v0/inboxes/{self.address}", expect=404, key=self.am_key)
        listed = str(self.ask("GET", "/v1/inboxes")) + str(self.ask("GET", "/api/v1/identities/")) + str(self.ask("GET", "/api/v1/mail/mailboxes"))
        check(self.handle not in listed, "still in a list")

    def kept_from(self, tenant, am_key):
        """Another organization gets neither the address nor the alias, whatever it asks."""
        for name in (self.address, self.alias):
            local = name.split("@")[0]
            equal(api.request(self.server, "POST", "/v1/inboxes?strict=true", {"username": local}, tenant)[0], 409, f"{local} as user name")
            equal(api.request(self.server, "POST", "/api/v1/identities/", {"agent_handle": local}, tenant)[0], 409, f"{local} as handle")
            status, told = api.request(self.server, "POST", "/v0/inboxes", {"username": local}, am_key)
            check(status in (403, 409) and told.get("inbox_id") != name, f"{local} at /v0: {status} {told}")
            own = api.create_inbox(self.server, "own" + os.urandom(4).hex(), tenant)
            equal(api.request(self.server, "POST", f"/v1/inboxes/{own.id}/addresses", {"email": name}, tenant)[0], 409, f"{local} as alias")
            status, told = api.request(self.server, "POST", "/v1/inboxes", {"username": local}, tenant)
            check(status == 201 and told["email"] not in (self.address, self.alias), f"{local} not strict: {status} {told.get('email')}")

    def made_again(self):
        """The same organization may have the address again, empty."""
        made = self.ask("POST", "/v1/inboxes?strict=true", {"username": self.handle}, 201)
        check(made["id"] != self.id and made["email"] == self.address, "the address once more")
        equal(self.ask("GET", f"/v1/inboxes/{made['id']}/messages")["messages"], [], "its mail")
        for key in self.keys:
            equal(api.request(self.server, "GET", "/v1/me", key=key)[0], 401, "an old key")
        with Imap(self.server, self.address, made["imapPassword"]) as session:
            equal(session.select()["exists"], 0, "over IMAP")


def line_of(session):
    """The next line of a session that should say nothing but goodbye."""
    session.sock.settimeout(10)
    session.getreply()


def mail_for(server, address):
    with Smtp(server.address("smtp_in")) as client:
        client.hello()
        reply = client.deliver([address], b"From: x@client.example.net\r\nSubject: Old\r\n\r\nOld\r\n")
        equal(reply.code, 250, "mail")


WAYS = {
    "AgentMail": lambda doomed: doomed.ask("DELETE", f"/v0/inboxes/{doomed.address}", expect=204, key=doomed.am_key),
    "MyAgentMail": lambda doomed: doomed.ask("DELETE", f"/v1/inboxes/{doomed.id}"),
    "Inkbox": lambda doomed: doomed.ask("DELETE", f"/api/v1/identities/{doomed.handle}", expect=204),
}


def one(server, way, stranger):
    doomed = Doomed(server, server.ready["tenant_key"], server.ready["api_key"])
    mail_for(server, doomed.address)
    doomed.open()
    WAYS[way](doomed)
    since = time.monotonic()
    doomed.ended(since)
    doomed.gone()
    doomed.invisible()
    doomed.kept_from(*stranger)
    doomed.made_again()


def with_its_organization(server, stranger):
    """All the same when the operator deletes the whole organization."""
    status, tenant = api.request(server, "POST", "/v1/tenants", {"name": "Doomed"}, server.ready["operator_key"])
    equal(status, 201, "an organization")
    doomed = Doomed(server, tenant["apiKey"], None)
    mail_for(server, doomed.address)
    doomed.open()
    doomed.ask("DELETE", f"/v1/tenants/{tenant['id']}", key=server.ready["operator_key"])
    since = time.monotonic()
    doomed.ended(since)
    doomed.keys.append(tenant["apiKey"])
    doomed.gone()
    doomed.kept_from(*stranger)


def of_another_organization(server):
    """A tk_ key and an am_ key of somebody else."""
    tenant = api.create_tenant(server, "Stranger")
    human = api.create_inbox(server, "human" + os.urandom(4).hex())
    status, made = api.request(server, "POST", "/v0/agent/sign-up", {"username": "thief" + os.urandom(4).hex(), "human_email": human.address})
    equal(status, 200, "signing up")
    return tenant, made["api_key"]


def run():
    scenario.options()
    failed = []
    with Server() as server:
        stranger = of_another_organization(server)
        for name, run_one in (*((way, lambda way=way: one(server, way, stranger)) for way in WAYS), ("organization", lambda: with_its_organization(server, stranger))):
            begun = time.monotonic()
            try:
                run_one()
                say(f"ok   through {name:14} {time.monotonic() - begun:5.2f} s")
            except Exception as error:  # noqa: BLE001 - the other ways are looked at too
                failed.append(name)
                say(f"FAIL through {name}: {coverage.reason(error)}")
    check(not failed, f"{len(failed)} ways fail: {', '.join(failed)}")
    server.fsck()
    say(f"{len(WAYS) + 1} ways to delete")


if __name__ == "__main__":
    scenario.main(run, 230)
