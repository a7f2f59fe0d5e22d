"""API keys, who they are, the organization, and the sign-up of agents."""

import datetime
import re

from agentmail.api_keys import ApiKeyPermissions, CreateBearerApiKeyRequest
from coverage import at_levels, drives
from scenario import check, equal, wait_until
from world import ONCE, pages, refused, unique


def new(scene, **fields):
    return scene.on("api_keys").create(request=CreateBearerApiKeyRequest(**fields))


@at_levels("api_keys.create")
def create(case, level):
    scene = case.scene(level)
    expires = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(hours=1)
    made = new(scene, name="reader", permissions=ApiKeyPermissions(message_read=True, inbox_read=True), expires_at=expires)
    check(made.api_key.startswith(made.prefix) and made.api_key.startswith("am_"), f"prefix is {made.prefix}")
    equal((made.name, made.expires_at), ("reader", expires), "name and expiry")
    mine = case.with_key(made.api_key)
    who = mine.auth.me()
    equal((who.scope_type, who.api_key_id), (level, made.api_key_id), "who the key is")
    equal(who.scope_id, {"organization": who.organization_id, "pod": scene.pod, "inbox": scene.inbox}[level], "scope_id")
    equal(mine.inboxes.messages.list(scene.inbox).count, 0, "what it may read")
    refused(403, lambda: mine.inboxes.messages.send(scene.inbox, to=scene.inbox, text="x"), "missing_permission")
    if level != "organization":
        refused(404, lambda: mine.inboxes.messages.list(case.inbox()), "not_found")
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    refused(400, lambda: new(scene, name="x", expires_at=past), "validation_error")


@at_levels("api_keys.list")
def list_keys(case, level):
    scene = case.scene(level)
    made = [new(scene, name=f"key {n}").api_key_id for n in range(3)]
    found = scene.on("api_keys").list(limit=3).api_keys
    equal([key.api_key_id for key in found], made[::-1], "newest first")
    check(not [key for key in case.last["api_keys"] if "api_key" in key], "a list shows a secret")
    everything = [key.api_key_id for key in pages(scene.on("api_keys").list, limit=2 if level != "organization" else 20)]
    equal(everything[:3], made[::-1], "in pages")
    if level == "inbox":
        equal(len(everything), 3, "keys of the inbox")


@drives("api_keys.get")
def get(case):
    scene = case.scene("organization")
    made = new(scene, name="mine", permissions=ApiKeyPermissions(draft_read=True))
    got = case.client.api_keys.get(made.api_key_id)
    equal((got.type, got.name, got.prefix, got.permissions.draft_read), ("bearer", "mine", made.prefix, True), "the key")
    check(not got.permissions.message_read and got.used_at is None, f"the key is {got}")
    case.with_key(made.api_key).auth.me()
    wait_until(lambda: case.client.api_keys.get(made.api_key_id).used_at, "used_at")
    refused(404, lambda: case.client.api_keys.get("01890000-0000-7000-8000-000000000000"), "not_found")


@at_levels("api_keys.update")
def update(case, level):
    scene = case.scene(level)
    made = new(scene, name="before", permissions=ApiKeyPermissions(message_read=True))
    changed = scene.on("api_keys").update(made.api_key_id, name="after", permissions=ApiKeyPermissions(message_read=True, draft_read=True))
    equal((changed.name, changed.permissions.draft_read), ("after", True), "after a change")
    mine = case.with_key(made.api_key)
    equal(mine.inboxes.drafts.list(scene.inbox).count, 0, "what it may now read")
    refused(403, lambda: mine.api_keys.create(request=CreateBearerApiKeyRequest(name="stronger")))
    changed = scene.on("api_keys").update(made.api_key_id, permissions=None)
    check(changed.permissions is None and changed.name == "after", f"after permissions: null it is {changed}")
    mine.inboxes.messages.send(scene.inbox, to=scene.inbox, text="now it may")


@at_levels("api_keys.delete")
def delete(case, level):
    scene = case.scene(level)
    made = new(scene, name="soon gone")
    mine = case.with_key(made.api_key)
    mine.auth.me()
    scene.on("api_keys").delete(made.api_key_id)
    refused(401, mine.auth.me, "unknown_api_key")
    refused(404, lambda: scene.on("api_keys").delete(made.api_key_id), "not_found")


@drives("api_keys.create")
def no_key_makes_a_stronger_one(case):
    scene = case.scene("organization")
    weak = case.with_key(new(scene, name="maker", permissions=ApiKeyPermissions(api_key_create=True, message_read=True)).api_key)
    try:
        made = weak.api_keys.create(request=CreateBearerApiKeyRequest(name="x", permissions=ApiKeyPermissions(message_send=True, message_read=True)))
        check(not (made.permissions and made.permissions.message_send), "a key made a stronger one")
    except Exception as error:  # noqa: BLE001 - clamped or refused, both are documented
        equal(getattr(error, "status_code", None), 403, "status")
    refused(403, lambda: weak.api_keys.create(request=CreateBearerApiKeyRequest(name="unlimited")), "unrestricted_key_required")
    case.client.api_keys.create(request=CreateBearerApiKeyRequest(name="y"))


@drives("api_keys.create")
def what_a_key_may_not_see_is_not_there(case):
    scene = case.scene("organization")
    hidden = case.receive(scene.inbox, "Hidden")
    case.quiet.inboxes.messages.update(scene.inbox, hidden, add_labels=["spam"], request_options=ONCE)
    made = case.client.api_keys.create(request=CreateBearerApiKeyRequest(name="x", permissions=ApiKeyPermissions(message_read=True)))
    mine = case.with_key(made.api_key)
    equal(mine.inboxes.messages.list(scene.inbox, include_spam=True).count, 0, "spam in a list")
    refused(404, lambda: mine.inboxes.messages.get(scene.inbox, hidden), "not_found")


@drives("auth.me")
def me(case):
    who = case.client.auth.me()
    equal((who.scope_type, who.scope_id, who.organization_id), ("organization", *[case.server.ready["organization_id"]] * 2), "who the first key is")
    refused(401, case.with_key("am_nothing").auth.me, "unknown_api_key")


@drives("organizations.get")
def organization(case):
    before = case.client.organizations.get()
    case.inbox()
    after = case.client.organizations.get()
    equal((after.organization_id, after.inbox_count), (case.server.ready["organization_id"], before.inbox_count + 1), "the organization")


@drives("organizations.get_labs")
def labs(case):
    got = case.client.organizations.get_labs()
    equal((got.enabled, got.enabled_at, got.available), (False, None, False), "labs")


def code_for(case, human):
    """The six digits in a mail to the human."""

    def look():
        for item in case.quiet.inboxes.messages.list(human, request_options=ONCE).messages:
            found = re.search(r"\b(\d{6})\b", case.quiet.inboxes.messages.get(human, item.message_id, request_options=ONCE).text or "")
            if found:
                return found
        return None
    return wait_until(look, f"a code for {human}")[1]


@drives("agent.sign_up", "agent.verify")
def sign_up(case):
    human, other, name = case.inbox(), case.inbox(), unique("agent")
    nobody = case.with_key(None)
    made = nobody.agent.sign_up(username=name, human_email=human, source="tests")
    equal(made.inbox_id, f"{name}@{case.server.ready['domain']}", "the inbox")
    mine = case.with_key(made.api_key)
    equal(mine.auth.me().organization_id, made.organization_id, "the organization")
    refused(403, lambda: mine.inboxes.messages.send(made.inbox_id, to=other, text="x"), "message_rejected")
    mine.inboxes.messages.send(made.inbox_id, to=human, subject="To my human", text="x")
    refused(403, mine.inboxes.create, "limit_exceeded")
    refused(403, lambda: mine.pods.create(name="x"), "missing_permission")
    code = code_for(case, human)
    wrong = "000000" if code != "000000" else "111111"
    check(failed(lambda: mine.agent.verify(otp_code=wrong)) in (400, 403), "a wrong code is taken")
    again = nobody.agent.sign_up(username=name, human_email=human)
    equal((again.organization_id, again.inbox_id), (made.organization_id, made.inbox_id), "signing up again")
    refused(401, mine.auth.me, "unknown_api_key")
    mine = case.with_key(again.api_key)
    equal(mine.agent.verify(otp_code=code).verified, True, "verified")
    mine.inboxes.messages.send(made.inbox_id, to=other, subject="Free", text="x")
    mine.inboxes.create()


def failed(call):
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the status is looked at
        return getattr(error, "status_code", None)
    return None


@drives("agent.attach_human")
def attach_human(case):
    human, other = case.inbox(), case.inbox()
    made = case.with_key(None).agent.sign_up(username=unique("agent"))
    mine = case.with_key(made.api_key)
    refused(403, lambda: mine.inboxes.messages.send(made.inbox_id, to=human, text="x"), "message_rejected")
    got = mine.agent.attach_human(human_email=human)
    check(got.human_email == human and got.instructions, f"answer: {got}")
    mine.inboxes.messages.send(made.inbox_id, to=human, subject="x", text="x")
    refused(403, lambda: mine.inboxes.messages.send(made.inbox_id, to=other, text="x"), "message_rejected")
    equal(mine.agent.verify(otp_code=code_for(case, human)).verified, True, "verified")
    refused(409, lambda: mine.agent.attach_human(human_email=other), "conflict")
