#!/usr/bin/env python3
"""Who may see whom, with the last of the vendor's clients that has methods for it (inkbox 0.5.12)."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "inkbox_checks"), os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-inkbox-old.txt")
from uuid import uuid4  # noqa: E402

import coverage  # noqa: E402
from coverage import drives  # noqa: E402
from inkbox.exceptions import RedundantContactAccessGrantError  # noqa: E402
from scenario import check, equal  # noqa: E402
from server import Server  # noqa: E402
from world import Case, refused, unique  # noqa: E402


def seen_by(agent):
    return {one.id for one in agent.client.list_identities()}


def viewers(case, identity):
    return {row.viewer_identity_id for row in case.client.get_identity(identity.handle).list_access()}


def looks_at(viewer, target):
    return viewer.client.get_identity(target.handle).email_address


@drives("identity.list_access", "identity.grant_access", "identity.revoke_access", "list_identities", "get_identity")
def one_by_one(case):
    a, b, c = case.agent(), case.agent(), case.agent()
    target = b.identity
    equal(target.list_access(), [], "of a new identity")
    equal([seen_by(one) for one in (a, b, c)], [{a.id}, {b.id}, {c.id}], "nobody sees another")
    row = target.grant_access(a.id)
    equal((row.target_identity_id, row.viewer_identity_id), (b.id, a.id), "the row")
    equal([seen_by(one) for one in (a, b, c)], [{a.id, b.id}, {b.id}, {c.id}], "A sees B, and B does not see A")
    equal(looks_at(a, b), b.address, "A looks at B")
    refused(404, lambda: looks_at(b, a))
    refused(404, lambda: looks_at(c, b))
    target.grant_access(str(c.id))
    equal(viewers(case, b), {a.id, c.id}, "two viewers")
    refused(409, lambda: target.grant_access(a.id))
    refused(422, lambda: target.grant_access(b.id))
    refused(404, lambda: target.grant_access(uuid4()))
    target.revoke_access(a.id)
    equal((viewers(case, b), seen_by(a)), ({c.id}, {a.id}), "revoked")
    refused(404, lambda: target.revoke_access(a.id))
    refused(404, lambda: looks_at(a, b))


@drives("identity.grant_access", "identity.revoke_access", "identity.list_access")
def everybody(case):
    a, b, c = case.agent(), case.agent(), case.agent()
    target = b.identity
    target.grant_access(a.id)
    row = target.grant_access(None)
    equal((row.viewer_identity_id, viewers(case, b)), (None, {None}), "the wildcard drops the others")
    equal(target.grant_access(None).viewer_identity_id, None, "once more is fine")
    equal(len(target.list_access()), 1, "one row")
    later = case.agent()
    check(all(b.id in seen_by(one) for one in (a, c, later)), "somebody does not see it")
    equal(seen_by(b), {b.id}, "it sees nobody")
    failure = refused(409, lambda: target.grant_access(c.id), "redundant_grant", RedundantContactAccessGrantError)
    check(failure.detail["message"], f"no text in {failure.detail}")
    target.revoke_access(c.id)
    left = viewers(case, b)
    check({a.id, later.id} <= left and not left & {None, b.id, c.id}, f"rows left: {left}")
    check(b.id in seen_by(a) and b.id in seen_by(later) and b.id not in seen_by(c), "seen after it")
    check(b.id not in seen_by(case.agent()), "by one made after it")


@drives("identity.list_access", "identity.grant_access", "identity.delete")
def the_deleted(case):
    a, b = case.agent(), case.agent()
    b.identity.grant_access(a.id)
    a.identity.delete()
    equal(b.identity.list_access(), [], "a deleted viewer has no row")
    a = case.agent()
    b.identity.grant_access(a.id)
    b.identity.delete()
    equal(seen_by(a), {a.id}, "a deleted target")
    again = case.agent(b.handle)
    equal(again.identity.list_access(), [], "one of the same name begins anew")
    equal(seen_by(a), {a.id}, "one of the same name")


@drives("get_identity", "identity.grant_access")
def keys_and_organizations(case):
    a, b = case.agent(), case.agent()
    b.identity.grant_access(a.id)
    for agent in (a, b):
        seen = agent.client.get_identity(b.handle)
        for run_one in (seen.list_access, lambda seen=seen: seen.grant_access(None), lambda seen=seen: seen.revoke_access(a.id)):
            refused(403, run_one)
    key = case.stranger()
    stranger = case.with_key(key)
    theirs = stranger.create_identity(unique())
    refused(404, lambda: stranger.get_identity(b.handle))
    refused(404, lambda: theirs.grant_access(a.id))
    refused(404, lambda: b.identity.grant_access(theirs.id))
    path = f"/api/v1/identities/{b.handle}/access"
    for method, rest, body in (("GET", "", None), ("POST", "", {}), ("POST", "", {"viewer_identity_id": str(theirs.id)}), ("DELETE", f"/{a.id}", None)):
        equal(case.call(method, path + rest, body, key).status, 404, f"{method} by a stranger")
    equal(viewers(case, b), {a.id}, "nothing of that was done")
    seen = a.client.get_identity(b.handle)
    for blind in (lambda: a.client.mailboxes.get(b.address), lambda: list(a.client.messages.list(b.address)), seen.delete, lambda: seen.update(display_name="x"),
                  lambda: a.client.signing_keys.get_status(b.handle)):
        status = refused_with(blind)
        check(status in (403, 404), f"seeing opens more: {status}")


def refused_with(run):
    try:
        run()
    except Exception as error:  # noqa: BLE001 - the status is what counts
        return getattr(error, "status_code", error)
    return 200


@drives("whoami", "create_identity", "get_identity", "list_identities", "messages.send", "messages.list", "messages.get", "mailboxes.get", "threads.list")
def every_day(case):
    """What its users do every day still works with it."""
    made, peer = case.client.create_identity(unique(), display_name="Old"), case.agent()
    equal(case.client.whoami().auth_type, "api_key", "who")
    equal(case.client.get_identity(made.agent_handle).email_address, made.email_address, "read again")
    check(made.id in {one.id for one in case.client.list_identities()}, "not in the list")
    sent = case.client.messages.send(made.email_address, to=[peer.address], subject="To a peer", body_text="Hello.")
    came = case.listed(peer.address, subject="To a peer", direction="inbound")
    equal(case.client.messages.get(peer.address, came.id).body_text.strip(), "Hello.", "text")
    check(sent.id in {m.id for m in case.client.messages.list(made.email_address)}, "the sent one")
    equal(case.client.mailboxes.get(made.email_address).agent_identity_id, made.id, "the mailbox")
    check(came.thread_id in {t.id for t in case.client.threads.list(peer.address)}, "the thread")


def run():
    with Server() as server:
        results = coverage.run_checks(lambda: Case(server))
        coverage.conclude("Python 0.5.12, a part of it", sorted(results), {}, results)


if __name__ == "__main__":
    scenario.main(run, 230)
