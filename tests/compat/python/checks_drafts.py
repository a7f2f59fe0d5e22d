"""Drafts: over the API, over IMAP, and sent later."""

import base64
import datetime
import time

import corpus
from agentmail.attachments import SendAttachment
from coverage import at_levels, drives
from scenario import check, equal, wait_until
from world import ONCE, download, pages, refused, unique


def soon(seconds):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def new(case, inbox, **fields):
    return case.quiet.inboxes.drafts.create(inbox, request_options=ONCE, **fields)


def file(name="plan.txt", content=b"the plan\n"):
    return SendAttachment(filename=name, content_type="text/plain", content=base64.b64encode(content).decode())


@at_levels("drafts.list")
def list_drafts(case, level):
    scene = case.scene(level)
    made = [new(case, scene.inbox, subject=f"Draft {n}", to=["x@client.example.net"]).draft_id for n in range(3)]
    mine = lambda **options: [d.draft_id for d in pages(scene.on("drafts").list, **options) if d.inbox_id == scene.inbox]  # noqa: E731
    equal(mine(), made[::-1], "newest first")
    equal(mine(ascending=True), made, "oldest first")
    case.quiet.inboxes.drafts.update(scene.inbox, made[0], subject="Changed", request_options=ONCE)
    equal(mine(), [made[0], made[2], made[1]], "by the last change")
    case.quiet.inboxes.drafts.update(scene.inbox, made[1], add_labels=["marked"], request_options=ONCE)
    equal(mine(labels=["marked"]), [made[1]], "by label")
    equal(case.imap(scene.inbox).select("Drafts")["exists"], 3, "messages in Drafts over IMAP")


@at_levels("drafts.get")
def get(case, level):
    scene = case.scene(level)
    made = new(case, scene.inbox, to=["Max <max@client.example.net>"], cc=["c@client.example.net"], bcc=["b@client.example.net"], subject="Größe",
               text="Text.", html="<p>Text.</p>", reply_to=["r@client.example.net"], labels=["mine"], client_id=unique("client"))
    got = scene.on("drafts").get(made.draft_id)
    equal((got.to, got.cc, got.bcc, got.reply_to), (made.to, ["c@client.example.net"], ["b@client.example.net"], ["r@client.example.net"]), "addresses")
    equal((got.subject, got.client_id, got.inbox_id), ("Größe", made.client_id, scene.inbox), "the rest")
    check(got.text.strip() == "Text." and "<p>Text.</p>" in got.html and "mine" in got.labels, f"the draft is {got}")
    refused(404, lambda: scene.on("drafts").get("01890000-0000-7000-8000-000000000000"), "not_found")


@at_levels("drafts.get_attachment")
def get_attachment(case, level):
    scene = case.scene(level)
    made = new(case, scene.inbox, subject="x", attachments=[file()])
    got = scene.on("drafts").get_attachment(made.draft_id, made.attachments[0].attachment_id)
    equal((got.filename, download(got.download_url)), ("plan.txt", b"the plan\n"), "the attachment")
    refused(404, lambda: scene.on("drafts").get_attachment(made.draft_id, "nothing"), "not_found")


@drives("inboxes.drafts.create")
def create(case):
    inbox, client_id = case.inbox(), unique("client")
    made = case.client.inboxes.drafts.create(inbox, to=[inbox], subject="First", text="x", client_id=client_id)
    again = case.client.inboxes.drafts.create(inbox, subject="Second", client_id=client_id)
    equal((again.draft_id, again.subject), (made.draft_id, "First"), "the same client_id again")
    check(made.send_status is None and made.send_at is None and "scheduled" not in made.labels, f"the draft is {made}")
    check(case.client.inboxes.drafts.create(inbox).draft_id, "a draft of nothing")
    body = case.imap(inbox, "Drafts").body(1)
    check(b"Subject: First" in body, f"over IMAP it is {body!r}")
    equal(case.client.inboxes.messages.list(inbox).count, 0, "messages in the list")


@drives("inboxes.drafts.create")
def create_reply(case):
    inbox, subject = case.inbox(), unique("Question ")
    source = case.receive(inbox, subject, Cc="third@client.example.net")
    made = case.client.inboxes.drafts.create(inbox, in_reply_to=source, text="Soon.")
    equal((made.to, made.subject, made.in_reply_to, made.references), ([corpus.FROM], "Re: " + subject, source, [source]), "a reply draft")
    everyone = case.client.inboxes.drafts.create(inbox, in_reply_to=source, reply_all=True)
    check(any("third@" in one for one in (everyone.to or []) + (everyone.cc or [])), f"reply_all leaves out the third: {everyone}")
    refused(400, lambda: case.client.inboxes.drafts.create(inbox, in_reply_to=source, reply_all=True, to=["x@client.example.net"]), "validation_error")
    refused(400, lambda: case.client.inboxes.drafts.create(inbox, in_reply_to=source, forward_of=source), "validation_error")
    sent = case.client.inboxes.drafts.send(inbox, made.draft_id)
    equal(sent.thread_id, case.thread_of(inbox, source), "the thread")


@drives("inboxes.drafts.create")
def create_forward(case):
    inbox, other, subject = case.inbox(), case.inbox(), unique("Report ")
    message, files = corpus.with_attachments(inbox, subject)
    source = case.receive(inbox, message=message)
    made = case.client.inboxes.drafts.create(inbox, forward_of=source, text="See below.")
    equal((made.subject, made.forward_of), ("Fwd: " + subject, source), "a forward draft")
    case.client.inboxes.drafts.update(inbox, made.draft_id, to=[other])
    sent = case.client.inboxes.drafts.send(inbox, made.draft_id)
    case.arrived(other, subject)
    got = case.client.inboxes.messages.get(other, sent.message_id)
    check(got.text.startswith("See below.") and "naïve café" in got.text, f"the body is {got.text!r}")
    check("report.pdf" in [a.filename for a in got.attachments], f"attachments are {got.attachments}")


@drives("inboxes.drafts.update")
def update(case):
    inbox = case.inbox()
    made = new(case, inbox, to=["a@client.example.net"], cc=["c@client.example.net"], subject="First", text="x", attachments=[file()])
    api = case.client.inboxes.drafts
    changed = api.update(inbox, made.draft_id, subject="Second", to=["b@client.example.net"], add_labels=["one", "two"])
    equal((changed.draft_id, changed.subject, changed.to, changed.cc), (made.draft_id, "Second", ["b@client.example.net"], made.cc), "after a change")
    check(changed.text.strip() == "x" and {"one", "two"} <= set(changed.labels), f"the draft is {changed}")
    changed = api.update(inbox, made.draft_id, cc=None, remove_labels=["two"], add_attachments=[file("more.txt", b"more")])
    equal((changed.cc or None, sorted(a.filename for a in changed.attachments)), (None, ["more.txt", "plan.txt"]), "null clears, one more file")
    changed = api.update(inbox, made.draft_id, remove_attachments=[a.attachment_id for a in changed.attachments if a.filename == "plan.txt"], to=[])
    equal((changed.to or None, [a.filename for a in changed.attachments]), (None, ["more.txt"]), "[] clears, one file less")
    check("two" not in changed.labels, f"labels are {changed.labels}")
    session = case.imap(inbox)
    equal(session.select("Drafts")["exists"], 1, "messages in Drafts over IMAP")
    check(b"Subject: Second" in session.fetch("1:*", "BODY.PEEK[]").popitem()[1][1], "the old text is in Drafts")
    refused(404, lambda: api.update(inbox, "01890000-0000-7000-8000-000000000000", subject="x"), "not_found")


@drives("inboxes.drafts.get")
def saved_again_over_imap(case):
    inbox = case.inbox()
    message = corpus.plain("x@client.example.net", "From the desktop", "One.\n")
    del message["From"]
    message["From"] = inbox
    session = case.imap(inbox)
    session.append("Drafts", corpus.octets(message), "\\Draft \\Seen")
    before = case.client.inboxes.drafts.list(inbox).drafts
    equal([d.subject for d in before], ["From the desktop"], "drafts")
    message.set_content("Two.\n")
    session.append("Drafts", corpus.octets(message), "\\Draft \\Seen")
    session.select("Drafts")
    session.command("STORE 1 +FLAGS (\\Deleted)")
    session.command("EXPUNGE")
    after = case.client.inboxes.drafts.get(inbox, before[0].draft_id)
    equal((after.draft_id, after.text.strip()), (before[0].draft_id, "Two."), "the draft saved again")
    equal(case.client.inboxes.drafts.list(inbox).count, 1, "drafts afterwards")


@drives("inboxes.drafts.send")
def send(case):
    inbox, other, subject, key = case.inbox(), case.inbox(), unique("Draft "), unique("once")
    made = new(case, inbox, to=[other], subject=subject, text="From a draft.", labels=["mine"], attachments=[file()])
    sent = case.client.inboxes.drafts.send(inbox, made.draft_id, add_labels=["extra"], idempotency_key=key)
    again = case.client.inboxes.drafts.send(inbox, made.draft_id, add_labels=["extra"], idempotency_key=key)
    equal(again.message_id, sent.message_id, "the answer to the same request")
    equal(case.arrived(other, subject).message_id, sent.message_id, "what arrived")
    own = case.client.inboxes.messages.get(inbox, sent.message_id)
    check({"sent", "mine", "extra"} <= set(own.labels) and "draft" not in own.labels, f"labels are {own.labels}")
    refused(404, lambda: case.client.inboxes.drafts.get(inbox, made.draft_id), "not_found")
    equal((case.imap(inbox).select("Drafts")["exists"], case.imap(inbox).select("Sent")["exists"]), (0, 1), "in Drafts and in Sent over IMAP")


@drives("inboxes.drafts.send")
def send_later(case):
    inbox, other, subject = case.inbox(), case.inbox(), unique("Later ")
    made = case.client.inboxes.drafts.create(inbox, to=[other], subject=subject, text="x", send_at=soon(3))
    check(made.send_status == "scheduled" and "scheduled" in made.labels and made.send_at, f"the draft is {made}")
    equal(case.client.inboxes.drafts.list(inbox, labels=["scheduled"]).count, 1, "scheduled drafts")
    calm = case.client.inboxes.drafts.create(inbox, to=[other], subject="Never " + subject, text="x", send_at=soon(3))
    calm = case.client.inboxes.drafts.update(inbox, calm.draft_id, send_at=None)
    check(calm.send_at is None and calm.send_status is None and "scheduled" not in calm.labels, f"unscheduled it is {calm}")
    time.sleep(1)
    check(not case.client.inboxes.messages.list(other).messages, "sent too early")
    case.arrived(other, subject)
    wait_until(lambda: case.client.inboxes.drafts.list(inbox).count == 1, "the sent draft to go")
    equal([m.subject for m in case.client.inboxes.messages.list(other).messages], [subject], "what arrived")
    now = new(case, inbox, to=[other], subject="Now " + subject, text="x")
    case.client.inboxes.drafts.send(inbox, now.draft_id)


@drives("inboxes.drafts.delete")
def delete(case):
    inbox = case.inbox()
    made = new(case, inbox, subject="Gone")
    case.client.inboxes.drafts.delete(inbox, made.draft_id)
    refused(404, lambda: case.client.inboxes.drafts.get(inbox, made.draft_id), "not_found")
    refused(404, lambda: case.client.inboxes.drafts.delete(inbox, made.draft_id), "not_found")
    equal(case.imap(inbox).select("Drafts")["exists"], 0, "messages in Drafts over IMAP")
