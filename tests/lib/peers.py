"""Mail both ways between us and another mail server: bursts, bodies full of dots, a recipient that neither has."""

import os
import smtplib
import ssl

import api
from fixture import stored_contents
from nameserver import NameServer
from scenario import check, command, equal, wait_until
from server import Server
from submit import sent_messages, session, settled, trace

DOMAIN, HOST = "peer.test", "127.0.0.2"
MESSAGES = 60


def certificate(folder):
    command(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout",
             folder + "/key.pem", "-out", folder + "/cert.pem", "-subj", f"/CN=mail.{DOMAIN}"])


def both_ways(start, tls=True):
    """`start(port)` gives a context with a peer for zoe@peer.test on HOST and that port, that sends mail for example.test to
    127.0.0.1 and that port; `peer.address` is where it listens, `peer.mailbox()` a Maildir. `tls`: the peer offers STARTTLS."""
    names = NameServer({(DOMAIN, "MX"): f"10 mail.{DOMAIN}", (f"mail.{DOMAIN}", "A"): HOST})
    with Server() as server:
        inbox = api.create_inbox(server, "scout")
        server.restart_as_serve(dns=names.address, limits="daily_messages = 0")
        with start(server.base + 25) as peer:
            to_peer(server, peer, inbox, tls)
            from_peer(server, peer, inbox, tls)


def maildir(peer):
    folder = os.path.join(peer.mailbox(), "new")
    contents = []
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), "rb") as file:
            contents.append(file.read())
    return contents


def to_peer(server, peer, inbox, tls):
    with session(server, inbox) as smtp:
        for number in range(MESSAGES):
            content = f"From: {inbox.address}\r\nTo: zoe@{DOMAIN}\r\nSubject: out {number}\r\n\r\n" + ".\r\nfrom the dots\r\n..\r\n" * number
            equal(smtp.sendmail(inbox.address, [f"zoe@{DOMAIN}"], content.encode()), {}, "refused")
        both = f"From: {inbox.address}\r\nTo: zoe@{DOMAIN}\r\nSubject: two\r\n\r\nhello\r\n".encode()
        equal(smtp.sendmail(inbox.address, [f"zoe@{DOMAIN}", f"nobody@{DOMAIN}"], both), {}, "refused")
    got = wait_until(lambda: (lambda found: found if len(found) > MESSAGES else None)(maildir(peer)), "mail in the Maildir", 60)
    equal(len(got), MESSAGES + 1, "messages the peer delivered")
    for number in range(MESSAGES):
        body = next(one for one in got if f"Subject: out {number}\n".encode() in one).split(b"\n\n", 1)[1]
        equal(body, b".\nfrom the dots\n..\n" * number, f"body {number}")
    two = next(message for message in sent_messages(server, inbox) if message["subject"] == "two")
    equal(settled(server, inbox, two["id"]), {f"zoe@{DOMAIN}": "delivered", f"nobody@{DOMAIN}": "bounced"}, "states")
    for recipient in trace(server, inbox, two["id"])["recipients"]:
        attempt = recipient["attempts"][-1]
        check(attempt["host"] == f"mail.{DOMAIN}" and bool(attempt["tls"]) == tls, f"attempt: {attempt}")
        if recipient["state"] == "bounced":
            check(500 <= attempt["code"] <= 599, f"the reply's code in {attempt}")


def from_peer(server, peer, inbox, tls):
    """Through the peer's own queue to us, over TLS; what we refuse it bounces to its sender."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(*peer.address, source_address=(HOST, 0), timeout=30) as smtp:
        if tls:
            smtp.starttls(context=context)
        for number in range(MESSAGES):
            smtp.sendmail(f"zoe@{DOMAIN}", [inbox.address], f"From: zoe@{DOMAIN}\r\nSubject: in {number}\r\n\r\nhello {number}\r\n".encode())
        smtp.sendmail(f"zoe@{DOMAIN}", ["nobody@example.test"], f"From: zoe@{DOMAIN}\r\nSubject: to nobody\r\n\r\nhello\r\n".encode())
    came = lambda: [one for one in stored_contents(server, inbox) if b"Subject: in " in one]  # noqa: E731
    wait_until(lambda: len(came()) >= MESSAGES, "mail from the peer", 90)
    got = came()
    equal(len(got), MESSAGES, "messages from the peer")
    check(all(b" with ESMTPS id " in one.split(b"From:")[0] for one in got), "not all came over TLS")
    wait_until(lambda: any(b"nobody@example.test" in one and b"Subject: to nobody" in one for one in maildir(peer)), "the peer's bounce", 30)
