"""Reading messages, their labels and their attachments."""

import datetime

import corpus
import smtp
from coverage import drives
from imap import Imap
from scenario import check, equal
from world import download, flags_of, pages, refused, unique


@drives("inboxes.messages.get")
def get(case):
    inbox, subject = case.inbox(), unique("Größe ")
    message, _ = corpus.with_attachments(inbox, subject)
    message["Cc"], message["Reply-To"], message["X-Order"] = "Max Müller <max@other.example>", "desk@client.example.net", "4711"
    message_id = case.receive(inbox, message=message)
    got = case.client.inboxes.messages.get(inbox, message_id)
    equal((got.inbox_id, got.message_id, got.subject), (inbox, message_id, subject), "what it is")
    equal((got.from_, got.to, got.cc), (corpus.FROM, [inbox], ["Max Müller <max@other.example>"]), "addresses")
    equal(got.reply_to, ["desk@client.example.net"], "reply_to")
    check(got.text.startswith("The report: Größe 7, naïve café, 日本語."), f"text is {got.text!r}")
    check("<b>report</b>" in got.html, f"html is {got.html!r}")
    check(got.preview and got.preview.startswith("The report: Größe 7"), f"preview is {got.preview!r}")
    equal({"received", "unread"} - set(got.labels), set(), f"missing of the labels {got.labels}")
    check((got.headers or {}).get("X-Order") == "4711", f"headers are {got.headers}")
    equal([a.filename for a in got.attachments][:2], ["report.pdf", "notes größe.txt"], "attachments")
    stored = next(iter(case.imap(inbox, "INBOX").fetch("1:*", "BODY.PEEK[]").values()))[1]
    equal(got.size, len(stored), "size, and octets over IMAP")
    equal(flags_of(case.imap(inbox, "INBOX"), "report.pdf"), [], "reading over the API does not mark as read")
    refused(404, lambda: case.client.inboxes.messages.get(inbox, "<nothing@client.example.net>"), "not_found")
    refused(404, lambda: case.client.inboxes.messages.get(case.inbox(), message_id), "not_found")


@drives("inboxes.messages.get")
def get_by_odd_ids(case):
    inbox = case.inbox()
    for odd in ("org/repo/pull/1@forge.example", "a+b=c&d*e'f@client.example.net"):
        odd = f"{unique()}-{odd}"
        case.receive(inbox, odd, Message_ID=f"<{odd}>")
        equal(case.client.inboxes.messages.get(inbox, f"<{odd}>").subject, odd, "the message with that id")
        equal("unread" in case.client.inboxes.messages.update(inbox, f"<{odd}>", remove_labels=["unread"]).labels, False, "unread")


@drives("inboxes.messages.get")
def quoted_text_is_cut(case):
    inbox = case.inbox()
    text = "Yes, Friday is fine.\n\nOn Mon, 2 Nov 2026 at 10:00, Agent <agent@example.test> wrote:\n> Shall we meet on Friday?\n"
    got = case.client.inboxes.messages.get(inbox, case.receive(inbox, "Re: Friday", text))
    equal(got.extracted_text.strip(), "Yes, Friday is fine.", "extracted_text")
    check("> Shall we meet" in got.text, "text has the whole")
    plain = case.client.inboxes.messages.get(inbox, case.receive(inbox, "Plain", "Nothing is quoted.\n"))
    equal(plain.extracted_text.strip(), plain.text.strip(), "extracted_text without a quote")


@drives("inboxes.messages.list")
def list_messages(case):
    inbox = case.inbox()
    ids = [case.receive(inbox, f"Number {n} of five") for n in range(5)]
    page = case.client.inboxes.messages.list(inbox)
    equal([item.message_id for item in page.messages], ids[::-1], "newest first")
    check(page.messages[0].preview and not hasattr(page.messages[0], "text"), "items have a preview and no body")
    equal([item.message_id for item in pages(case.client.inboxes.messages.list, inbox)], ids[::-1], "in pages")
    equal([item.message_id for item in pages(case.client.inboxes.messages.list, inbox, ascending=True)], ids, "oldest first")
    equal([m.message_id for m in case.client.inboxes.messages.list(inbox, subject=["NUMBER 3"]).messages], [ids[3]], "subject")
    equal(case.client.inboxes.messages.list(inbox, from_=["zoe@client", "outside"]).count, 5, "from, every value")
    equal(case.client.inboxes.messages.list(inbox, from_=["zoe@client", "nobody"]).count, 0, "from, one value that is not there")
    equal(case.client.inboxes.messages.list(inbox, to=[inbox]).count, 5, "to")
    case.client.inboxes.messages.update(inbox, ids[1], add_labels=["urgent", "customer"])
    equal([m.message_id for m in case.client.inboxes.messages.list(inbox, labels=["urgent", "customer"]).messages], [ids[1]], "two labels")
    equal(case.client.inboxes.messages.list(inbox, labels=["urgent", "nobody"]).count, 0, "labels are AND")
    stamps = [item.timestamp for item in page.messages][::-1]
    after = case.client.inboxes.messages.list(inbox, after=stamps[2], ascending=True)
    equal([m.message_id for m in after.messages], [i for i, at in zip(ids, stamps) if at >= stamps[2]], "after is inclusive")
    before = case.client.inboxes.messages.list(inbox, before=stamps[2], ascending=True)
    equal([m.message_id for m in before.messages], [i for i, at in zip(ids, stamps) if at < stamps[2]], "before is exclusive")
    offset = stamps[0].astimezone(datetime.timezone(datetime.timedelta(hours=2)))
    equal(case.client.inboxes.messages.list(inbox, after=offset).count, 5, "a time with an offset")
    refused(400, lambda: case.client.inboxes.messages.list(inbox, page_token="!"), "validation_error")
    refused(404, lambda: case.client.inboxes.messages.list("nobody-here@example.test"), "not_found")


@drives("inboxes.messages.list")
def hidden_mail(case):
    inbox = case.inbox()
    ids = {label: case.receive(inbox, label) for label in ("spam", "trash", "plain")}
    for label in ("spam", "trash"):
        case.client.inboxes.messages.update(inbox, ids[label], add_labels=[label])
    shown = lambda **options: {m.subject for m in case.client.inboxes.messages.list(inbox, **options).messages}  # noqa: E731
    equal(shown(), {"plain"}, "shown unless asked")
    equal(shown(include_spam=True), {"plain", "spam"}, "with include_spam")
    equal(shown(include_trash=True, include_spam=True), {"plain", "spam", "trash"}, "with both")
    for mailbox in ("Spam", "Trash"):
        equal(case.imap(inbox).select(mailbox)["exists"], 1, f"messages in {mailbox} over IMAP")


@drives("inboxes.messages.update")
def update(case):
    inbox = case.inbox()
    message_id = case.receive(inbox, "Labels")
    session = case.imap(inbox, "INBOX")
    changed = case.client.inboxes.messages.update(inbox, message_id, add_labels=["Important", "zwei"], remove_labels="unread")
    equal(changed.message_id, message_id, "message_id")
    equal({"important", "zwei"} - set(changed.labels), set(), f"missing of {changed.labels}")
    check("unread" not in changed.labels, f"labels are {changed.labels}")
    session.command("NOOP")
    equal({"\\seen", "important", "zwei"} - flags_of(session, "Labels")[0], set(), "flags that IMAP lacks")
    session.command("STORE 1 -FLAGS (\\Seen important)")
    session.command("STORE 1 +FLAGS (Over-IMAP)")
    labels = case.client.inboxes.messages.get(inbox, message_id).labels
    equal({"unread", "zwei", "over-imap"} - set(labels), set(), f"labels after STORE, missing of {labels}")
    check("important" not in labels, f"important is still there: {labels}")
    for label in ("received", "sent", "bounced"):
        refused(400, lambda label=label: case.client.inboxes.messages.update(inbox, message_id, add_labels=[label]), "validation_error")
    refused(400, lambda: case.client.inboxes.messages.update(inbox, message_id), "validation_error")
    refused(404, lambda: case.client.inboxes.messages.update(inbox, "<nothing@x.example>", add_labels=["a"]), "not_found")


@drives("inboxes.messages.batch_get")
def batch_get(case):
    inbox = case.inbox()
    ids = [case.receive(inbox, f"Batch {n}") for n in range(3)]
    got = case.client.inboxes.messages.batch_get(inbox, message_ids=[ids[2], "<missing@x.example>", ids[0]])
    equal((got.limit, got.count), (3, 2), "limit and count")
    equal([m.message_id for m in got.messages], [ids[2], ids[0]], "in the order asked")
    check(all(m.text is None and m.html is None for m in got.messages), "without bodies")
    refused(400, lambda: case.client.inboxes.messages.batch_get(inbox, message_ids=[ids[0], ids[0]]), "validation_error")
    refused(400, lambda: case.client.inboxes.messages.batch_get(inbox, message_ids=[]), "validation_error")


@drives("inboxes.messages.batch_update")
def batch_update(case):
    inbox = case.inbox()
    ids = [case.receive(inbox, f"Batch {n}") for n in range(3)]
    got = case.client.inboxes.messages.batch_update(inbox, message_ids=[ids[1], "<missing@x.example>", ids[0]], add_labels=["done"],
                                                    remove_labels=["unread"])
    equal((got.limit, got.count, [u.message_id for u in got.updates]), (3, 2, [ids[1], ids[0]]), "what was updated")
    check(all("done" in u.labels and "unread" not in u.labels for u in got.updates), f"labels are {got.updates}")
    session = case.imap(inbox, "INBOX")
    equal(len(session.fetch("1:*", "BODY.PEEK[HEADER]")), 3, "messages over IMAP")
    equal([sorted(f & {"\\seen", "done"}) for f in flags_of(session, "Batch")], [["\\seen", "done"]] * 2 + [[]], "flags over IMAP")
    refused(400, lambda: case.client.inboxes.messages.batch_update(inbox, message_ids=ids, add_labels=["sent"]), "validation_error")


@drives("inboxes.messages.search")
def search(case):
    inbox, word = case.inbox(), unique("needle")
    by_text = case.receive(inbox, "Plain subject", f"The word {word} is in here.\n")
    by_subject = case.receive(inbox, f"About {word}")
    hidden = case.receive(inbox, f"Spam about {word}")
    case.client.inboxes.messages.update(inbox, hidden, add_labels=["spam"])
    case.receive(inbox, "Something else")
    got = case.client.inboxes.messages.search(inbox, q=word)
    equal({m.message_id for m in got.messages}, {by_text, by_subject}, "found, and never spam")
    marks = {m.message_id: m.highlights for m in got.messages}
    check(marks[by_text].text and f"**{word}**" in marks[by_text].text[0] and not marks[by_text].subject, f"highlights: {marks[by_text]}")
    check(marks[by_subject].subject and f"**{word}**" in marks[by_subject].subject[0], f"highlights: {marks[by_subject]}")
    check(not case.client.inboxes.messages.search(inbox, q=word[1:-1] + "zz").messages, "what is not there is not found")
    equal(case.client.inboxes.messages.search(inbox, q="zoe@client.example").count, 3, "by a part of the sender")
    refused(400, lambda: case.client.inboxes.messages.search(inbox, q=""), "validation_error")


@drives("inboxes.messages.delete")
def delete(case):
    inbox = case.inbox()
    gone, kept = case.receive(inbox, "Goes"), case.receive(inbox, "Stays")
    session = case.imap(inbox, "INBOX")
    case.client.inboxes.messages.delete(inbox, gone)
    refused(404, lambda: case.client.inboxes.messages.get(inbox, gone), "not_found")
    untagged, _ = session.command("NOOP")
    check(any(b"EXPUNGE" in r[0] or b"VANISHED" in r[0] for r in untagged), f"IMAP heard {untagged}")
    equal([m.message_id for m in case.client.inboxes.messages.list(inbox, include_trash=True).messages], [kept], "what is left")
    refused(404, lambda: case.client.inboxes.messages.delete(inbox, gone), "not_found")


@drives("inboxes.messages.get_raw")
def get_raw(case):
    inbox = case.inbox()
    content = corpus.octets(corpus.with_attachments(inbox)[0])
    smtp.deliver(case.server, [inbox], content, parameters=" BODY=8BITMIME")
    message_id = case.client.inboxes.messages.list(inbox).messages[0].message_id
    raw = case.client.inboxes.messages.get_raw(inbox, message_id)
    stored = download(raw.download_url)
    equal((raw.message_id, raw.size), (message_id, len(stored)), "id and size")
    check(corpus.without_trace(stored, content) is not None, "what is downloaded is not what was sent")
    with Imap(case.server, inbox, case.key) as session:
        session.select()
        equal(session.body(session.uids()[0]), stored, "what IMAP has")


@drives("inboxes.messages.get_attachment")
def get_attachment(case):
    inbox = case.inbox()
    message, files = corpus.with_attachments(inbox)
    message_id = case.receive(inbox, message=message)
    for attachment in case.client.inboxes.messages.get(inbox, message_id).attachments[:2]:
        got = case.client.inboxes.messages.get_attachment(inbox, message_id, attachment.attachment_id)
        content = download(got.download_url)
        equal(content, files[got.filename], f"content of {got.filename}")
        equal((got.size, got.attachment_id, got.content_disposition), (len(content), attachment.attachment_id, "attachment"), "what it says")
    refused(404, lambda: case.client.inboxes.messages.get_attachment(inbox, message_id, "nothing"), "not_found")


@drives("inboxes.events.list")
def inbox_events(case):
    inbox = case.inbox()
    message_id = case.receive(inbox, "Events")
    case.quiet.inboxes.messages.update(inbox, message_id, add_labels=["first"])
    case.imap(inbox, "INBOX").command("STORE 1 +FLAGS (\\Seen)")
    seen = [(e.event_type, e.label) for e in pages(case.client.inboxes.events.list, inbox, ascending=True) if e.message_id == message_id]
    for wanted in (("label.added", "first"), ("label.removed", "unread")):
        check(wanted in seen, f"no {wanted} in {seen}")
    newest = case.client.inboxes.events.list(inbox, limit=1).events[0]
    equal((newest.event_type, newest.label, newest.inbox_id), ("label.removed", "unread", inbox), "the newest")
