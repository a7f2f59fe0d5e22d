"""Sending as a user does, and looking at what became of it."""

import smtplib

import api
from scenario import check, equal, wait_until

FINAL = ("delivered", "bounced", "expired", "cancelled", "held")


def session(server, inbox, service="submission", password=None):
    """A signed-in smtplib session on 587 (STARTTLS) or 465."""
    host, port = server.address(service)
    context = server.tls()
    context.check_hostname = host == "127.0.0.1"  # the certificate names no other address
    if service == "submissions":
        smtp = smtplib.SMTP_SSL(host, port, local_hostname="laptop.example", timeout=60, context=context)
    else:
        smtp = smtplib.SMTP(host, port, local_hostname="laptop.example", timeout=60)
        smtp.starttls(context=context)
    smtp.login(inbox.address, password or inbox.password)
    return smtp


def submit(server, inbox, recipients, content, service="submission"):
    """One message; every recipient must be taken."""
    if isinstance(content, str):
        content = content.encode()
    with session(server, inbox, service) as smtp:
        equal(smtp.sendmail(inbox.address, recipients, content), {}, "refused recipients")


def trace(server, inbox, message, key=None):
    """Every recipient of a message with its state, attempts and reports."""
    status, told = api.request(server, "GET", f"/postroom/v1/inboxes/{inbox.id}/messages/{message}/trace", key=key or inbox.api_key)
    equal(status, 200, f"trace ({told})")
    return told


def settled(server, inbox, message, seconds=30):
    """The trace, once every recipient has come to an end: {address: state}."""

    def ended():
        recipients = trace(server, inbox, message)["recipients"]
        return recipients if all(recipient["state"] in FINAL for recipient in recipients) else None

    return {recipient["address"]: recipient["state"] for recipient in wait_until(ended, "every recipient to have an end", seconds)}


def dns_records(server, domain):
    """The records a domain needs, as the server tells them: [{name, type, value, priority}]."""
    status, told = api.request(server, "GET", f"/postroom/v1/domains/{domain}/dns", key=server.ready["operator_key"])
    equal(status, 200, f"dns records ({told})")
    kinds = [record["type"] for record in told["records"]]
    check({"MX", "TXT"} <= set(kinds), f"records: {kinds}")
    return told["records"]


def sent_messages(server, inbox):
    """Outbound messages over the API, newest first."""
    status, listed = api.request(server, "GET", f"/v1/inboxes/{inbox.id}/messages?limit=100", key=inbox.api_key)
    equal(status, 200, f"messages ({listed})")
    return [message for message in listed["messages"] if message["direction"] == "outbound"]


class Captured:
    """What `dev` caught instead of sending."""

    def __init__(self, server):
        self.server, self.known = server, {}

    def look(self):
        """{id: message as the server tells it}, newly captured ones too."""
        status, told = api.request(self.server, "GET", "/postroom/v1/captured?limit=500", key=self.server.ready["operator_key"])
        equal(status, 200, f"captured ({told})")
        for one in told["captured"]:
            if one["id"] not in self.known:
                status, self.known[one["id"]] = api.request(self.server, "GET", f"/postroom/v1/captured/{one['id']}", key=self.server.ready["operator_key"])
                equal(status, 200, "a captured message")
        return self.known

    def message(self, subject, copies=1):
        """(recipients, octets) of the message with this subject, when all its copies are there."""

        def found():
            same = [one for one in self.look().values() if one["subject"] == subject]
            return same if len(same) >= copies else None

        same = wait_until(found, f"{subject!r} captured")
        content = api.raw(self.server, f"/postroom/v1/captured/{same[0]['id']}/raw", self.server.ready["operator_key"])
        return sorted(one["to"] for one in same), content
