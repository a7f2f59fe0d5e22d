"""What other servers report of sent mail: bounces and complaints become labels, events and entries of the block list."""

import json

import smtp
from agentmail.events import MessageBouncedEvent, MessageComplainedEvent
from api import request
from coverage import drives
from receiver import Receiver
from scenario import check, equal, wait_until
from world import ONCE, refused, unique

DELIVERY = """From: Mail Delivery System <MAILER-DAEMON@mx.client.example.net>
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

The mail could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.client.example.net

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No such user

--b--
"""
FEEDBACK = """From: <abusedesk@client.example.net>
To: {to}
Subject: FW: hello
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an email abuse report.

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Test/1.0
Version: 1
Original-Rcpt-To: <{recipient}>

--b
Content-Type: message/rfc822

From: <{sender}>
To: <{recipient}>
Subject: hello
Message-ID: {message_id}

x
--b--
"""


def reported(case, form, event_type, label):
    """A message that leaves (`dev` catches it), and the report of it, sent to where its bounces go: the event about it."""
    inbox, recipient = case.inbox(), f"{unique('user')}@client.example.net"
    with Receiver() as receiver:
        hook = case.quiet.inboxes.webhooks.create(inbox, url=receiver.url + "/hook", event_types=["message.delivered", event_type], request_options=ONCE)
        sent = case.client.inboxes.messages.send(inbox, to=[recipient], subject="hello", text="x")
        caught = wait_until(lambda: [one for one in captured(case) if one["to"] == recipient], "the mail to leave")[0]
        report = form.format(to=caught["from"], recipient=recipient, sender=inbox, message_id=sent.message_id)
        smtp.deliver(case.server, [caught["from"]], report.replace("\n", "\r\n").encode(), sender="")
        labels = wait_until(lambda: labels_with(case, inbox, sent, label), f"the label {label}")
        check("sent" in labels, f"labels are {labels}")
        seen = lambda: [e for e in (json.loads(post.body) for post in receiver.at("/hook")) if e["event_type"] == event_type]  # noqa: E731
        event = wait_until(seen, f"the event {event_type}")[0]
        case.quiet.inboxes.webhooks.delete(inbox, hook.webhook_id, request_options=ONCE)
    return inbox, recipient, sent, event


def captured(case):
    status, told = request(case.server, "GET", "/postroom/v1/captured?limit=500", key=case.server.ready["operator_key"])
    equal(status, 200, "status of what was captured")
    return told["captured"]


def labels_with(case, inbox, sent, label):
    labels = case.quiet.inboxes.messages.get(inbox, sent.message_id, request_options=ONCE).labels
    return labels if label in labels else None


def is_suppressed(case, inbox, recipient):
    """The address is on the send block list, and stays there."""
    entry = wait_until(lambda: [e for e in case.quiet.lists.list("send", "block", limit=100, request_options=ONCE).entries if e.entry == recipient],
                       "the entry of the block list")[0]
    check(entry.read_only, f"the entry is {entry}")
    refused(403, lambda: case.quiet.inboxes.messages.send(inbox, to=recipient, text="again", request_options=ONCE), "message_rejected")


@drives("inboxes.messages.send")
def a_bounce(case):
    inbox, recipient, sent, event = reported(case, DELIVERY, "message.bounced", "bounced")
    bounce = MessageBouncedEvent.model_validate(event).bounce
    equal((bounce.message_id, bounce.inbox_id, bounce.thread_id, bounce.type), (sent.message_id, inbox, sent.thread_id, "Permanent"), "the bounce")
    equal([(one.address, bool(one.status)) for one in bounce.recipients], [(recipient, True)], "recipients")
    is_suppressed(case, inbox, recipient)


@drives("inboxes.messages.send")
def a_complaint(case):
    inbox, recipient, sent, event = reported(case, FEEDBACK, "message.complained", "complained")
    complaint = MessageComplainedEvent.model_validate(event).complaint
    equal((complaint.message_id, complaint.inbox_id, complaint.recipients), (sent.message_id, inbox, [recipient]), "the complaint")
    is_suppressed(case, inbox, recipient)
