"""Threads, seen from the organization, a pod and an inbox."""

import corpus
from coverage import at_levels
from scenario import check, equal
from world import ONCE, download, flags_of, pages, refused, unique


def conversation(case, scene, subject=None):
    """(subject, ids): a message, and a reply to it from outside."""
    subject = subject or unique("Talk ")
    first = case.receive(scene.inbox, subject, "The first.\n")
    second = case.receive(scene.inbox, "Re: " + subject, "The second.\n", In_Reply_To=first, References=first)
    return subject, [first, second]


@at_levels("threads.list")
def list_threads(case, level):
    scene = case.scene(level)
    subject, ids = conversation(case, scene)
    api = scene.on("threads")
    found = api.list(subject=[subject.upper()]).threads
    equal(len(found), 1, "threads with that subject")
    thread = found[0]
    equal((thread.inbox_id, thread.message_count, thread.last_message_id), (scene.inbox, 2, ids[1]), "the thread")
    equal((thread.senders, thread.recipients), ([corpus.FROM], [scene.inbox]), "who takes part")
    check(thread.preview and thread.preview.startswith("The second") and thread.received_timestamp and not thread.sent_timestamp, f"it says {thread}")
    equal({"received", "unread"} - set(thread.labels), set(), f"missing of {thread.labels}")
    other, _ = conversation(case, scene)
    mine = lambda **options: [t.subject for t in pages(api.list, recipients=[scene.inbox], limit=1, **options)]  # noqa: E731
    equal([s.removeprefix("Re: ") for s in mine()], [other, subject], "newest first, in pages of one")
    equal([s.removeprefix("Re: ") for s in mine(ascending=True)], [subject, other], "oldest first")
    equal(api.list(senders=["outside"], recipients=[scene.inbox]).count, 2, "by sender")
    case.quiet.inboxes.messages.update(scene.inbox, ids[0], add_labels=["urgent"], request_options=ONCE)
    equal([t.thread_id for t in api.list(labels=["urgent", "unread"], recipients=[scene.inbox]).threads], [thread.thread_id], "by labels")
    later = api.list(recipients=[scene.inbox], after=thread.timestamp)
    check(thread.thread_id in [t.thread_id for t in later.threads], "after is inclusive")
    check(thread.thread_id not in [t.thread_id for t in api.list(recipients=[scene.inbox], before=thread.timestamp).threads], "before is exclusive")


@at_levels("threads.get")
def get(case, level):
    scene = case.scene(level)
    subject, ids = conversation(case, scene)
    api = scene.on("threads")
    thread_id = case.thread_of(scene.inbox, ids[0])
    thread = api.get(thread_id)
    equal(([m.message_id for m in thread.messages], thread.message_count), (ids, 2), "messages, oldest first")
    check(thread.messages[0].text.strip() == "The first.", "messages have their text")
    newest = api.get(thread_id, limit=1)
    equal(([m.message_id for m in newest.messages], newest.message_count), ([ids[1]], 2), "the first page has the newest")
    older = api.get(thread_id, limit=1, page_token=newest.next_page_token)
    equal(([m.message_id for m in older.messages], older.next_page_token), ([ids[0]], None), "the next page is older, and the last")
    refused(404, lambda: api.get("01890000-0000-7000-8000-000000000000"), "not_found")
    if level != "organization":
        elsewhere = case.inbox()
        refused(404, lambda: api.get(case.thread_of(elsewhere, case.receive(elsewhere))), "not_found")


@at_levels("threads.search")
def search(case, level):
    scene, word = case.scene(level), unique("needle")
    _, ids = conversation(case, scene, f"About {word}")
    conversation(case, scene)
    found = scene.on("threads").search(q=word).threads
    equal([t.thread_id for t in found], [case.thread_of(scene.inbox, ids[0])], "threads found")
    check(found[0].highlights and f"**{word}**" in found[0].highlights.subject[0], f"highlights are {found[0].highlights}")
    case.quiet.inboxes.threads.update(scene.inbox, found[0].thread_id, add_labels=["spam"], request_options=ONCE)
    equal(scene.on("threads").search(q=word).count, 0, "spam is not found")


@at_levels("threads.update")
def update(case, level):
    scene = case.scene(level)
    subject, ids = conversation(case, scene)
    thread_id, api = case.thread_of(scene.inbox, ids[0]), scene.on("threads")
    changed = api.update(thread_id, add_labels=["VIP", "unread"], remove_labels=["unread"])
    equal(changed.thread_id, thread_id, "thread_id")
    check("vip" in changed.labels and "unread" not in changed.labels, f"labels are {changed.labels} (remove wins)")
    for one in ids:
        labels = case.quiet.inboxes.messages.get(scene.inbox, one, request_options=ONCE).labels
        check("vip" in labels and "unread" not in labels, f"labels of a message are {labels}")
    equal([sorted(f & {"\\seen", "vip"}) for f in flags_of(case.imap(scene.inbox, "INBOX"), subject)], [["\\seen", "vip"]] * 2, "flags over IMAP")
    api.update(thread_id, add_labels=["trash"])
    check(thread_id not in [t.thread_id for t in api.list(recipients=[scene.inbox]).threads], "a thread in the trash is listed")
    check(thread_id in [t.thread_id for t in api.list(recipients=[scene.inbox], include_trash=True).threads], "nor is it with include_trash")
    equal(case.imap(scene.inbox).select("Trash")["exists"], 2, "messages in Trash over IMAP")
    refused(400, lambda: api.update(thread_id, add_labels=["delivered"]), "validation_error")


@at_levels("threads.delete")
def delete(case, level):
    scene = case.scene(level)
    subject, ids = conversation(case, scene)
    kept = case.receive(scene.inbox, "Stays")
    thread_id, api = case.thread_of(scene.inbox, ids[0]), scene.on("threads")
    api.delete(thread_id)
    refused(404, lambda: api.get(thread_id), "not_found")
    check(thread_id not in [t.thread_id for t in api.list(recipients=[scene.inbox], include_trash=True).threads], "still listed")
    equal([m.message_id for m in case.quiet.inboxes.messages.list(scene.inbox, include_trash=True, request_options=ONCE).messages], [kept], "left")
    equal(case.imap(scene.inbox).select()["exists"], 1, "messages left over IMAP")


@at_levels("threads.get_attachment")
def get_attachment(case, level):
    scene = case.scene(level)
    message, files = corpus.with_attachments(scene.inbox)
    message_id = case.receive(scene.inbox, message=message)
    thread_id, api = case.thread_of(scene.inbox, message_id), scene.on("threads")
    attachments = api.get(thread_id).attachments
    equal([a.filename for a in attachments][:2], list(files), "attachments of the thread")
    got = api.get_attachment(thread_id, attachments[0].attachment_id)
    equal((got.filename, download(got.download_url)), ("report.pdf", files["report.pdf"]), "the attachment")
    refused(404, lambda: api.get_attachment(thread_id, "nothing"), "not_found")
