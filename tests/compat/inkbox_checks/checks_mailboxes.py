"""Mailboxes, their signatures and modes, search; messages as they are listed, read, marked and deleted; attachments."""

import datetime
import urllib.parse
from uuid import uuid4

import api
import corpus
from coverage import drives
from inkbox.mail.types import MessageDirection
from scenario import check, equal, wait_until
from world import answers, download, refused, unique


@drives("mailboxes.list", "mailboxes.get")
def mailboxes(case):
    agent, other, plain = case.agent(), case.agent(), api.create_inbox(case.server, unique("box"))
    listed = {box.email_address: box for box in case.client.mailboxes.list()}
    equal(listed[agent.address].agent_identity_id, agent.id, "whose mailbox")
    equal(listed[plain.address].agent_identity_id, None, "a mailbox of no identity")
    got = case.client.mailboxes.get(agent.address.upper())
    equal((got.id, got.sending_domain, got.storage_used_bytes), (agent.mailbox, case.domain, 0), "the mailbox")
    case.receive(agent.address, text="x" * 3000 + "\n")
    check(wait_until(lambda: case.client.mailboxes.get(agent.address).storage_used_bytes, "storage to be counted") > 3000, "storage")
    equal([box.id for box in agent.client.mailboxes.list()], [agent.mailbox], "an agent's list")
    for address in (other.address, plain.address, "nobody@" + case.domain, "nonsense"):
        refused(404, lambda address=address: agent.client.mailboxes.get(address))


@drives("mailboxes.update")
def update(case):
    agent = case.agent()
    changed = case.client.mailboxes.update(agent.address, signature_html="<p>Zoë</p>", signature_text="Zoë", signature_enabled=True)
    equal((changed.signature_html, changed.signature_text, changed.signature_enabled), ("<p>Zoë</p>", "Zoë", True), "the signature")
    equal(changed.filter_mode_change_notice, None, "no notice without a change")
    sent = case.client.messages.send(agent.address, to=[agent.address], subject="Signed", body_text="Body")
    check("Zoë" in case.client.messages.get(agent.address, sent.id).body_text, "not signed")
    off = case.client.mailboxes.update(agent.address, signature_enabled=False, signature_html=None)
    equal((off.signature_html, off.signature_text, off.signature_enabled), (None, "Zoë", False), "null clears, absent keeps")
    sent = case.client.messages.send(agent.address, to=[agent.address], subject="Plain", body_text="Body")
    check("Zoë" not in case.client.messages.get(agent.address, sent.id).body_text, "signed")
    agent.identity.create_mail_contact_rule(action="block", match_type="domain", match_target="bad.example")
    notice = case.client.mailboxes.update(agent.address, filter_mode="whitelist").filter_mode_change_notice
    equal((notice.new_filter_mode.value, notice.redundant_rule_action, notice.redundant_rule_count), ("whitelist", "block", 1), "the notice")
    equal(case.client.identities.get(agent.handle).mail_filter_mode.value, "whitelist", "the identity's mode")
    refused(403, lambda: agent.client.mailboxes.update(agent.address, filter_mode="blacklist"))
    path = f"/api/v1/mail/mailboxes/{agent.address}"
    for body in ({"display_name": "x"}, {"filter_mode": "grey"}, {"signature_text": "x" * 16385}, {"signature_enabled": "yes"}, []):
        answers(case.call("PATCH", path, body), 422)
    case.client.mailboxes.update(agent.address, signature_text="x" * 16384)


@drives("mailboxes.search")
def search(case):
    agent, word = case.agent(), unique("marmalade").replace("-", "")
    case.receive(agent.address, f"About {word}", "Nothing else.\n")
    case.receive(agent.address, "Other", f"The body has {word} in it.\n")
    case.receive(agent.address, "Third", "Neither.\n")
    found = wait_until(lambda: len(hits := case.client.mailboxes.search(agent.address, q=word)) == 2 and hits, "two hits")
    equal({message.subject for message in found}, {f"About {word}", "Other"}, "what was found")
    equal(len(case.client.mailboxes.search(agent.address, q=word, limit=1)), 1, "one hit")
    equal(case.client.mailboxes.search(agent.address, q=unique("nowhere")), [], "no hit")
    for q in ('"', "'", "(", "[", "*", "OR", "AND NOT", "\\", "a:b", "^", "~", "%", "\u0000x", "größe" * 200, "{}", "+-"):
        found = case.call("GET", f"/api/v1/mail/mailboxes/{agent.address}/search?" + urllib.parse.urlencode({"q": q}))
        check(found.status in (200, 422), f"{q!r} gives {found.status}: {found.body}")
    for query in ("q=x&limit=0", "q=x&limit=101", "q=x&limit=many", ""):
        answers(case.call("GET", f"/api/v1/mail/mailboxes/{agent.address}/search?{query}"), 422)
    refused(404, lambda: agent.client.mailboxes.search(case.agent().address, q=word))


@drives("messages.list", "identity.iter_emails", "identity.iter_unread_emails")
def listing(case):
    agent = case.agent()
    for number in range(5):
        case.receive(agent.address, f"Number {number}")
    sent = case.client.messages.send(agent.address, to=["x@elsewhere.example"], subject="Out", body_text="x")
    everything = ["Out", *(f"Number {n}" for n in (4, 3, 2, 1, 0))]
    for page_size in (1, 2, 6, 100):
        equal([m.subject for m in case.client.messages.list(agent.address, page_size=page_size)], everything, f"pages of {page_size}")
    equal([m.id for m in case.client.messages.list(agent.address, direction=MessageDirection.OUTBOUND)], [sent.id], "outbound")
    equal(len(list(agent.identity.iter_emails(direction=MessageDirection.INBOUND, page_size=2))), 5, "inbound")
    first = list(case.client.messages.list(agent.address))[1]
    case.client.messages.get(agent.address, first.id)
    equal({m.subject for m in agent.identity.iter_unread_emails()} & set(everything[1:]), set(everything[2:]), "unread")
    received = list(case.client.messages.list(agent.address))[1]
    equal((received.direction.value, received.status, received.from_address, received.from_display_name),
          ("inbound", "received", "zoe@client.example.net", "Zoë Outside"), "an inbound one")
    equal((received.to_addresses, received.mailbox_id, received.has_attachments, received.snippet), ([agent.address], agent.mailbox, False, "Hello, agent."),
          "an inbound one")
    # A page stays where it was, whatever comes in.
    pages = case.client.messages.list(agent.address, page_size=3)
    seen = [next(pages).subject for _ in range(3)]
    case.receive(agent.address, "Late")
    equal(seen + [m.subject for m in pages], everything, "pages while mail comes in")
    path = f"/api/v1/mail/mailboxes/{agent.address}/messages?"
    for query in ("limit=0", "limit=101", "limit=x", "cursor=nonsense", "direction=sideways", "start_datetime=yesterday", "tz=Mars/Base", "end_datetime=2026-13-01"):
        answers(case.call("GET", path + query), 422)


@drives("messages.list")
def dates(case):
    agent = case.agent()
    message = case.receive(agent.address, "Now")
    at, day = message.created_at, datetime.timedelta(days=1)

    def found(**options):
        return [m.id for m in case.client.messages.list(agent.address, **options)] == [message.id]

    today, before, after = (str((at + shift).date()) for shift in (datetime.timedelta(), -day, day))
    second, milli = datetime.timedelta(seconds=1), datetime.timedelta(milliseconds=1)
    check(found(start_datetime=today, end_datetime=today), "a whole day, its end too")
    check(not found(end_datetime=before) and not found(start_datetime=after), "other days")
    check(found(start_datetime=at.isoformat()) and not found(start_datetime=(at + milli).isoformat()), "the start is part of it")
    check(found(end_datetime=(at + second).isoformat()) and not found(end_datetime=(at - second).isoformat()), "an exact end")
    naive = at.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30))).replace(tzinfo=None)
    check(found(start_datetime=(naive - second).isoformat(), end_datetime=(naive + second).isoformat(), tz="Asia/Kolkata"), "a time in a zone")
    check(not found(start_datetime=(naive - second).isoformat(), end_datetime=(naive + second).isoformat()), "the same without the zone")
    local = str(naive.date())
    check(found(start_datetime=local, end_datetime=local, tz="Asia/Kolkata"), "a day in a zone")


@drives("messages.get", "identity.get_message")
def get(case):
    agent = case.agent()
    message = corpus.with_attachments(agent.address)[0]
    message["Cc"] = "Third <third@client.example.net>"
    listed = case.receive(agent.address, message=message, In_Reply_To="<a@b.example>", References="<z@b.example> <a@b.example>")
    check(not listed.is_read and listed.has_attachments, f"listed {listed}")
    check(not case.listed(agent.address).is_read, "listing marks it read")
    got = case.client.messages.get(agent.address, listed.id)
    check("Größe 7, naïve café, 日本語" in got.body_text and "<b>report</b>" in got.body_html, "bodies")
    equal((got.in_reply_to.strip("<>"), [one.strip("<>") for one in got.references]), ("a@b.example", ["z@b.example", "a@b.example"]), "threading fields")
    equal((got.message_id, got.cc_addresses, got.bcc_addresses or []), (message["Message-ID"], ["third@client.example.net"], []), "addresses")
    equal((got.reply_all_recipients.to, got.reply_all_recipients.cc), (["zoe@client.example.net"], ["third@client.example.net"]), "whom to answer")
    check(case.listed(agent.address).is_read, "reading one does not mark it read")
    equal(agent.identity.get_message(str(listed.id)).subject, got.subject, "by the identity")
    for wrong in (uuid4(), "nonsense"):
        refused(404, lambda wrong=wrong: case.client.messages.get(agent.address, wrong))
    other = case.agent()
    refused(404, lambda: case.client.messages.get(other.address, listed.id))
    refused(404, lambda: other.client.messages.get(agent.address, listed.id))


@drives("messages.update_flags", "messages.mark_read", "messages.mark_unread", "messages.star", "messages.unstar",
        "identity.mark_emails_read", "identity.mark_emails_unread")
def flags(case):
    agent = case.agent()
    message = case.receive(agent.address)
    session = case.imap(agent.address, agent.key, "INBOX")

    def seen():
        return session.fetch("1:*", "BODY.PEEK[]")[1][0]

    api_of, path = case.client.messages, f"/api/v1/mail/mailboxes/{agent.address}/messages/{message.id}"
    equal(api_of.mark_read(agent.address, message.id).is_read, True, "read")
    check("\\seen" in seen(), "over IMAP")
    equal(api_of.star(agent.address, message.id).is_starred, True, "starred")
    check({"\\seen", "\\flagged"} <= seen(), "over IMAP")
    both = api_of.update_flags(agent.address, message.id, is_read=False, is_starred=False)
    equal((both.is_read, both.is_starred), (False, False), "both at once")
    equal(api_of.update_flags(agent.address, message.id, is_starred=True).is_read, False, "absent keeps")
    equal(api_of.unstar(agent.address, message.id).is_starred, False, "not starred")
    agent.identity.mark_emails_read([str(message.id)])
    check("\\seen" in seen(), "over IMAP")
    agent.identity.mark_emails_unread([str(message.id)])
    equal(api_of.mark_unread(agent.address, message.id).is_read, False, "unread")
    session.command("STORE 1 +FLAGS (\\Seen \\Flagged)")
    listed = case.listed(agent.address)
    equal((listed.is_read, listed.is_starred), (True, True), "set over IMAP")
    for body in ({"is_read": "yes"}, {"folder": "spam"}, []):
        answers(case.call("PATCH", path, body), 422)
    refused(404, lambda: api_of.star(agent.address, uuid4()))


@drives("messages.delete")
def delete(case):
    agent = case.agent()
    message, kept = case.receive(agent.address, "Gone"), case.receive(agent.address, "Kept")
    case.client.messages.delete(agent.address, message.id)
    equal([m.id for m in case.client.messages.list(agent.address)], [kept.id], "what is left")
    refused(404, lambda: case.client.messages.get(agent.address, message.id))
    refused(404, lambda: case.client.messages.delete(agent.address, message.id))
    equal(case.imap(agent.address, agent.key).select()["exists"], 1, "over IMAP")


@drives("messages.get_attachment")
def attachments(case):
    agent = case.agent()
    message, files = corpus.with_attachments(agent.address)
    for name in ("twin.txt", "twin.txt", "a/b?c#d%e.txt", "../../etc/passwd"):
        message.add_attachment(f"{name}\n".encode(), maintype="text", subtype="plain", filename=name)
    message.add_attachment(b"nameless\n", maintype="application", subtype="octet-stream")
    listed = case.receive(agent.address, message=message)
    told = case.client.messages.get(agent.address, listed.id).attachment_metadata
    case.client.messages.mark_unread(agent.address, listed.id)
    names = [one["filename"] for one in told]
    equal(len(set(names)), len(names), f"names are unique: {names}")
    check("report.pdf" in names and "twin.txt" in names and "twin (2).txt" in names or "twin.txt (2)" in names, f"names are {names}")
    equal([one["size"] for one in told if one["filename"] == "report.pdf"], [len(files["report.pdf"])], "decoded size")
    fetch = case.client.messages.get_attachment
    contents = []
    for name in names:
        link = fetch(agent.address, listed.id, name)
        equal(link["filename"], name, "file name of the link")
        check(0 < link["expires_in"] <= 7 * 86400, f"expires in {link['expires_in']}")
        octets, headers = download(link["url"])
        contents.append(octets)
        check(headers["Content-Disposition"].startswith("attachment") and headers["X-Content-Type-Options"] == "nosniff", f"headers {headers}")
    check({files["report.pdf"], b"twin.txt\n", b"nameless\n"} <= set(contents), "contents")
    check(not case.listed(agent.address).is_read, "a link marks it read")
    equal(download(fetch(agent.address, listed.id, "report.pdf", redirect=True)["url"])[0], files["report.pdf"], "by redirection")
    path = f"/api/v1/mail/mailboxes/{agent.address}/messages/{listed.id}/attachments/report.pdf"
    moved = case.call("GET", path + "?redirect=true", follow=False)
    equal((moved.status, moved.headers.get("location")), (302, moved.body["url"]), "the redirection")
    url = fetch(agent.address, listed.id, "report.pdf")["url"]
    changed = url[:-2] + ("aa" if not url.endswith("aa") else "bb")
    download(changed, 403)
    refused(404, lambda: fetch(agent.address, listed.id, "nothing.txt"))
    refused(404, lambda: case.agent().client.messages.get_attachment(agent.address, listed.id, "report.pdf"))
