#!/usr/bin/env python3
"""An old Python client (0.4.13), on the things its users do every day: what newer versions dropped must still be answered."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "python"), os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-agentmail-old.txt")
import datetime  # noqa: E402

import coverage  # noqa: E402
from agentmail.api_keys import ApiKeyPermissions  # noqa: E402
from coverage import ORGANIZATION_AND_POD, at_levels, drives  # noqa: E402
from scenario import check, equal  # noqa: E402
from server import Server  # noqa: E402
from world import ONCE, Case, pages, refused, unique  # noqa: E402


@drives("inboxes.create", "inboxes.get", "inboxes.list", "inboxes.update", "inboxes.delete")
def inboxes(case):
    made = case.client.inboxes.create()
    equal(case.client.inboxes.get(made.inbox_id).inbox_id, made.inbox_id, "the inbox")
    check(made.inbox_id in [i.inbox_id for i in pages(case.client.inboxes.list, limit=5)], "not in the list")
    equal(case.client.inboxes.update(made.inbox_id, display_name="New").display_name, "New", "display_name")
    case.client.inboxes.delete(made.inbox_id)
    refused(404, lambda: case.client.inboxes.get(made.inbox_id))


def arrived(case, inbox, subject):
    """This version has no filter for subjects."""
    look = lambda: [m for m in case.quiet.inboxes.messages.list(inbox).messages if m.subject == subject]  # noqa: E731
    return scenario.wait_until(look, f"{subject!r} in {inbox}")[0]


@drives("inboxes.messages.send", "inboxes.messages.get", "inboxes.messages.list", "inboxes.messages.update", "inboxes.messages.reply")
def messages(case):
    inbox, other, subject = case.inbox(), case.inbox(), unique("Hello ")
    sent = case.client.inboxes.messages.send(inbox, to=other, subject=subject, text="Hello.")
    arrived(case, other, subject)
    equal(case.client.inboxes.messages.get(other, sent.message_id).text.strip(), "Hello.", "text")
    equal(case.client.inboxes.messages.list(other, labels=["unread"]).count, 1, "unread messages")
    labels = case.client.inboxes.messages.update(other, sent.message_id, add_labels=["seen-by-me"], remove_labels=["unread"]).labels
    check("seen-by-me" in labels and "unread" not in labels, f"labels are {labels}")
    answer = case.client.inboxes.messages.reply(other, sent.message_id, text="Hello back.")
    equal(arrived(case, inbox, "Re: " + subject).message_id, answer.message_id, "the reply")


@at_levels("threads.delete")
def threads_go_to_the_trash_or_for_good(case, level):
    scene = case.scene(level)
    thread_id = case.thread_of(scene.inbox, case.receive(scene.inbox, "Gone"))
    options = {"permanent": True} if level == "inbox" else {}
    scene.on("threads").delete(thread_id, **options)
    check(thread_id not in [t.thread_id for t in pages(scene.on("threads").list, limit=20)], "still listed")


@drives("inboxes.drafts.create", "inboxes.drafts.update", "inboxes.drafts.send", "drafts.list")
def drafts(case):
    inbox, later = case.inbox(), datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    made = case.client.inboxes.drafts.create(inbox, to=[inbox], subject="Draft", text="x", send_at=later)
    check(made.draft_id in [d.draft_id for d in pages(case.client.drafts.list, limit=20, labels=["scheduled"])], "not in the list")
    case.client.inboxes.drafts.update(inbox, made.draft_id, subject="Changed")
    check(case.client.inboxes.drafts.send(inbox, made.draft_id).message_id, "not sent")


@drives("api_keys.create", "api_keys.list", "api_keys.delete")
def keys_with_permissions_of_old(case):
    inbox = case.inbox()
    thread_id = case.thread_of(inbox, case.receive(inbox, "Thread"))
    fields = ApiKeyPermissions.model_fields
    check("thread_read" in fields and "thread_delete" in fields, "this version does not know thread_read")
    made = case.client.api_keys.create(name="old", permissions=ApiKeyPermissions(thread_read=True, thread_delete=True))
    mine = case.with_key(made.api_key)
    equal(mine.inboxes.threads.get(inbox, thread_id).thread_id, thread_id, "a thread read with thread_read")
    mine.inboxes.threads.delete(inbox, thread_id)
    check(made.api_key_id in [k.api_key_id for k in case.client.api_keys.list().api_keys], "not in the list")
    case.client.api_keys.delete(made.api_key_id)


@at_levels("metrics.query")
def metrics(case, level):
    scene = case.scene(level)
    case.receive(scene.inbox, "Counted")
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
    got = scene.on("metrics").query(event_types=["message.received", "message.delayed"], start=end - datetime.timedelta(hours=1), end=end)
    check(got, f"metrics are {got}")


@at_levels("domains.list", ORGANIZATION_AND_POD)
def domains(case, level):
    scene, name = case.scene(level), f"{unique('d')}.test"
    scene.on("domains").create(domain=name, feedback_enabled=True)
    check(name in [d.domain_id for d in pages(scene.on("domains").list, limit=20)], "not in the list")


@drives("webhooks.create", "webhooks.list", "webhooks.delete")
def webhooks(case):
    made = case.client.webhooks.create(url="http://127.0.0.1:9/x", event_types=["message.received"])
    check(made.webhook_id in [w.webhook_id for w in pages(case.client.webhooks.list, limit=20)], "not in the list")
    case.client.webhooks.delete(made.webhook_id, request_options=ONCE)


def run():
    with Server() as server:
        results = coverage.run_checks(lambda: Case(server, strict=False))  # some of its types have fields that are gone
        coverage.conclude("Python 0.4.13, a part of it", sorted(results), {}, results)


if __name__ == "__main__":
    scenario.main(run, 240)
