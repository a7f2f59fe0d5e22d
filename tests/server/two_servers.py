#!/usr/bin/env python3
"""Two servers with two domains and a name server exchange mail both ways through MX lookup.

The far side finds SPF, both DKIM signatures and DMARC to pass, and so does dkimpy; Bcc stays with the sender; a reply joins
the thread; a bounce of the far side finds its way back onto the message; the history tells every step.
"""

import os
import re
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import packages
import scenario
from nameserver import NameServer
from fixture import stored_contents
from imap import Imap
from remote import Remote
from scenario import check, equal, wait_until
from server import Server
from smtp import Smtp
from submit import dns_records, sent_messages, settled, submit, trace

HOSTS = {"alpha.test": "127.0.0.1", "beta.test": "127.0.0.2"}


def ready(server, names):
    """Goes on as `serve` on its own address, with its DNS records published."""
    domain = server.ready["domain"]
    server.restart_as_serve(dns=names.address, host=HOSTS[domain])
    for record in dns_records(server, domain):
        value = f"{record['priority']} {record['value']}" if record["type"] == "MX" else record["value"]
        names.put(record["name"], record["type"], value)
    names.put(f"mail.{domain}", "A", HOSTS[domain])
    names.put(".".join(reversed(HOSTS[domain].split("."))) + ".in-addr.arpa", "PTR", f"mail.{domain}")


def arrived(server, inbox, subject, mailbox="INBOX"):
    """The stored message with this subject."""
    wanted = f"Subject: {subject}\r\n".encode()
    return wait_until(lambda: next((one for one in stored_contents(server, inbox, mailbox) if wanted in one), None),
                      f"{subject!r} in {inbox.address}", 30)


def verdicts(content, domain):
    """Everything passes, both signatures among it."""
    results = re.sub(r"\r\n[ \t]+", " ", content.decode("utf-8", "replace")).split("Authentication-Results: ")[1].split("\r\n")[0]
    for wanted in ("spf=pass", "dmarc=pass", f"header.from={domain}"):
        check(wanted in results, f"no {wanted} in {results}")
    equal(results.count("dkim=pass"), 2, f"signatures that pass in {results}")


def by_submission(one, other, sender, receiver, names, body="hello over there\r\n"):
    subject = f"to {receiver.address}"
    submit(one, sender, [receiver.address, "hidden@" + receiver.address.split("@")[1]],
           f"From: {sender.address}\r\nTo: {receiver.address}\r\nBcc: hidden@{receiver.address.split('@')[1]}\r\nSubject: {subject}\r\n\r\n{body}")
    content = arrived(other, receiver, subject)
    verdicts(content, sender.address.split("@")[1])
    check(b"Bcc:" not in content and b"hidden@" not in content, "the far side sees the Bcc")
    check(b"Message-ID: <" in content and b"\r\nDate: " in content, "no Message-ID or Date was added")
    check(b"Return-Path: <b=" in content, "the reverse-path is not one that leads back")
    check(b"127.0.0.1" not in content.split(b"DKIM-Signature")[1], "the client's address is told to the world")
    own = next(message for message in stored_contents(one, sender, "Sent") if subject.encode() in message)
    check(b"Bcc: hidden@" in own, "the sender's own copy lost its Bcc")
    dkimpy(content, names)
    return content


def dkimpy(content, names):
    """Another implementation finds both signatures good."""
    import dkim

    def lookup(name, timeout=5):  # noqa: ARG001 - dkimpy's interface
        found = names.records.get((name.decode().rstrip("."), 16))
        return found[0].encode() if found else None

    content = content[content.index(b"DKIM-Signature:"):]
    check(dkim.DKIM(content).verify(idx=0, dnsfunc=lookup), "dkimpy: the first signature fails")
    check(dkim.DKIM(content).verify(idx=1, dnsfunc=lookup), "dkimpy: the second signature fails")
    algorithms = sorted(re.findall(rb"a=([a-z0-9-]+);", content.split(b"\r\nFrom:")[0]))
    equal(algorithms, [b"ed25519-sha256", b"rsa-sha256"], "algorithms")


def by_api(one, other, sender, receiver):
    """A message and its reply over HTTP; the reply joins the thread."""
    status, sent = api.request(one, "POST", f"/v1/inboxes/{sender.id}/send",
                               {"to": receiver.address, "subject": "a question", "plainBody": "What time is it?"}, sender.api_key)
    equal(status, 200, f"send ({sent})")
    arrived(other, receiver, "a question")
    _, listed = api.request(other, "GET", f"/v1/inboxes/{receiver.id}/messages", key=receiver.api_key)
    question = next(one for one in listed["messages"] if one["subject"] == "a question")
    status, answer = api.request(other, "POST", f"/v1/inboxes/{receiver.id}/reply/{question['id']}", {"plainBody": "Noon."}, receiver.api_key)
    equal(status, 200, f"reply ({answer})")
    equal(answer["threadId"], question["threadId"], "thread of the reply at its sender")
    content = arrived(one, sender, "Re: a question")
    verdicts(content, receiver.address.split("@")[1])
    _, thread = api.request(one, "GET", f"/v1/inboxes/{sender.id}/threads/{sent['threadId']}", key=sender.api_key)
    equal(thread["messageCount"], 2, "messages in the thread of the question")


def history(one, sender, receiver):
    """What became of each recipient of the first message, and the notice about the one that does not exist."""
    message = next(m for m in sent_messages(one, sender) if m["subject"].startswith("to "))
    domain = receiver.address.split("@")[1]
    equal(settled(one, sender, message["id"]), {receiver.address: "delivered", f"hidden@{domain}": "bounced"}, "states")
    good = next(r for r in trace(one, sender, message["id"])["recipients"] if r["state"] == "delivered")
    attempt = good["attempts"][-1]
    check(attempt["host"] == f"mail.{domain}" and attempt["tls"].startswith("TLSv1"), f"attempt: {attempt}")
    notice = wait_until(lambda: next((m for m in stored_contents(one, sender) if b"multipart/report" in m), None), "the notice")
    for wanted in (b'report-type="delivery-status"', f"hidden@{domain}".encode(), b"Status: 5.1.1", b"Action: failed", b"Auto-Submitted: auto-replied"):
        check(wanted.lower() in notice.lower(), f"no {wanted!r} in the notice: {notice[:3000]!r}")
    check(b"Return-Path: <>" in notice, "the notice has a reverse-path")


def sent_copy(server, sender):
    """A client that stores its copy itself gets the one that is there."""
    with Imap(server, sender.address, sender.password) as session:
        before = session.select("Sent")["exists"]
        uid = session.uids()[-1]
        status = session.append("Sent", session.body(uid), "\\Seen")
        check(b"APPENDUID" in status and status.split(b"]")[0].endswith(b" %d" % uid), f"APPEND to Sent: {status!r}")
        equal(session.select("Sent")["exists"], before, "messages in Sent after the APPEND")


def forged(server, inbox):
    """A bounce address that nobody was given."""
    with smtplib.SMTP(*server.address("smtp_in"), local_hostname="liar.example", timeout=30) as smtp:
        smtp.ehlo()
        smtp.mail("")
        code, text = smtp.rcpt("b=" + "a" * 42 + "@" + inbox.address.split("@")[1])
        equal(code, 550, f"a forged bounce address ({text})")


def late_notice(one, sender, names, host):
    """A notice that comes after the 250 is told in the history, and in the inbox."""
    remote = Remote((host, one.base + 25))
    names.put("late.test", "MX", "10 mail.late.test")
    names.put("mail.late.test", "A", host)
    submit(one, sender, ["gone@late.test"], f"From: {sender.address}\r\nTo: gone@late.test\r\nSubject: late\r\n\r\nhello\r\n")
    taken = wait_until(lambda: remote.taken and remote.taken[0], "the message at the remote", 30)
    report = (f"From: <mailer-daemon@late.test>\r\nTo: <{taken.sender}>\r\nSubject: failed\r\nMIME-Version: 1.0\r\n"
              "Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nno\r\n"
              "--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.late.test\r\n\r\n"
              "Final-Recipient: rfc822; gone@late.test\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 gone\r\n\r\n--x--\r\n")
    with Smtp(one.address("smtp_in")) as client:
        client.hello("mail.late.test")
        equal(client.deliver([taken.sender], report.encode(), sender="").code, 250, "the late notice")
    message = next(m for m in sent_messages(one, sender) if m["subject"] == "late")
    recipient = trace(one, sender, message["id"])["recipients"][0]
    equal(recipient["state"], "delivered", "the state after the late notice")
    equal([report["kind"] for report in recipient["reports"]], ["failed"], "kinds of the reports")
    remote.close()


def run():
    packages.use_python_packages()
    names = NameServer({})
    with Server(domain="alpha.test") as one, Server(domain="beta.test") as other:
        other.base = one.base  # the same ports on another address
        ann, bob = api.create_inbox(one, "ann"), api.create_inbox(other, "bob")
        ready(one, names)
        ready(other, names)
        by_submission(one, other, ann, bob, names)
        by_submission(other, one, bob, ann, names, "tail of blanks\r\n \r\n\t\r\n  \r\n")
        by_api(one, other, ann, bob)
        by_api(other, one, bob, ann)
        history(one, ann, bob)
        sent_copy(one, ann)
        forged(one, ann)
        late_notice(one, ann, names, "127.0.0.3")


if __name__ == "__main__":
    scenario.main(run, 200)
