"""Mail of old brought in: a file of one message, of many, and an archive of files."""

import io
import mailbox
import os
import tempfile
import zipfile
from uuid import uuid4

import corpus
from coverage import drives
from inkbox.exceptions import MailImportUploadError
from scenario import Failure, check, equal
from world import answers, refused, unique


def old_mail(address, count, word):
    """Messages with dates of the past."""
    messages = []
    for number in range(count):
        message = corpus.plain(address, f"{word} {number}", f"Old mail {number}.\nFrom the past.\n")
        message.replace_header("Date", f"Mon, 0{number + 1} Jan 2024 10:00:00 +0000")
        messages.append(message)
    return messages


def mbox(messages):
    path = tempfile.mktemp(prefix="postroom-mbox-")
    box = mailbox.mbox(path)
    for message in messages:
        box.add(message.as_bytes())
    box.close()
    with open(path, "rb") as file:
        content = file.read()
    os.unlink(path)
    return content


def archive(messages):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for number, message in enumerate(messages):
            file.writestr(f"folder/{number}.eml", corpus.octets(message))
    return packed.getvalue()


def imported(case, agent, content, source_format, **options):
    imports = case.client.mailboxes.imports
    made = imports.create(agent.address, source_format=source_format, **options)
    imports.upload(made.upload, io.BytesIO(content), filename=f"old.{source_format}")
    imports.start(agent.address, str(made.job.id))
    return imports.wait(agent.address, str(made.job.id), timeout=60, poll_interval=0.1)


@drives("mailboxes.imports.create", "mailboxes.imports.upload", "mailboxes.imports.start", "mailboxes.imports.wait", "mailboxes.imports.get",
        "mailboxes.imports.list")
def formats(case):
    agent, imports = case.agent(), case.client.mailboxes.imports
    for source_format, pack in (("mbox", mbox), ("zip", archive), ("eml", lambda messages: corpus.octets(messages[0]))):
        word = unique(source_format)
        messages = old_mail(agent.address, 1 if source_format == "eml" else 3, word)
        job = imported(case, agent, pack(messages), source_format)
        equal((job.status.value, job.messages_imported, job.messages_failed), ("completed", len(messages), 0), f"the job ({job.error_detail})")
        equal(imports.get(agent.address, str(job.id)).messages_processed, len(messages), "processed")
        stored = [m for m in case.client.messages.list(agent.address) if m.subject.startswith(word)]
        equal({m.message_id for m in stored}, {m["Message-ID"] for m in messages}, "messages")
        equal({(m.is_read, m.created_at.year, m.direction.value) for m in stored}, {(True, 2024, "inbound")}, "marked as read, of its own date")
        equal({m.import_job_id for m in stored}, {job.id}, "the job they came by")
        got = case.client.messages.get(agent.address, stored[0].id)
        check("From the past." in got.body_text, f"body {got.body_text!r}")
        again = imported(case, agent, pack(messages), "auto", mark_as_read=False)
        equal((again.messages_imported, again.messages_skipped_duplicate), (0, len(messages)), "the same once more")
    page = imports.list(agent.address, limit=2)
    check(len(page.items) == 2 and page.has_more, "a page of jobs")
    equal(len(imports.list(agent.address, limit=2, cursor=page.next_cursor).items), 2, "the next page")
    refused(404, lambda: imports.get(agent.address, str(uuid4())))
    refused(404, lambda: case.agent().client.mailboxes.imports.get(agent.address, str(page.items[0].id)))
    path = f"/api/v1/mail/mailboxes/{agent.address}/imports"
    for body in ({"source_format": "pst"}, {"mark_as_read": "yes"}, {"color": "red"}, []):
        answers(case.call("POST", path, body), 422)


@drives("mailboxes.imports.cancel", "mailboxes.imports.refresh_upload_target")
def cancelled(case):
    agent, imports = case.agent(), case.client.mailboxes.imports
    made = imports.create(agent.address, source_format="mbox")
    equal(made.job.status.value, "pending_upload", "a new job")
    fresh = imports.refresh_upload_target(agent.address, str(made.job.id))
    check(fresh.expires_in_seconds > 0, "an upload target")
    equal(imports.cancel(agent.address, str(made.job.id)).status.value, "cancelled", "cancelled")
    check(status_of(lambda: imports.start(agent.address, str(made.job.id))) in (409, 422), "a cancelled job starts")
    forged = imports.create(agent.address, source_format="mbox").upload
    forged.url = forged.url[:-2] + "zz"
    try:
        imports.upload(forged, io.BytesIO(b"From x\n\nx\n"))
    except MailImportUploadError as failure:
        equal(failure.status_code, 403, "a forged upload")
    else:
        raise Failure("a forged upload is taken")
    unstarted = imports.create(agent.address, source_format="mbox")
    check(status_of(lambda: imports.start(agent.address, str(unstarted.job.id))) in (409, 422), "a job starts without a file")


@drives("mailboxes.imports.create", "mailboxes.imports.wait")
def what_is_no_mail(case):
    agent = case.agent()
    for name, content in (("zip", b"PK\x03\x04 and nothing more"), ("mbox", b"\x00" * 4000), ("zip", b"")):
        job = imported(case, agent, content, name)
        check(job.status.value in ("failed", "completed") and job.messages_imported == 0, f"{name}: {job}")
    equal(list(case.client.messages.list(agent.address)), [], "messages")


def status_of(run):
    try:
        run()
    except Exception as error:  # noqa: BLE001 - the status is what counts
        return error.status_code
    return 200
