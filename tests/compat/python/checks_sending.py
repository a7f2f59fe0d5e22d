"""Send, reply, reply-all and forward."""

import base64
import http.server
import threading

import corpus
from agentmail.attachments import SendAttachment
from coverage import drives
from scenario import check, equal, wait_until
from world import ONCE, download, refused, unique


def attachment(name="data.bin", content=bytes(range(256)) * 20):
    return SendAttachment(filename=name, content_type="application/octet-stream", content=base64.b64encode(content).decode())


@drives("inboxes.messages.send")
def send(case):
    sender, to, cc, bcc = case.inbox(display_name="Ada Agent"), case.inbox(), case.inbox(), case.inbox()
    subject, content = unique("Grüße "), bytes(range(256)) * 20
    sent = case.client.inboxes.messages.send(
        sender, to=[to], cc=cc, bcc=bcc, reply_to="desk@client.example.net", subject=subject, text="Hello, 日本.\n", html="<p>Hello, <b>日本</b></p>",
        labels=["outreach"], attachments=[attachment(content=content)], headers={"X-Campaign": "42"})
    check(sent.message_id.startswith("<") and sent.message_id.endswith(">"), f"message_id is {sent.message_id}")
    for recipient in (to, cc, bcc):
        case.arrived(recipient, subject)
    got = case.client.inboxes.messages.get(to, sent.message_id)
    equal((got.from_, got.to, got.cc, got.bcc), (f"Ada Agent <{sender}>", [to], [cc], None), "addresses at the recipient")
    equal((got.reply_to, got.headers.get("X-Campaign")), (["desk@client.example.net"], "42"), "Reply-To and the extra field")
    check(got.text.strip() == "Hello, 日本." and "<b>日本</b>" in got.html, f"bodies are {got.text!r} and {got.html!r}")
    check(got.thread_id != sent.thread_id, "both sides have the same thread")
    found = case.client.inboxes.messages.get_attachment(to, sent.message_id, got.attachments[0].attachment_id)
    equal((found.filename, download(found.download_url)), ("data.bin", content), "the attachment")
    own = wait_until(lambda: delivered(case, sender, sent.message_id), "the label delivered")
    equal(({"sent", "outreach", "delivered"} - set(own.labels), own.bcc, own.thread_id), (set(), [bcc], sent.thread_id), "the sender's copy")
    check("unread" not in own.labels, f"sent mail is unread: {own.labels}")
    equal(case.imap(sender).select("Sent")["exists"], 1, "messages in Sent over IMAP")
    equal(case.imap(bcc).select()["exists"], 1, "messages of the Bcc recipient over IMAP")
    check(b"\nbcc:" not in case.imap(to, "INBOX").body(1).lower(), "Bcc is in the recipient's copy")


def delivered(case, inbox, message_id):
    got = case.client.inboxes.messages.get(inbox, message_id)
    return got if "delivered" in got.labels else None


@drives("inboxes.messages.send")
def send_refusals(case):
    inbox = case.inbox()
    send = case.client.inboxes.messages.send
    refused(422, lambda: send(inbox, subject="To nobody", text="x"), "unprocessable")
    refused(400, lambda: send(inbox, to="not an address", text="x"), "validation_error")
    refused(400, lambda: send(inbox, to=inbox, subject="a\r\nBcc: x@y.example", text="x"), "validation_error")
    refused(400, lambda: send(inbox, to=inbox, text="x", headers={"X-A": "b\nc: d"}), "validation_error")
    refused(400, lambda: send(inbox, to=inbox, attachments=[SendAttachment(filename="a", content="%%%")]), "validation_error")
    refused(400, lambda: send(inbox, to=inbox, attachments=[SendAttachment(filename="a")]), "validation_error")
    refused(400, lambda: send(inbox, to=[f"a{n}@client.example.net" for n in range(51)], text="x"), "validation_error")
    refused(404, lambda: send("nobody-here@" + case.server.ready["domain"], to=inbox, text="x"), "not_found")
    send(inbox, to=inbox, subject="Good", text="x")
    equal([m.subject for m in case.client.inboxes.messages.list(inbox, labels=["sent"]).messages], ["Good"], "sent in the end")


@drives("inboxes.messages.send")
def send_once(case):
    inbox, other, key, subject = case.inbox(), case.inbox(), unique("once"), unique("Once ")
    send = case.client.inboxes.messages.send
    first = send(inbox, to=other, subject=subject, text="x", idempotency_key=key)
    again = send(inbox, to=other, subject=subject, text="x", idempotency_key=key)
    equal(again.message_id, first.message_id, "the answer to the same request")
    refused(409, lambda: send(inbox, to=other, subject=subject, text="other", idempotency_key=key), "conflict")
    refused(400, lambda: send(inbox, to=other, text="x", idempotency_key="no spaces"), "validation_error")
    case.arrived(other, subject)
    equal(case.client.inboxes.messages.list(other, subject=[subject]).count, 1, "messages at the recipient")


@drives("inboxes.messages.send")
def send_to_nobody_bounces(case):
    inbox, subject = case.inbox(), unique("Bounces ")
    sent = case.client.inboxes.messages.send(inbox, to=f"{unique('nobody')}@{case.server.ready['domain']}", subject=subject, text="x")
    labels = lambda: case.client.inboxes.messages.get(inbox, sent.message_id).labels  # noqa: E731
    wait_until(lambda: "bounced" in labels(), "the label bounced")
    check("delivered" not in labels(), f"labels are {labels()}")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802 - the name is the library's
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"fetch")

    def log_message(self, *_):
        pass


@drives("inboxes.messages.send")
def attachment_by_address(case):
    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        inbox, subject = case.inbox(), unique("By address ")
        url = f"http://127.0.0.1:{server.server_address[1]}/file"
        sent = case.client.inboxes.messages.send(inbox, to=inbox, subject=subject, text="x", attachments=[SendAttachment(filename="f.txt", url=url)])
        got = case.client.inboxes.messages.get(inbox, sent.message_id)
        found = case.client.inboxes.messages.get_attachment(inbox, sent.message_id, got.attachments[0].attachment_id)
        equal(download(found.download_url), b"fetch", "what was fetched")
    finally:
        server.shutdown()
        server.server_close()


@drives("inboxes.messages.reply")
def reply(case):
    inbox, other, subject = case.inbox(), case.inbox(), unique("Question ")
    case.quiet.inboxes.messages.send(other, to=inbox, subject=subject, text="What is it?", request_options=ONCE)
    question = case.arrived(inbox, subject)
    sent = case.client.inboxes.messages.reply(inbox, question.message_id, text="It is this.", labels=["answered"])
    equal(sent.thread_id, question.thread_id, "the thread")
    answer = case.arrived(other, "Re: " + subject)
    equal((answer.message_id, answer.in_reply_to, answer.references), (sent.message_id, question.message_id, [question.message_id]), "threading")
    equal(answer.subject, "Re: " + subject, "subject")
    got = case.client.inboxes.messages.get(other, sent.message_id)
    check(got.text.startswith("It is this.") and "What is it?" in got.text, f"the original is not quoted: {got.text!r}")
    equal(got.extracted_text.strip(), "It is this.", "extracted_text")
    back = case.client.inboxes.messages.reply(other, sent.message_id, text="Thanks.")
    equal(arrives(case, inbox, back)[0].thread_id, question.thread_id, "the thread of the answer to the answer")
    equal(case.client.inboxes.messages.get(other, back.message_id).subject, "Re: " + subject, "Re: is not doubled")
    refused(404, lambda: case.client.inboxes.messages.reply(inbox, "<nothing@x.example>", text="x"), "not_found")


def arrives(case, inbox, sent):
    def look():
        return case.quiet.inboxes.messages.batch_get(inbox, message_ids=[sent.message_id], request_options=ONCE).messages
    return wait_until(look, f"{sent.message_id} in {inbox}")


@drives("inboxes.messages.reply")
def reply_goes_to_reply_to(case):
    inbox, desk, subject = case.inbox(), case.inbox(), unique("Desk ")
    question = case.receive(inbox, subject, Reply_To=desk)
    sent = case.client.inboxes.messages.reply(inbox, question, text="x")
    equal(arrives(case, desk, sent)[0].to, [desk], "recipients")
    given = case.client.inboxes.messages.reply(inbox, question, to=[desk], cc=[inbox], text="y")
    equal((arrives(case, desk, given)[0].to, arrives(case, inbox, given)[0].cc), ([desk], [inbox]), "recipients as given")
    both = case.client.inboxes.messages.reply(inbox, question, reply_all=True, text="z")
    check(inbox not in (arrives(case, desk, both)[0].cc or []), "the replying inbox is among the recipients")


@drives("inboxes.messages.reply_all")
def reply_all(case):
    inbox, other, third, subject = case.inbox(), case.inbox(), case.inbox(), unique("All ")
    case.quiet.inboxes.messages.send(other, to=inbox, cc=third, subject=subject, text="Everyone?", request_options=ONCE)
    question = case.arrived(inbox, subject)
    sent = case.client.inboxes.messages.reply_all(inbox, question.message_id, html="<p>Yes</p>")
    at_third, at_other = arrives(case, third, sent)[0], arrives(case, other, sent)[0]
    everyone = sorted((at_third.to or []) + (at_third.cc or []))
    equal(everyone, sorted([other, third]), "recipients")
    equal((at_other.in_reply_to, case.thread_of(inbox, sent.message_id)), (question.message_id, question.thread_id), "threading")


@drives("inboxes.messages.forward")
def forward(case):
    inbox, other, subject = case.inbox(), case.inbox(), unique("Report ")
    message, files = corpus.with_attachments(inbox, subject)
    source = case.receive(inbox, message=message)
    sent = case.client.inboxes.messages.forward(inbox, source, to=[other], text="For you.", attachments=[attachment("extra.bin")])
    equal(sent.thread_id, case.thread_of(inbox, source), "the thread")
    arrives(case, other, sent)
    got = case.client.inboxes.messages.get(other, sent.message_id)
    equal(got.subject, "Fwd: " + subject, "subject")
    check(got.text.startswith("For you.") and "naïve café" in got.text, f"the original does not follow: {got.text!r}")
    names = [a.filename for a in got.attachments]
    equal({"report.pdf", "notes größe.txt", "extra.bin"} - set(names), set(), f"attachments missing of {names}")
    pdf = next(a for a in got.attachments if a.filename == "report.pdf")
    found = case.client.inboxes.messages.get_attachment(other, sent.message_id, pdf.attachment_id)
    equal(download(found.download_url), files["report.pdf"], "the forwarded attachment")
    named = case.client.inboxes.messages.forward(inbox, source, to=other, subject="My own subject")
    equal(arrives(case, other, named)[0].subject, "My own subject", "the subject as given")
    refused(422, lambda: case.client.inboxes.messages.forward(inbox, source, text="to nobody"), "unprocessable")
