#!/usr/bin/env python3
"""smtplib, curl, swaks and msmtp submit on 587 and 465 with every mechanism they know; nothing is accepted without.

In `dev` mail for elsewhere is captured, so what each client sent is read back there, and in the sender's Sent.
"""

import base64
import imaplib
import os
import re
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from fixture import stored_contents
from scenario import check, command, equal
from scram import Scram
from server import Server
from submit import Captured, session, submit

OUTSIDE = "zoe@elsewhere.example"


def letter(inbox, subject):
    return f"From: Scout <{inbox.address}>\r\nTo: {OUTSIDE}\r\nSubject: {subject}\r\n\r\nhello\r\n.\r\n..dots\r\n".encode()


def smtplib_way(server, inbox, caught):
    for service in ("submission", "submissions"):
        with session(server, inbox, service) as smtp:
            equal(smtp.sendmail(inbox.address, [OUTSIDE], letter(inbox, f"smtplib {service}")), {}, "refused")
        recipients, content = caught.message(f"smtplib {service}")
        equal(recipients, [OUTSIDE], "captured recipients")
        check(b"\r\nhello\r\n.\r\n..dots\r\n" in content, f"body: {content!r}")
        check(content.count(b"DKIM-Signature:") == 2, "not two signatures")
    with session(server, inbox, password=inbox.api_key) as smtp:
        equal(smtp.sendmail(inbox.address, [OUTSIDE], letter(inbox, "with a key")), {}, "refused")
    caught.message("with a key")


def scram(server, inbox, password, expect=235):
    """RFC 5802 by hand, over STARTTLS; the server proves itself too."""
    host, port = server.address("submission")
    with smtplib.SMTP(host, port, timeout=30) as smtp:
        smtp.starttls(context=server.tls())
        smtp.ehlo()
        for name in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER", "XOAUTH2"):
            check(name in smtp.esmtp_features["auth"].split(), f"{name} is not offered: {smtp.esmtp_features['auth']}")
        exchange = Scram(inbox.address, password)
        code, challenge = smtp.docmd("AUTH", "SCRAM-SHA-256 " + encode(exchange.first()))
        equal(code, 334, f"server-first ({challenge})")
        code, answer = smtp.docmd(encode(exchange.final(base64.b64decode(challenge).decode())))
        if expect == 235:
            equal(code, 334, f"server-final ({answer})")
            exchange.proven(base64.b64decode(answer).decode())
            code, answer = smtp.docmd("")
        equal(code, expect, f"the end of SCRAM ({answer})")


def encode(text):
    return base64.b64encode(text.encode()).decode()


def imap_way(server, inbox):
    """The same mechanisms to read mail."""
    host, port = server.address("imaps")

    def opened():
        return imaplib.IMAP4_SSL(host, port, ssl_context=server.tls())

    session, exchange = opened(), Scram(inbox.address, inbox.password)
    for name in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER", "XOAUTH2"):
        check(f"AUTH={name}" in session.capabilities, f"{name} is not offered: {session.capabilities}")
    steps = [lambda _: exchange.first(), lambda text: exchange.final(text.decode()), lambda text: exchange.proven(text.decode()) or ""]
    equal(session.authenticate("SCRAM-SHA-256", lambda text: steps.pop(0)(text).encode())[0], "OK", "SCRAM")
    equal(session.select()[0], "OK", "SELECT")
    session.logout()
    for mechanism, response in (("PLAIN", f"\0{inbox.address}\0{inbox.password}"), ("XOAUTH2", f"user={inbox.address}\1auth=Bearer {inbox.api_key}\1\1"),
                                ("OAUTHBEARER", f"n,a={inbox.address},\1auth=Bearer {inbox.api_key}\1\1")):
        session = opened()
        equal(session.authenticate(mechanism, lambda _, response=response: response.encode())[0], "OK", mechanism)
        session.logout()


def curl_way(server, inbox, caught):
    path = os.path.join(server.folder, "letter.eml")
    ways = {"PLAIN": ["-u", f"{inbox.address}:{inbox.password}"], "LOGIN": ["-u", f"{inbox.address}:{inbox.password}"],
            "XOAUTH2": ["-u", inbox.address, "--oauth2-bearer", inbox.api_key], "OAUTHBEARER": ["-u", inbox.address, "--oauth2-bearer", inbox.api_key]}
    for scheme, service in (("smtp", "submission"), ("smtps", "submissions")):
        host, port = server.address(service)
        for mechanism, words in ways.items():
            subject = f"curl {scheme} {mechanism}"
            with open(path, "wb") as file:
                file.write(letter(inbox, subject))
            command(["curl", "-sS", "--ssl-reqd", "--cacert", server.ready["ca"], f"{scheme}://{host}:{port}/laptop.example", "--mail-from", inbox.address,
                     "--mail-rcpt", OUTSIDE, "--upload-file", path, "--login-options", f"AUTH={mechanism}", *words])
            caught.message(subject)
    wrong = ["-u", f"{inbox.address}:wrong"]
    host, port = server.address("submission")
    command(["curl", "-sS", "--ssl-reqd", "--cacert", server.ready["ca"], f"smtp://{host}:{port}", "--mail-from", inbox.address,
             "--mail-rcpt", OUTSIDE, "--upload-file", path, *wrong], expect=67)


def swaks_way(server, inbox, caught):
    host, port = server.address("submission")
    base = ["swaks", "--server", host, "--port", str(port), "--from", inbox.address, "--to", OUTSIDE, "--timeout", "20", "--tls", "--tls-verify",
            "--tls-ca-path", server.ready["ca"]]
    for mechanism in ("PLAIN", "LOGIN"):
        command(base + ["--auth", mechanism, "--auth-user", inbox.address, "--auth-password", inbox.password, "--header", f"Subject: swaks {mechanism}"])
        caught.message(f"swaks {mechanism}")
    check(b"<~* 530" in command(base, expect=23), "mail was taken without AUTH")
    other = api.create_inbox(server, "other")
    foreign = base[:5] + ["--from", other.address] + base[7:] + ["--auth", "PLAIN", "--auth-user", inbox.address, "--auth-password", inbox.password]
    check(b"550 5.7.1" in command(foreign, expect=None), "another inbox's address was taken as sender")


def msmtp_way(server, inbox, caught):
    host, port = server.address("submission")
    for method in ("plain", "login", "scram-sha-256"):
        path = os.path.join(server.folder, "msmtprc")
        with open(path, "w") as file:
            file.write(f"account default\nhost {host}\nport {port}\nfrom {inbox.address}\nauth {method}\nuser {inbox.address}\n"
                       f"password {inbox.password}\ntls on\ntls_starttls on\ntls_trust_file {server.ready['ca']}\n")
        os.chmod(path, 0o600)
        command(["msmtp", "-C", path, OUTSIDE], input=letter(inbox, f"msmtp {method}").replace(b"\r\n", b"\n"))
        caught.message(f"msmtp {method}")


def in_the_clear(server, inbox):
    """Neither AUTH nor MAIL before TLS."""
    host, port = server.address("submission")
    with smtplib.SMTP(host, port, timeout=30) as smtp:
        smtp.ehlo()
        check(not smtp.has_extn("auth"), "AUTH is offered without TLS")
        code, _ = smtp.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{inbox.address}\0{inbox.password}".encode()).decode())
        check(code in (530, 538), f"AUTH without TLS: {code}")
        equal(smtp.mail(inbox.address)[0], 530, "MAIL without TLS")


def own_copy(server, inbox, caught):
    """What a client puts into Sent after sending it is not doubled there, unless something would be lost: two messages more."""
    quiet, subject = "quiet@elsewhere.example", "who got it blindly"
    content = letter(inbox, subject).replace(b"To: ", b"Message-ID: <blind@laptop.example>\r\nTo: ", 1)
    submit(server, inbox, [OUTSIDE, quiet], content)
    recipients, sent = caught.message(subject, 2)
    equal(recipients, sorted([OUTSIDE, quiet]), "captured recipients")
    check(b"\nBcc:" not in sent and b"quiet@" not in sent, f"the others are told of {quiet}: {sent!r}")
    session = imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=server.tls())
    session.login(inbox.address, inbox.password)

    def append(content):
        status, told = session.append("Sent", r"(\Seen)", None, content)
        equal(status, "OK", f"APPEND ({told})")
        return re.search(rb"APPENDUID \d+ (\d+)\]", told[0]).group(1).decode()

    with_bcc = b"Bcc: " + quiet.encode() + b"\r\n" + content
    uid = append(with_bcc)
    equal((append(content), append(with_bcc)), (uid, uid), "UIDs of the client's copies")
    other = append(content.replace(b"hello", b"howdy"))
    equal(session.select("Sent")[0], "OK", "SELECT")
    copies = {name: session.uid("FETCH", name, "(BODY.PEEK[])")[1][0][1] for name in (uid, other)}
    check(b"Bcc: quiet@elsewhere.example\r\n" in copies[uid], f"the copy in Sent: {copies[uid]!r}")
    check(b"\r\nhowdy\r\n" in copies[other], f"another text: {copies[other]!r}")
    session.logout()


def run():
    with Server() as server:
        inbox, caught = api.create_inbox(server, "scout"), Captured(server)
        smtplib_way(server, inbox, caught)
        scram(server, inbox, inbox.password)
        scram(server, inbox, inbox.api_key)
        scram(server, inbox, "wrong", 535)
        imap_way(server, inbox)
        curl_way(server, inbox, caught)
        swaks_way(server, inbox, caught)
        msmtp_way(server, inbox, caught)
        in_the_clear(server, inbox)
        own_copy(server, inbox, caught)
        equal(len(stored_contents(server, inbox, "Sent")), 3 + 8 + 2 + 3 + 2, "messages in Sent")


if __name__ == "__main__":
    scenario.main(run, 200)
