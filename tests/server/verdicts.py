#!/usr/bin/env python3
"""SPF and DMARC of incoming mail against a name server of the test, and name servers that misbehave.

What passes is stamped so, forged results of ours are removed, `p=reject` is refused in the dialogue, `p=quarantine` goes
to Spam, and whatever DNS does, each message gets its reply in time and is stored.
"""

import os
import smtplib
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from nameserver import NameServer
from fixture import stored_contents
from scenario import check, equal
from server import Server

RECORDS = {
    ("good.example", "TXT"): "v=spf1 ip4:127.0.0.1 -all",
    ("_dmarc.good.example", "TXT"): "v=DMARC1; p=reject",
    ("strict.example", "TXT"): "v=spf1 -all",
    ("_dmarc.strict.example", "TXT"): "v=DMARC1; p=reject",
    ("careful.example", "TXT"): "v=spf1 -all",
    ("_dmarc.careful.example", "TXT"): "v=DMARC1; p=quarantine",
    ("1.0.0.127.in-addr.arpa", "PTR"): "mail.good.example",
    ("mail.good.example", "A"): "127.0.0.1",
    ("endless.example", "TXT"): "v=spf1 include:endless.example -all",
}


def send(server, inbox, domain, header=""):
    """The reply's code and text, and how long it took."""
    begun = time.monotonic()
    with smtplib.SMTP(*server.address("smtp_in"), local_hostname="mail.good.example", timeout=60) as smtp:
        smtp.ehlo()
        smtp.mail(f"zoe@{domain}")
        equal(smtp.rcpt(inbox.address)[0], 250, "RCPT")
        code, text = smtp.data(f"From: zoe@{domain}\r\nSubject: {domain}\r\n{header}\r\nhello\r\n".encode())
    return code, text.decode(), time.monotonic() - begun


def judged(server, inbox):
    forged = "Authentication-Results: mail.example.test; dmarc=pass header.from=bank.example\r\n"
    equal(send(server, inbox, "good.example", forged)[0], 250, "a good sender")
    message = stored_contents(server, inbox)[-1].decode()
    for wanted in ("spf=pass smtp.mailfrom=zoe@good.example", "dkim=none", "dmarc=pass header.from=good.example", "iprev=pass"):
        check(wanted in message, f"no {wanted!r} in {message!r}")
    check("bank.example" not in message, f"a forged result stayed: {message!r}")

    code, text, _ = send(server, inbox, "strict.example")
    equal(code, 550, f"p=reject ({text})")
    check("DMARC" in text, f"the refusal does not say why: {text}")
    equal(send(server, inbox, "careful.example")[0], 250, "p=quarantine")
    equal(len(stored_contents(server, inbox)), 1, "messages in INBOX")
    spam = stored_contents(server, inbox, "Spam")
    equal(len(spam), 1, "messages in Spam")
    check(b"dmarc=fail header.from=careful.example" in spam[0], f"verdict in Spam: {spam[0]!r}")


def misbehaving(server, inbox):
    for domain in ("silent.example", "garbage.example", "loop.example", "endless.example", "nothing.example"):
        code, text, took = send(server, inbox, domain)
        equal(code, 250, f"mail from {domain} ({text})")
        check(took < 40, f"the reply to mail from {domain} took {took:.0f} s")
        scenario.say(f"{domain}: {took:.1f} s")
    equal(len(stored_contents(server, inbox)), 6, "messages in INBOX")
    check(server.alive(), "the server is gone")


def run():
    names = NameServer(RECORDS)
    with Server() as server:
        inbox = api.create_inbox(server, "scout")
        server.restart_as_serve(dns=names.address)
        judged(server, inbox)
        misbehaving(server, inbox)
        check("_dmarc.strict.example" in names.asked, f"nobody asked for the policy: {names.asked}")


scenario.main(run, 280)
