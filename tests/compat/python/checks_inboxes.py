"""Inboxes and pods."""

from agentmail.inboxes import CreateInboxRequest
from coverage import ORGANIZATION_AND_POD, at_levels, drives
from scenario import check, equal
from world import ONCE, pages, refused, unique


def created(case, scene, **fields):
    """An inbox made at the level of the scene, each in the client's own way."""
    if scene.level == "pod":
        return scene.on("inboxes").create(**fields)
    return case.client.inboxes.create(request=CreateInboxRequest(**fields))


@drives("inboxes.create")
def create_without_anything(case):
    made = case.client.inboxes.create()
    check(made.inbox_id == made.email and made.email.endswith("@" + case.server.ready["domain"]), f"made {made}")
    case.receive(made.inbox_id, "To a random name")


@at_levels("inboxes.create", ORGANIZATION_AND_POD)
def create(case, level):
    scene, name, client_id = case.scene(level), unique("made"), unique("client")
    wanted = {"username": name, "display_name": "Support Team", "client_id": client_id, "metadata": {"tier": "gold", "seats": 5, "trial": True}}
    made = created(case, scene, **wanted)
    equal(made.email, f"{name}@{case.server.ready['domain']}", "address")
    equal((made.display_name, made.client_id, made.metadata), ("Support Team", client_id, wanted["metadata"]), "what was asked for")
    if scene.pod:
        equal(made.pod_id, scene.pod, "the pod it is in")
    again = created(case, scene, **{**wanted, "username": unique("other")})
    equal((again.inbox_id, again.created_at), (made.inbox_id, made.created_at), "the same client_id again")
    refused(403, lambda: created(case, scene, username=name), "resource_taken")
    refused(400, lambda: created(case, scene, username="no spaces please"), "validation_error")
    case.receive(made.inbox_id, "The first")
    equal(case.imap(made.inbox_id).select()["exists"], 1, "messages over IMAP")


@at_levels("inboxes.get", ORGANIZATION_AND_POD)
def get(case, level):
    scene = case.scene(level)
    inbox = scene.on("inboxes").get(scene.inbox)
    equal((inbox.inbox_id, inbox.email), (scene.inbox, scene.inbox), "the inbox")
    check(inbox.pod_id, "without a pod")
    refused(404, lambda: scene.on("inboxes").get("nobody-here@" + case.server.ready["domain"]), "not_found")
    if level == "pod":
        refused(404, lambda: scene.on("inboxes").get(case.inbox()), "not_found")


@at_levels("inboxes.list", ORGANIZATION_AND_POD)
def list_inboxes(case, level):
    scene = case.scene(level)
    more = [scene.inbox, case.inbox(pod=scene.pod), case.inbox(pod=scene.pod)]
    newest = scene.on("inboxes").list(limit=3)
    equal([item.inbox_id for item in newest.inboxes], more[::-1], "newest first")
    found = [item.inbox_id for item in pages(scene.on("inboxes").list, limit=2 if level == "pod" else 50, ascending=True)]
    equal(found[-3:], more, "oldest first, in pages")
    equal(len(found), len(set(found)), "none twice")
    refused(400, lambda: scene.on("inboxes").list(page_token="not-a-token"), "validation_error")


@at_levels("inboxes.search", ORGANIZATION_AND_POD)
def search(case, level):
    scene, word = case.scene(level), unique("w")
    one = case.inbox(pod=scene.pod, username=word, display_name="Warehouse Desk")
    two = case.inbox(pod=scene.pod, display_name=f"{word}name of Somebody")
    found = [item.inbox_id for item in scene.on("inboxes").search(q=word).inboxes]
    equal(sorted(found), sorted([one, two]), "by address and by display name")
    equal(scene.on("inboxes").search(q=one).inboxes[0].inbox_id, one, "the exact address is first")
    check(not scene.on("inboxes").search(q=word[1:]).inboxes, "the middle of a word does not match")
    refused(400, lambda: scene.on("inboxes").search(q="x"), "validation_error")


@at_levels("inboxes.update", ORGANIZATION_AND_POD)
def update(case, level):
    scene = case.scene(level)
    api = scene.on("inboxes")
    changed = api.update(scene.inbox, display_name="New Name", metadata={"a": "1", "b": 2, "c": True})
    equal((changed.display_name, changed.metadata), ("New Name", {"a": "1", "b": 2, "c": True}), "after the first change")
    changed = api.update(scene.inbox, metadata={"a": None, "b": "two"})
    equal((changed.display_name, changed.metadata), ("New Name", {"b": "two", "c": True}), "metadata is merged")
    refused(400, lambda: api.update(scene.inbox, metadata={}), "validation_error")
    refused(400, lambda: api.update(scene.inbox), "validation_error")
    equal(api.update(scene.inbox, status="paused").status, "paused", "status")
    refused(403, lambda: case.quiet.inboxes.messages.send(scene.inbox, to=scene.inbox, text="x", request_options=ONCE), "inbox_paused")
    check(api.update(scene.inbox, status="active").status in (None, "active"), "status after resuming")
    case.receive(scene.inbox, "After the pause")


@at_levels("inboxes.delete", ORGANIZATION_AND_POD)
def delete(case, level):
    scene = case.scene(level)
    session = case.imap(scene.inbox, "INBOX")
    case.receive(scene.inbox, "Soon gone")
    scene.on("inboxes").delete(scene.inbox)
    refused(404, lambda: scene.on("inboxes").get(scene.inbox), "not_found")
    refused(404, lambda: case.quiet.inboxes.messages.list(scene.inbox, request_options=ONCE), "not_found")
    check(scene.inbox not in [item.inbox_id for item in scene.on("inboxes").list(limit=20).inboxes], "still in the list")
    try:
        session.command("NOOP")
        session.command("UID SEARCH ALL")
        closed = False
    except Exception:  # noqa: BLE001 - a BYE or a closed socket
        closed = True
    check(closed, "the IMAP session goes on")


@drives("pods.create")
def pod_create(case):
    client_id = unique("client")
    pod = case.client.pods.create(name="Customer One", client_id=client_id)
    equal((pod.name, pod.client_id), ("Customer One", client_id), "the pod")
    equal(case.client.pods.create(name="Other", client_id=client_id).pod_id, pod.pod_id, "the same client_id again")
    check(case.client.pods.create().name, "a pod has a name")


@drives("pods.get")
def pod_get(case):
    client_id = unique("client")
    pod = case.quiet.pods.create(name="P", client_id=client_id, request_options=ONCE)
    equal(case.client.pods.get(pod.pod_id).pod_id, pod.pod_id, "by its id")
    equal(case.client.pods.get(client_id).pod_id, pod.pod_id, "by its client_id")
    refused(404, lambda: case.client.pods.get("01890000-0000-7000-8000-000000000000"), "not_found")


@drives("pods.list")
def pod_list(case):
    made = [case.quiet.pods.create(name=unique("pod"), request_options=ONCE).pod_id for _ in range(3)]
    equal([pod.pod_id for pod in case.client.pods.list(limit=3).pods], made[::-1], "newest first")
    equal([pod.pod_id for pod in pages(case.client.pods.list, limit=50, ascending=True)][-3:], made, "oldest first")


@drives("pods.delete")
def pod_delete(case):
    pod = case.quiet.pods.create(name="P", request_options=ONCE).pod_id
    inbox = case.inbox(pod=pod)
    refusal = None
    for status in (409, 403):
        try:
            refusal = refused(status, lambda: case.client.pods.delete(pod), "cannot_delete")
            break
        except Exception as error:  # noqa: BLE001 - the contract leaves 403 or 409 open
            last = error
    check(refusal, f"a pod with an inbox: {refusal or last}")
    case.quiet.pods.inboxes.delete(pod, inbox, request_options=ONCE)
    case.client.pods.delete(pod)
    refused(404, lambda: case.client.pods.get(pod), "not_found")
