"""Identities, their keys and their visibility to each other; who the caller is."""

from uuid import uuid4

import api
import smtp
from coverage import drives
from inkbox.identities.exceptions import HandleUnavailableError
from inkbox.identities.types import IdentityMailboxCreateOptions, IdentityTunnelCreateOptions
from scenario import check, equal
from world import answers, refused, unique

BAD_HANDLES = ("ab", "a" * 64, "a--b", "-ab", "ab-", "a_b", "a.b", "größe", "", "a b", "@@abc")


@drives("whoami")
def who(case):
    admin = case.client.whoami()
    equal((admin.auth_type, admin.auth_subtype), ("api_key", "api_key.admin_scoped"), "the admin key")
    equal(admin.organization_id, case.server.ready["organization_id"], "organization")
    agent = case.agent()
    told = agent.client.whoami()
    equal((told.auth_subtype, told.organization_id), ("api_key.agent_scoped.claimed", admin.organization_id), "the agent's key")
    equal(told.label, "own", "label")
    check(told.key_id != admin.key_id and told.created_at > 1.7e9, f"told {told}")
    refused(401, case.with_key("ak_" + "x" * 32).whoami)
    equal(case.call("GET", "/api/whoami", key=None, headers={"Authorization": f"Bearer {agent.key}", "X-API-Key": agent.key}).status, 200, "both headers")


@drives("with_response_metadata", "close")
def metadata(case):
    told = case.client.with_response_metadata(lambda client: client.whoami().organization_id)
    equal((told.data, told.notices), (case.server.ready["organization_id"], None), "data, and no notices")
    case.client.close()


@drives("create_identity", "get_identity")
def create(case):
    handle = unique()
    made = case.client.create_identity("@" + handle.upper(), description="")
    equal((made.agent_handle, made.email_address, made.display_name), (handle, f"{handle}@{case.domain}", handle), "the identity")
    equal((made.description, made.mailbox.email_address, made.mailbox.agent_identity_id), ("", made.email_address, made.id), "its mailbox")
    equal((made.tunnel, made.phone_number, made.imessage_number, made.imessage_enabled), (None, None, None, False), "what there is not")
    equal((made.mail_filter_mode.value, made.signing_key_configured), ("blacklist", False), "defaults")
    for spelling in (handle, "@" + handle, handle.upper()):
        equal(case.client.get_identity(spelling).id, made.id, f"asked for {spelling}")
    named = case.client.create_identity(unique(), display_name="Größe 7", sending_domain=None)
    equal((named.display_name, named.description), ("Größe 7", None), "fields of another")
    refused(404, lambda: case.client.get_identity(unique()))


@drives("identities.create", "identities.get", "identities.list", "list_identities", "identities.delete")
def resource(case):
    handle = unique()
    made = case.client.identities.create(agent_handle=handle, mailbox=IdentityMailboxCreateOptions(email_local_part=handle),
                                         tunnel=IdentityTunnelCreateOptions(tls_mode="edge"), contact_sharing_enabled=True)
    equal(case.client.identities.get(handle).mailbox.id, made.mailbox.id, "its mailbox")
    other = case.agent()
    for listed in (case.client.identities.list(), case.client.list_identities()):
        check({made.id, other.id} <= {one.id for one in listed}, "not in the list")
        check(all(one.email_address for one in listed), "without address")
    equal([one.id for one in other.client.identities.list()], [other.id], "an agent sees itself")
    refused(404, lambda: other.client.identities.get(handle))
    refused(403, lambda: other.client.identities.create(agent_handle=unique()))
    refused(403, lambda: other.client.identities.delete(other.handle))
    case.client.identities.delete(handle)
    refused(404, lambda: case.client.identities.delete(handle))
    refused(404, lambda: case.client.identities.get(handle))


@drives("create_identity")
def names_that_are_refused(case):
    for handle in BAD_HANDLES:
        answers(case.call("POST", "/api/v1/identities/", {"agent_handle": handle}), 422)
    for body in ({}, {"agent_handle": 5}, {"agent_handle": None}, [], {"agent_handle": unique(), "color": "red"},
                 {"agent_handle": unique(), "display_name": "x" * 256}, {"agent_handle": unique(), "display_name": "a\r\nb"}):
        answers(case.call("POST", "/api/v1/identities/", body), 422)
    for handle in ("postmaster", "abuse", "mailer-daemon", "a2a"):
        refused(409, lambda handle=handle: case.client.create_identity(handle), kind=HandleUnavailableError)
    taken, name = case.agent(), unique("box")
    api.create_inbox(case.server, name)
    stranger = case.with_key(case.stranger())
    for client in (case.client, stranger):
        equal(refused(409, lambda client=client: client.create_identity(taken.handle), kind=HandleUnavailableError).blocking_namespace, "identities", "why")
        equal(refused(409, lambda client=client: client.create_identity(name), kind=HandleUnavailableError).blocking_namespace, "mail", "why")
    refused(422, lambda: case.client.create_identity(unique(), email_local_part="another"))
    refused(422, lambda: case.client.create_identity(unique(), sending_domain="not-ours.test"))
    case.client.create_identity(unique())


@drives("identities.create")
def a_refused_create_leaves_nothing(case):
    handle = unique()
    unsupported = ({"imessage_enabled": True}, {"imessage_enabled": True, "claim_imessage_number": True}, {"vault_secret_ids": "*"},
                   {"tunnel": {"tls_mode": "passthrough"}}, {"phone_number": {"type": "local"}})
    for body in unsupported:
        answers(case.call("POST", "/api/v1/identities", {"agent_handle": handle, **body}), 501, "not_supported")
    answers(case.call("POST", "/api/v1/identities", {"agent_handle": handle, "mailbox": {"sending_domain": "not-ours.test"}}), 422)
    refused(404, lambda: case.client.identities.get(handle))
    other = case.with_key(case.stranger())
    equal(other.identities.create(agent_handle=handle).email_address, f"{handle}@{case.domain}", "the name is free for anybody")


@drives("identities.update", "identity.update", "identity.refresh")
def update(case):
    agent = case.agent()
    changed = case.client.identities.update(agent.handle, display_name="New", description="About")
    equal((changed.display_name, changed.description, changed.mailbox.id), ("New", "About", agent.mailbox), "changed, and whole")
    kept = case.client.identities.update(agent.handle, description=None)
    equal((kept.display_name, kept.description), ("New", None), "absent keeps, null clears")
    agent.identity.update(mail_inbound_filter_mode="whitelist")
    equal((agent.identity.mail_inbound_filter_mode.value, agent.identity.mail_outbound_filter_mode.value), ("whitelist", "blacklist"), "modes")
    case.client.identities.update(agent.handle, mail_filter_mode="blacklist")
    equal(agent.identity.refresh().mail_inbound_filter_mode.value, "blacklist", "both at once")
    equal(agent.client.identities.update(agent.handle, display_name="Self").display_name, "Self", "an agent names itself")
    refused(403, lambda: agent.client.identities.update(agent.handle, mail_filter_mode="whitelist"))
    path = f"/api/v1/identities/{agent.handle}"
    answers(case.call("PATCH", path, {"mail_filter_mode": "whitelist", "mail_inbound_filter_mode": "blacklist"}), 422)
    for body in ({"mail_filter_mode": "grey"}, {"status": "gone"}, {"color": "red"}, {"agent_handle": "a--b"}, []):
        answers(case.call("PATCH", path, body), 422)
    for body in ({"imessage_enabled": True}, {"phone_filter_mode": "whitelist"}, {"slack_filter_mode": "whitelist"}):
        answers(case.call("PATCH", path, body), 501, "not_supported")
    for body in ({"status": "paused"}, {"agent_handle": unique()}):
        answers(case.call("PATCH", path, body, agent.key), 403)
    equal(case.client.identities.get(agent.handle).display_name, "Self", "nothing of that was done")


@drives("identities.update", "identities.get")
def renamed_and_paused(case):
    agent, new = case.agent(), unique("renamed")
    path = f"/api/v1/identities/{agent.handle}"
    told = answers(case.call("PATCH", path, {"agent_handle": "@" + new.upper()}), 200)
    equal((told["agent_handle"], told["email_address"], told["id"]), (new, agent.address, str(agent.id)), "renamed")
    refused(404, lambda: case.client.identities.get(agent.handle))
    equal(case.client.identities.get(new).id, agent.id, "by its new name")
    taken = case.agent()
    refused(409, lambda: case.client.identities.create(agent_handle=new), kind=HandleUnavailableError)
    answers(case.call("PATCH", f"/api/v1/identities/{new}", {"agent_handle": taken.handle}), 409)
    # The address of the old name is still taken by this identity.
    refused(409, lambda: case.client.identities.create(agent_handle=agent.handle), kind=HandleUnavailableError)
    answers(case.call("PATCH", f"/api/v1/identities/{new}", {"status": "paused"}), 200)
    failure = refused(403, lambda: case.client.messages.send(agent.address, to=["x@elsewhere.example"], subject="x"))
    check(failure.detail["error"] != "recipient_blocked", f"why: {failure.detail}")
    case.receive(agent.address, "While paused")
    answers(case.call("PATCH", f"/api/v1/identities/{new}", {"status": "active"}), 200)
    case.client.messages.send(agent.address, to=["x@elsewhere.example"], subject="x")
    case.client.identities.update(new, display_name="x")


@drives("identity.delete")
def delete(case):
    agent, other = case.agent(), case.agent()
    case.receive(agent.address, "Before")
    rule = agent.identity.create_mail_contact_rule(action="block", match_type="domain", match_target="bad.example")
    session = case.imap(agent.address, agent.key, "INBOX")
    agent.identity.delete()
    refused(401, agent.client.whoami)
    for run in (lambda: case.client.mailboxes.get(agent.address), lambda: list(case.client.messages.list(agent.address)),
                lambda: case.client.mail_identity_contact_rules.get(agent.handle, rule.id), lambda: case.client.signing_keys.get_status(agent.handle)):
        refused(404, run)
    try:
        check(b"BYE" in session.response()[0], "IMAP goes on")
    except ConnectionError:
        pass
    with smtp.Smtp(case.server.address("smtp_in")) as client:
        client.hello()
        client.command("MAIL FROM:<x@client.example.net>", 250)
        client.command(f"RCPT TO:<{agent.address}>", 550)
    stranger = case.with_key(case.stranger())
    refused(409, lambda: stranger.create_identity(agent.handle), kind=HandleUnavailableError)
    again = case.client.create_identity(agent.handle)
    check(again.id != agent.id and again.email_address == agent.address, f"made again: {again}")
    equal(list(case.client.messages.list(again.email_address)), [], "its mail")
    equal(case.client.identities.get(other.handle).id, other.id, "the others stay")


@drives("api_keys.create")
def keys(case):
    agent = case.agent()
    made = case.client.api_keys.create(label="CI", description="for tests", scoped_identity_id=agent.id)
    record = made.record
    equal((record.label, record.description, record.scoped_identity_id, record.status.value), ("CI", "for tests", agent.id, "active"), "the record")
    equal((record.last4, record.organization_id), (made.api_key[-4:], case.server.ready["organization_id"]), "the record")
    check(made.api_key.startswith(record.display_prefix) and len(record.display_prefix) < 16, f"prefix {record.display_prefix}")
    mine = case.with_key(made.api_key)
    equal(mine.identities.get(agent.handle).id, agent.id, "seen with the key")
    equal(answers(case.call("GET", "/api/v1/api-keys/self", key=made.api_key), 200)["id"], record.id, "the key of the caller")
    refused(403, lambda: case.client.api_keys.create(label="admin"))
    refused(403, lambda: mine.api_keys.create(label="another", scoped_identity_id=agent.id))
    refused(404, lambda: case.client.api_keys.create(label="x", scoped_identity_id=uuid4()))
    refused(404, lambda: case.with_key(case.stranger()).api_keys.create(label="x", scoped_identity_id=agent.id))
    for label in ("", "x" * 256):
        refused(422, lambda label=label: case.client.api_keys.create(label=label, scoped_identity_id=agent.id))
    refused(422, lambda: case.client.api_keys.create(label="x", description="x" * 1001, scoped_identity_id=agent.id))
    listed = answers(case.call("GET", "/api/v1/api-keys"), 200)
    listed = listed if isinstance(listed, list) else next(value for value in listed.values() if isinstance(value, list))
    check(record.id in [one["id"] for one in listed] and made.api_key not in str(listed), "the list of keys")
    case.imap(agent.address, made.api_key, "INBOX")
    equal(case.call("DELETE", f"/api/v1/api-keys/{record.id}").status, 204, "revoking")
    refused(401, mine.whoami)


@drives("identities.list", "identities.get")
def visibility(case):
    """By plain HTTP; the older client that has methods for it is in inkbox_old_sdk.py."""
    seen, viewer, later = case.agent(), case.agent(), None
    path = f"/api/v1/identities/{seen.handle}/access"
    equal(answers(case.call("GET", path), 200), [], "of a new identity")
    row = answers(case.call("POST", path, {"viewer_identity_id": str(viewer.id)}), 201)
    equal((row["target_identity_id"], row["viewer_identity_id"]), (str(seen.id), str(viewer.id)), "the row")
    equal({one.id for one in viewer.client.identities.list()}, {viewer.id, seen.id}, "seen by the viewer")
    equal([one.id for one in seen.client.identities.list()], [seen.id], "the other way")
    equal(viewer.client.identities.get(seen.handle).email_address, seen.address, "one of them")
    for run in (lambda: list(viewer.client.messages.list(seen.address)), lambda: viewer.client.mailboxes.get(seen.address)):
        refused(404, run)
    refused(403, lambda: viewer.client.mail_identity_contact_rules.list(seen.handle))
    for method, body in (("GET", None), ("POST", {}), ("POST", {"viewer_identity_id": str(viewer.id)})):
        answers(case.call(method, path, body, viewer.key), 403)
    check(viewer.client.identities.get(viewer.handle), "itself")
    for body, status in (({"viewer_identity_id": str(viewer.id)}, 409), ({"viewer_identity_id": str(seen.id)}, 422), ({"viewer_identity_id": str(uuid4())}, 404),
                         ({"viewer_identity_id": "x"}, 422)):
        answers(case.call("POST", path, body), status)
    answers(case.call("POST", path, {}), 201)
    equal([one["viewer_identity_id"] for one in answers(case.call("GET", path), 200)], [None], "organization-wide")
    answers(case.call("POST", path, {"viewer_identity_id": str(viewer.id)}), 409, "redundant_grant")
    later = case.agent()
    check(seen.id in {one.id for one in later.client.identities.list()}, "one made later")
    equal(case.call("DELETE", f"{path}/{viewer.id}").status, 204, "revoking one of all")
    rows = {one["viewer_identity_id"] for one in answers(case.call("GET", path), 200)}
    check(str(later.id) in rows and None not in rows and str(viewer.id) not in rows and str(seen.id) not in rows, "the rows that are left")
    refused(404, lambda: viewer.client.identities.get(seen.handle))
    equal(case.call("DELETE", f"{path}/{viewer.id}").status, 404, "revoking what is not there")
    case.quiet.identities.delete(later.handle)
    check(str(later.id) not in {one["viewer_identity_id"] for one in answers(case.call("GET", path), 200)}, "a deleted viewer")
