"""Threads and their folders; drafts, their generations and their parts."""

import threading
from uuid import uuid4

from checks_sending import attached, out
from coverage import drives
from inkbox.mail.types import DraftRecipients, ThreadFolder
from scenario import check, equal
from world import answers, refused, unique


@drives("threads.list", "threads.get")
def listing(case):
    agent = case.agent()
    messages = [case.receive(agent.address, f"Thread {number}") for number in range(4)]
    answer = case.receive(agent.address, "Re: Thread 0", In_Reply_To=messages[0].message_id)
    equal(answer.thread_id, messages[0].thread_id, "the answer's thread")
    for page_size in (1, 3, 100):
        equal([t.id for t in case.client.threads.list(agent.address, page_size=page_size)],
              [m.thread_id for m in (messages[0], messages[3], messages[2], messages[1])], f"by last activity, pages of {page_size}")
    got = case.client.threads.get(agent.address, answer.thread_id)
    equal(([m.id for m in got.messages], got.message_count, got.subject), ([messages[0].id, answer.id], 2, "Thread 0"), "oldest first")
    equal((got.folder.value, got.mailbox_id, got.last_message_at), ("inbox", agent.mailbox, answer.created_at), "the thread")
    check(not case.listed(agent.address).is_read, "reading a thread marks mail read")
    refused(404, lambda: case.client.threads.get(agent.address, uuid4()))
    refused(404, lambda: case.agent().client.threads.get(agent.address, answer.thread_id))
    for query in ("limit=0", "limit=101", "cursor=x", "folder=attic"):
        answers(case.call("GET", f"/api/v1/mail/mailboxes/{agent.address}/threads?{query}"), 422)


@drives("threads.update", "threads.list_folders")
def folders(case):
    agent = case.agent()
    message, other = case.receive(agent.address, "Moved"), case.receive(agent.address, "Stays")
    session = case.imap(agent.address, agent.key)

    def there():
        return {name: session.select(name)["exists"] for name in ("INBOX", "Spam", "Archive")}

    def listed(folder):
        return [t.id for t in case.client.threads.list(agent.address, folder=folder)]

    equal(case.client.threads.list_folders(agent.address), [ThreadFolder.INBOX], "folders in use")
    for folder, mailbox in (("archive", "Archive"), ("spam", "Spam")):
        equal(case.client.threads.update(agent.address, message.thread_id, folder=folder).folder.value, folder, "the answer")
        equal((listed(folder), listed("inbox")), ([message.thread_id], [other.thread_id]), f"in {folder}")
        equal(there(), {"INBOX": 1, "Spam": 0, "Archive": 0, mailbox: 1}, f"over IMAP, in {folder}")
        equal({one.value for one in case.client.threads.list_folders(agent.address)}, {"inbox", folder}, "folders in use")
    case.client.threads.update(agent.address, message.thread_id, folder=ThreadFolder.INBOX)
    equal(there(), {"INBOX": 2, "Spam": 0, "Archive": 0}, "back again")
    path = f"/api/v1/mail/mailboxes/{agent.address}/threads/{message.thread_id}"
    for body in ({"folder": "blocked"}, {"folder": "attic"}, {"subject": "x"}, []):
        answers(case.call("PATCH", path, body), 422)
    case.client.threads.update(agent.address, message.thread_id, folder="archive")
    case.receive(agent.address, "Re: Moved", In_Reply_To=message.message_id)
    equal(case.client.threads.get(agent.address, message.thread_id).folder.value, "inbox", "new mail brings it back")
    refused(404, lambda: case.client.threads.update(agent.address, uuid4(), folder="spam"))


@drives("threads.delete")
def delete(case):
    agent = case.agent()
    message, kept = case.receive(agent.address, "Gone"), case.receive(agent.address, "Kept")
    case.receive(agent.address, "Re: Gone", In_Reply_To=message.message_id)
    case.client.threads.delete(agent.address, message.thread_id)
    equal([m.id for m in case.client.messages.list(agent.address)], [kept.id], "messages left")
    refused(404, lambda: case.client.threads.get(agent.address, message.thread_id))
    refused(404, lambda: case.client.threads.delete(agent.address, message.thread_id))
    equal(case.imap(agent.address, agent.key).select()["exists"], 1, "over IMAP")


@drives("drafts.create", "drafts.get", "drafts.list", "drafts.update", "drafts.delete")
def drafts(case):
    agent = case.agent()
    api, session = case.client.drafts, case.imap(agent.address, agent.key)
    empty = api.create(agent.address)
    equal((empty.to_addresses, empty.subject, empty.send_state.value, empty.from_address), ([], None, "draft", agent.address), "an empty one")
    made = api.create(agent.address, to=["one@elsewhere.example"], cc=["two@elsewhere.example"], bcc=["three@elsewhere.example"], subject="Draft",
                      body_text="Text", body_html="<p>HTML</p>", reply_to="desk@elsewhere.example", attachments=[attached()])
    equal((made.to_addresses, made.cc_addresses, made.bcc_addresses), (["one@elsewhere.example"], ["two@elsewhere.example"], ["three@elsewhere.example"]), "to whom")
    equal((made.body_text.strip(), made.body_html.strip(), made.reply_to, made.attachment_count), ("Text", "<p>HTML</p>", "desk@elsewhere.example", 1), "fields")
    equal([d.id for d in api.list(agent.address, page_size=1)], [made.id, empty.id], "newest first")
    equal(session.select("Drafts")["exists"], 2, "over IMAP")
    got = api.get(agent.address, made.id)
    equal((got.generation, got.subject, got.attachment_metadata[0].filename), (made.generation, "Draft", "a.txt"), "read again")
    changed = api.update(agent.address, made.id, generation=got.generation, subject="Changed", body_html=None, recipients=DraftRecipients(to=["four@elsewhere.example"]))
    equal((changed.subject, changed.body_html, changed.body_text.strip(), changed.to_addresses), ("Changed", None, "Text", ["four@elsewhere.example"]), "changed")
    check(changed.generation != got.generation, "the generation stays")
    for run in (lambda: api.update(agent.address, made.id, generation=got.generation, subject="Stale"),
                lambda: api.delete(agent.address, made.id, generation=got.generation),
                lambda: api.duplicate(agent.address, made.id, generation=got.generation),
                lambda: api.send(agent.address, made.id, generation=got.generation)):
        refused(409, run, "draft_generation_conflict")
    equal(api.get(agent.address, made.id).subject, "Changed", "a stale change was done")
    api.delete(agent.address, made.id, generation=changed.generation)
    refused(404, lambda: api.get(agent.address, made.id))
    refused(404, lambda: case.agent().client.drafts.get(agent.address, empty.id))
    path = f"/api/v1/mail/mailboxes/{agent.address}/drafts"
    for body in ({"recipients": {}, "color": "red"}, {"recipients": {"to": ["a@b.example\r\nX: y"]}}, {"recipients": {}, "subject": "a\nb"}):
        answers(case.call("POST", path, body), 422)
    answers(case.call("PATCH", f"{path}/{empty.id}", {"subject": "without generation"}), 422)
    session.append("Drafts", b"From: x@example.com\r\nTo: y@example.com\r\nSubject: By IMAP\r\n\r\nText\r\n", "\\Draft")
    check("By IMAP" in [d.subject for d in api.list(agent.address)], "a draft of IMAP")


@drives("drafts.duplicate", "drafts.add_attachments", "drafts.remove_attachment", "drafts.download_attachment")
def parts(case):
    agent, content = case.agent(), bytes(range(256)) * 10
    api = case.client.drafts
    made = api.create(agent.address, to=["one@elsewhere.example"], subject="Parts", attachments=[attached("größe 1.pdf", "application/pdf", content)])
    twin = api.duplicate(agent.address, made.id, generation=made.generation)
    check(twin.id != made.id and twin.subject == "Parts" and twin.attachment_count == 1, f"the copy: {twin}")
    more = api.add_attachments(agent.address, made.id, generation=made.generation, attachments=[attached("b.txt")])
    equal([one.filename for one in more.attachment_metadata], ["größe 1.pdf", "b.txt"], "attachments")
    first, second = more.attachment_metadata
    equal((first.size, first.content_type, first.is_inline), (len(content), "application/pdf", False), "the first")
    got = api.download_attachment(agent.address, made.id, first.part_index, generation=more.generation)
    equal((got.content, got.content_type), (content, "application/pdf"), "its content")
    check(got.filename, "no file name")
    got = api.download_attachment(agent.address, made.id, second.part_index, generation=more.generation)
    equal((got.content, got.filename), (b"content\n", "b.txt"), "the second")
    refused(409, lambda: api.download_attachment(agent.address, made.id, first.part_index, generation=made.generation), "draft_generation_conflict")
    left = api.remove_attachment(agent.address, made.id, first.part_index, generation=more.generation)
    equal([one.filename for one in left.attachment_metadata], ["b.txt"], "what is left")
    refused(404, lambda: api.download_attachment(agent.address, made.id, 99, generation=left.generation))
    refused(422, lambda: api.add_attachments(agent.address, made.id, generation=left.generation, attachments=[attached("a.exe")]))
    equal(api.get(agent.address, twin.id).attachment_count, 1, "the copy has its own")


@drives("drafts.send")
def sending(case):
    agent, subject = case.agent(), unique("From a draft ")
    api = case.client.drafts
    made = api.create(agent.address, to=["one@elsewhere.example"], bcc=["two@elsewhere.example"], subject=subject, body_text="x", idempotency_key="draft-1")
    equal(api.create(agent.address, to=["one@elsewhere.example"], bcc=["two@elsewhere.example"], subject=subject, body_text="x", idempotency_key="draft-1").id,
          made.id, "a repeated create")
    results, clients = [], [case.with_key(case.key) for _ in range(6)]

    def one(client):
        try:
            results.append(client.drafts.send(agent.address, made.id, generation=made.generation).id)
        except Exception as error:  # noqa: BLE001 - looked at below
            results.append(error)

    workers = [threading.Thread(target=one, args=(client,)) for client in clients]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    sent = {one for one in results if not isinstance(one, Exception)}
    equal(len(sent), 1, f"messages ({results})")
    for error in results:
        if isinstance(error, Exception):
            check(getattr(error, "status_code", 0) in (404, 409), f"refused with {error}")
    equal(out(case, subject, 2)[0], ["one@elsewhere.example", "two@elsewhere.example"], "sent once")
    refused(404, lambda: api.get(agent.address, made.id))
    equal(case.client.messages.get(agent.address, sent.pop()).subject, subject, "the message")
    bare = api.create(agent.address, subject="Nobody")
    refused(422, lambda: api.send(agent.address, bare.id, generation=bare.generation))
    equal(api.get(agent.address, bare.id).send_state.value, "draft", "still a draft")


@drives("identity.create_email_draft", "identity.get_email_draft", "identity.iter_email_drafts", "identity.update_email_draft",
        "identity.duplicate_email_draft", "identity.delete_email_draft", "identity.send_email_draft")
def of_an_identity(case):
    agent, subject = case.agent(), unique("Answer ")
    me = agent.identity
    source = case.receive(agent.address, "Question")
    made = me.create_email_draft(to=["one@elsewhere.example"], subject=subject, body_text="x", in_reply_to_message_id=source.message_id)
    equal(me.get_email_draft(made.id).in_reply_to.strip("<>"), source.message_id.strip("<>"), "In-Reply-To")
    changed = me.update_email_draft(made.id, generation=made.generation, body_text="y")
    twin = me.duplicate_email_draft(made.id, generation=changed.generation)
    equal({d.id for d in me.iter_email_drafts(page_size=1)}, {made.id, twin.id}, "both")
    me.delete_email_draft(twin.id, generation=twin.generation)
    sent = me.send_email_draft(made.id, generation=changed.generation)
    equal((sent.subject, sent.thread_id, sent.direction.value), (subject, source.thread_id, "outbound"), "sent, in the thread")
    forward = case.client.drafts.create(agent.address, to=["one@elsewhere.example"], forward_message_id=source.id, forward_note_text="Look", forward_mode="inline",
                                        include_original_attachments=True)
    check(forward.forward_source_message_id in (source.id, None), f"source {forward.forward_source_message_id}")
    check(case.client.drafts.send(agent.address, forward.id, generation=forward.generation).thread_id != source.thread_id, "a forward in the old thread")
