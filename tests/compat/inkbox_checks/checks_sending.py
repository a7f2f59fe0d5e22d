"""Sending, answering and forwarding: what goes out, what is kept, and that a repeat sends nothing."""

import base64
import email
import email.policy
import threading
from uuid import uuid4

import corpus
from coverage import drives
from inkbox.exceptions import IdempotencyKeyReusedError, InkboxAPIError
from scenario import check, equal
from submit import Captured
from world import answers, refused, unique

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()


def attached(name="a.txt", kind="text/plain", content=b"content\n", **more):
    return {"filename": name, "content_type": kind, "content_base64": base64.b64encode(content).decode(), **more}


def out(case, subject, copies=1):
    """(recipients, parsed message) of what went out with that subject."""
    recipients, octets = Captured(case.server).message(subject, copies)
    return recipients, email.message_from_bytes(octets, policy=email.policy.default)


def path_of(agent, rest=""):
    return f"/api/v1/mail/mailboxes/{agent.address}/messages{rest}"


@drives("messages.send")
def send(case):
    agent, subject = case.agent(display_name="Zoë Agent"), unique("Grüße ")
    sent = case.client.messages.send(
        agent.address, to=["one@elsewhere.example"], cc=["two@elsewhere.example"], bcc=["three@elsewhere.example"], subject=subject,
        body_text="Text", body_html='<p>HTML <img src="cid:pic"></p>',
        attachments=[attached(), attached("p.png", "image/png", b"PNG", content_id="pic")])
    equal((sent.direction.value, sent.subject, sent.from_address, sent.from_display_name), ("outbound", subject, agent.address, "Zoë Agent"), "answer")
    equal((sent.to_addresses, sent.cc_addresses, sent.has_attachments), (["one@elsewhere.example"], ["two@elsewhere.example"], True), "answer")
    recipients, message = out(case, subject, 3)
    equal(recipients, ["one@elsewhere.example", "three@elsewhere.example", "two@elsewhere.example"], "who gets it")
    check("three@" not in str(message["To"]) + str(message["Cc"]) and message["Bcc"] is None, "bcc in a header")
    equal((message["From"].addresses[0].display_name, message["Message-ID"].strip()), ("Zoë Agent", sent.message_id), "header fields")
    kept = case.client.messages.get(agent.address, sent.id)
    equal((kept.body_text.strip(), kept.bcc_addresses, kept.is_read), ("Text", ["three@elsewhere.example"], True), "the sender's copy")
    equal(sorted((one["filename"], one["is_inline"], one["content_id"]) for one in kept.attachment_metadata),
          [("a.txt", False, None), ("p.png", True, "pic")], "parts")
    inline = case.client.messages.send(agent.address, to=["one@elsewhere.example"], subject="x", body_html='<img src="cid:p">',
                                       attachments=[attached("p.png", "image/png", b"PNG", content_id="p")])
    check(not inline.has_attachments, "an inline picture counts as attachment")


@drives("messages.send", "identity.send_email", "identity.get_thread")
def answering(case):
    agent, other = case.agent(), case.agent()
    first = agent.identity.send_email(to=[other.address], subject="Question", body_text="?")
    there = case.listed(other.address, subject="Question")
    equal((there.message_id, there.direction.value), (first.message_id, "inbound"), "it came")
    for source in (first.message_id, first.message_id.strip("<>")):
        back = other.client.messages.send(other.address, to=[agent.address], subject="Re: Question", body_text="!", in_reply_to_message_id=source)
        equal(back.thread_id, there.thread_id, "thread of the answer")
        equal(case.client.messages.get(other.address, back.id).in_reply_to.strip("<>"), first.message_id.strip("<>"), "In-Reply-To")
    by_id = other.client.messages.send(other.address, to=[agent.address], subject="By id", in_reply_to_message_id=str(there.id))
    equal(by_id.thread_id, there.thread_id, "thread of an answer by UUID")
    answer = case.listed(agent.address, message_id=back.message_id)
    equal(answer.thread_id, first.thread_id, "thread of the answer where the question came from")
    check({first.id, answer.id} <= {m.id for m in agent.identity.get_thread(str(first.thread_id)).messages}, "the thread")
    alone = agent.identity.send_email(to=[other.address], subject="Question", body_text="again")
    check(alone.thread_id != first.thread_id, "threads by subject")


@drives("messages.send")
def refusals(case):
    agent = case.agent()
    good = {"recipients": {"to": ["one@elsewhere.example"]}, "subject": "x"}
    bad = [
        {"recipients": {"to": []}}, {"recipients": {}}, {"recipients": None}, {"recipients": {"to": ["nonsense"]}}, {"recipients": {"to": "a@b.example"}},
        {"recipients": {"to": ["a@b.example\r\nBcc: c@d.example"]}}, {"subject": None}, {"subject": "x" * 999}, {"subject": "a\r\nBcc: c@d.example"},
        {"subject": 5}, {"reply_to": "a@b.example\nX: y"}, {"color": "red"}, {"track_opens": True}, {"body_text": 5},
        {"attachments": [attached("virus.exe")]}, {"attachments": [attached("a.BAT")]}, {"attachments": [attached("s.scr")]},
        {"attachments": [attached(content_id="x")], "body_html": "x"}, {"attachments": [attached("p.png", "image/png", content_id="x")]},
        {"attachments": [attached("p.png", "image/png", content_id="x"), attached("q.png", "image/png", content_id="x")], "body_html": "x"},
        {"attachments": [{**attached(), "content_base64": "%%%"}]}, {"attachments": [{"filename": "a.txt"}]}, {"attachments": [attached("a\r\nb.txt")]},
        {"attachments": [attached(kind="text/plain\r\nX: y")]},
    ]
    for change in bad:
        got = case.call("POST", path_of(agent), {**good, **change})
        equal(got.status, 422, f"{str(change)[:100]} ({got.body})")
    without = case.call("POST", path_of(agent), {"recipients": {"to": ["one@elsewhere.example"]}})
    equal(without.status, 422, "without subject")
    large = base64.b64encode(bytes(27 << 20)).decode()
    got = case.call("POST", path_of(agent), {**good, "attachments": [{**attached(), "content_base64": large}]})
    check(got.status in (413, 422), f"27 MB: {got.status}")
    equal(list(case.client.messages.list(agent.address)), [], "nothing was kept")
    case.client.messages.send(agent.address, to=["one@elsewhere.example"], subject="x" * 998)
    for key in ("", "x" * 256, "größe"):
        got = case.call("POST", path_of(agent), good, headers={"Idempotency-Key": key.encode("utf-8").decode("latin-1")})
        equal(got.status, 422, f"key {key[:20]!r} ({got.body})")
    other = case.agent()
    refused(404, lambda: other.client.messages.send(agent.address, to=["one@elsewhere.example"], subject="x"))
    refused(422, lambda: agent.client.messages.send(agent.address, to=["one@elsewhere.example"], subject="x", in_reply_to_message_id="a\r\nb"))


@drives("messages.send", "message_sends.lookup", "message_sends.lookup_email")
def repeats(case):
    agent, key, subject = case.agent(), str(uuid4()), unique("Once ")

    def send(**changes):
        return case.client.messages.send(agent.address, **{"to": ["one@elsewhere.example"], "subject": subject, "body_text": "x",
                                                           "idempotency_key": key, **changes})

    first = send()
    equal([send().id for _ in range(3)], [first.id] * 3, "repeats")
    refused(409, lambda: send(body_text="y"), "idempotency_key_reused", IdempotencyKeyReusedError)
    equal(out(case, subject)[0], ["one@elsewhere.example"], "sent once")
    equal(case.client.message_sends.lookup(sender_kind="mailbox", sender_id=agent.mailbox, operation="mail.send", idempotency_key=key), first.id, "lookup")
    equal(case.client.message_sends.lookup_email(agent.address, idempotency_key=key), first.id, "lookup by address")
    refused(404, lambda: case.client.message_sends.lookup_email(agent.address, idempotency_key="unknown"))
    refused(404, lambda: case.client.message_sends.lookup_email(agent.address, operation="mail.forward", idempotency_key=key))
    stranger = case.with_key(case.stranger())
    refused(404, lambda: stranger.message_sends.lookup(sender_kind="mailbox", sender_id=agent.mailbox, operation="mail.send", idempotency_key=key))
    # The same key elsewhere is another one.
    other = case.agent()
    check(other.client.messages.send(other.address, to=["x@elsewhere.example"], subject=subject, idempotency_key=key).id != first.id, "of another mailbox")
    forwarded = case.client.messages.forward(agent.address, first.id, to=["x@elsewhere.example"], idempotency_key=key)
    check(forwarded.id != first.id, "of another operation")
    case.client.messages.delete(agent.address, forwarded.id)


@drives("messages.send")
def repeats_at_once(case):
    agent, key, subject, got, late = case.agent(), str(uuid4()), unique("Race "), [], []
    clients = [case.with_key(case.key) for _ in range(8)]

    def one(client):
        try:
            got.append(client.messages.send(agent.address, to=["one@elsewhere.example"], subject=subject, body_text="x", idempotency_key=key).id)
        except InkboxAPIError as error:  # on a slow machine the client may give up first
            late.append(error.detail["error"])

    threads = [threading.Thread(target=one, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    equal((len(got) + len(late), len(set(got))), (8, 1), f"answers, and messages ({late})")
    check(set(late) <= {"idempotency_in_progress"}, f"refused with {late}")
    equal(len(list(case.client.messages.list(agent.address))), 1, "messages")
    case.client.messages.send(agent.address, to=["x@elsewhere.example"], subject="x")


@drives("messages.reply_all", "identity.reply_all_email")
def reply_all(case):
    agent = case.agent()
    message = corpus.plain(f"{agent.address}, Second <second@client.example.net>", unique("Everybody "))
    message["Cc"] = "third@client.example.net, zoe@client.example.net"
    smtp_message = case.receive(agent.address, message=message)
    subject = message["Subject"]
    back = case.client.messages.reply_all(agent.address, smtp_message.id, body_text="All of you")
    equal((back.to_addresses, sorted(back.cc_addresses)), (["zoe@client.example.net"], ["second@client.example.net", "third@client.example.net"]), "to whom")
    equal((back.subject, back.thread_id), ("Re: " + subject, smtp_message.thread_id), "subject and thread")
    recipients, sent = out(case, "Re: " + subject, 3)
    equal(recipients, ["second@client.example.net", "third@client.example.net", "zoe@client.example.net"], "who gets it")
    equal(sent["In-Reply-To"].strip(), smtp_message.message_id, "In-Reply-To")
    check(smtp_message.message_id in sent["References"], "References")
    again = agent.identity.reply_all_email(str(back.id), body_html="<p>More</p>", reply_to="desk@elsewhere.example", attachments=[attached()])
    equal((again.subject, again.to_addresses), ("Re: " + subject, back.to_addresses), "answering one's own")
    equal(out(case, "Re: " + subject, 6)[0].count("zoe@client.example.net"), 2, "copies")
    named = case.client.messages.reply_all(agent.address, smtp_message.id, subject="Another", body_text="x", idempotency_key="reply-1")
    equal((named.subject, named.thread_id), ("Another", smtp_message.thread_id), "another subject, same thread")
    equal(case.client.messages.reply_all(agent.address, smtp_message.id, subject="Another", body_text="x", idempotency_key="reply-1").id, named.id, "a repeat")
    equal(case.client.message_sends.lookup_email(agent.address, operation="mail.reply_all", idempotency_key="reply-1"), named.id, "lookup")
    path = path_of(agent, f"/{smtp_message.id}/reply-all")
    for body in ({"recipients": {"to": ["x@elsewhere.example"]}}, {"subject": "a\nb"}, {"reply_to": "x"}, []):
        answers(case.call("POST", path, body), 422)
    refused(404, lambda: case.client.messages.reply_all(agent.address, uuid4(), body_text="x"))


@drives("messages.forward", "identity.forward_email")
def forward(case):
    agent, (message, files) = case.agent(), corpus.with_attachments("x@client.example.net", unique("Report "))
    source, subject = case.receive(agent.address, message=message), message["Subject"]
    sent = case.client.messages.forward(agent.address, source.id, to=["one@elsewhere.example"], body_text="See below", additional_attachments=[attached()])
    equal(sent.subject, "Fwd: " + subject, "subject")
    check(sent.thread_id != source.thread_id, "the same thread")
    parts = list(out(case, "Fwd: " + subject)[1].walk())
    text = next(part.get_content() for part in parts if part.get_content_type() == "text/plain")
    check("See below" in text and "Größe 7" in text, f"text is {text!r}")
    check({"report.pdf", "a.txt"} <= {part.get_filename() for part in parts}, "attachments")
    equal(next(p.get_payload(decode=True) for p in parts if p.get_filename() == "report.pdf"), files["report.pdf"], "an attachment's octets")
    again = agent.identity.forward_email(str(sent.id), cc=["two@elsewhere.example"], include_original_attachments=False, subject=None, reply_to="d@elsewhere.example")
    equal((again.subject, again.cc_addresses), ("Fwd: " + subject, ["two@elsewhere.example"]), "Fwd is not doubled")
    wrapped = unique("Wrapped ")
    case.client.messages.forward(agent.address, source.id, bcc=["three@elsewhere.example"], mode="wrapped", subject=wrapped, body_text="Attached")
    recipients, whole = out(case, wrapped)
    inner = [part for part in whole.iter_parts() if part.get_content_type() == "message/rfc822"]
    equal((recipients, len(inner)), (["three@elsewhere.example"], 1), "one part with the message")
    equal(inner[0].get_payload(0)["Message-ID"].strip(), source.message_id, "the message within")
    path = path_of(agent, f"/{source.id}/forward")
    to = {"recipients": {"to": ["one@elsewhere.example"]}}
    for body in ({"recipients": {}}, {**to, "mode": "upside-down"}, {**to, "additional_attachments": [attached("p.png", "image/png", content_id="p")]},
                 {**to, "subject": "a\r\nb"}, {**to, "track_opens": True, "mode": "wrapped"}, {**to, "color": "red"}):
        got = case.call("POST", path, body)
        equal(got.status, 422, f"{body} ({got.body})")
    refused(404, lambda: case.client.messages.forward(agent.address, uuid4(), to=["one@elsewhere.example"]))
