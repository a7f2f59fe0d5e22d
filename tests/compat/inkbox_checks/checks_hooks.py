"""Webhooks with their signatures, the log of deliveries, and signing keys."""

import json
from uuid import uuid4

import corpus
import smtp
import wire
from coverage import drives
from inkbox import verify_webhook
from receiver import Receiver
from scenario import check, equal, wait_until
from world import answers, refused, unique

EVENTS = ["message.received", "message.sent", "message.forwarded", "message.delivered", "message.bounced", "message.failed"]
PAYLOAD = {
    **{name: kind for name, kind in wire.MESSAGE.items() if name in (
        "id", "mailbox_id", "thread_id", "message_id", "from_address", "to_addresses", "cc_addresses", "subject", "snippet", "direction", "status",
        "has_attachments", "created_at")},
    "bcc_addresses": wire.maybe(wire.texts), "email_address": wire.text, "body": wire.maybe(wire.text),
    "body_state": wire.word(None, "complete", "truncated", "unavailable"), "body_truncated": wire.maybe(wire.truth),
    "body_total_chars": wire.maybe(wire.number), "body_included_chars": wire.maybe(wire.number),
}
EVENT = {"id": lambda v: v.startswith("evt_"), "event_type": wire.word(*EVENTS), "timestamp": wire.time, "data": {
    "message": PAYLOAD, "contacts": lambda v: v == [],
    "agent_identities": [{"bucket": wire.word("from", "to", "cc", "bcc"), "address": wire.text, "id": wire.ident, "agent_handle": wire.text,
                          "display_name": wire.maybe(wire.text)}]}}


class Hook:
    """A subscription of an identity, with a receiver for what it delivers."""

    def __init__(self, case, agent, receiver, events=None, **options):
        self.path = "/" + unique("hook")
        self.case, self.receiver = case, receiver
        self.made = case.client.webhooks.subscriptions.create(url=receiver.url + self.path, event_types=events or EVENTS, agent_identity_id=agent.id, **options)
        self.id = self.made.id

    def events(self, kind, count=1):
        """The first deliveries of that kind, parsed and held against the contract."""
        def look():
            found = [(post, json.loads(post.body)) for post in self.receiver.at(self.path)]
            return [(post, event) for post, event in found if event["event_type"] == kind]
        found = wait_until(lambda: len(got := look()) >= count and got, f"{count} {kind}", 30)
        for _, event in found:
            wire.fits(event, EVENT, kind)
        return found


def genuine(post, secret):
    return verify_webhook(payload=post.body, headers=post.headers, secret=secret)


@drives("webhooks.subscriptions.create", "webhooks.subscriptions.get", "webhooks.subscriptions.list", "webhooks.subscriptions.update",
        "webhooks.subscriptions.delete")
def subscriptions(case):
    agent, other, url = case.agent(), case.agent(), "http://127.0.0.1:9/" + unique("x")
    hooks = case.client.webhooks.subscriptions
    made = hooks.create(url=url, event_types=["message.received"], agent_identity_id=agent.id, auth_token="let-me-in-please")
    check(made.signing_key and made.has_auth_token, f"made {made}")
    equal((made.agent_identity_id, made.owner_identity_id, made.auth_token, made.url), (agent.id, agent.id, None, url), "the subscription")
    second = agent.client.webhooks.subscriptions.create(url=url, event_types=["message.sent"], mailbox_id=agent.mailbox)
    equal((second.signing_key, second.owner_identity_id), (None, agent.id), "by its mailbox, and without a new key")
    foreign = hooks.create(url=url, event_types=["message.sent"], agent_identity_id=other.id)
    for options, expected in (
            ({"agent_identity_id": agent.id}, {made.id, second.id}), ({"mailbox_id": other.mailbox}, {foreign.id}),
            ({"url": url, "event_type": "message.sent"}, {second.id, foreign.id}), ({"url": url, "scope": "identity"}, {made.id, second.id, foreign.id})):
        equal({hook.id for hook in hooks.list(**options)}, expected, f"the list with {options}")
    equal({hook.id for hook in agent.client.webhooks.subscriptions.list()}, {made.id, second.id}, "an agent's list")
    equal(hooks.get(made.id).event_types, ["message.received"], "read again")
    changed = hooks.update(made.id, event_types=["message.bounced", "message.failed"], auth_token=None, url=url + "/2")
    equal((changed.event_types, changed.has_auth_token, changed.url), (["message.bounced", "message.failed"], False, url + "/2"), "changed")
    refused(404, lambda: agent.client.webhooks.subscriptions.get(foreign.id))
    refused(404, lambda: case.with_key(case.stranger()).webhooks.subscriptions.get(made.id))
    hooks.delete(foreign.id)
    refused(404, lambda: hooks.get(foreign.id))
    refused(404, lambda: hooks.delete(foreign.id))
    path, good = "/api/v1/webhooks/subscriptions", {"url": url, "event_types": ["message.sent"], "agent_identity_id": str(agent.id)}
    for change in ({"event_types": []}, {"event_types": ["text.received"]}, {"event_types": ["message.sent", "message.sent"]}, {"event_types": ["message.read"]},
                   {"url": "ftp://x.example/"}, {"url": "http://10.0.0.1/"}, {"url": "https://169.254.169.254/"}, {"url": "nonsense"},
                   {"mailbox_id": str(agent.mailbox)}, {"agent_identity_id": None}, {"color": "red"}):
        got = case.call("POST", path, {**good, **change})
        equal(got.status, 422, f"{change} ({got.body})")
    answers(case.call("POST", path, {"url": url, "event_types": ["message.sent"], "phone_number_id": str(uuid4())}), 501, "not_supported")
    answers(case.call("POST", path, {**good, "agent_identity_id": str(uuid4())}), 404)
    answers(case.call("GET", "/api/v1/webhooks/catalog"), 200)
    for _ in range(18):
        hooks.create(url=url, event_types=["message.sent"], agent_identity_id=agent.id)
    refused(409, lambda: hooks.create(url=url, event_types=["message.sent"], agent_identity_id=agent.id))


@drives("webhooks.subscriptions.create", "verify_webhook")
def delivered(case):
    agent, peer = case.agent(display_name="Zoë"), case.agent()
    with Receiver() as receiver:
        hook = Hook(case, agent, receiver, auth_token="token-of-the-receiver")
        secret = hook.made.signing_key
        received = case.receive(agent.address, "Came in", "Größe.\n")
        post, event = hook.events("message.received")[0]
        check(genuine(post, secret) and not genuine(post, secret[:-1] + "x"), "the signature")
        case.answered.add("verify_webhook")
        equal(post.headers.get("authorization"), "Bearer token-of-the-receiver", "Authorization")
        check(post.headers["x-inkbox-request-id"] and int(post.headers["x-inkbox-timestamp"]) > 1.7e9, "headers")
        message = event["data"]["message"]
        equal((message["id"], message["email_address"], message["body"].strip(), message["body_state"]), (str(received.id), agent.address, "Größe.", "complete"),
              "the message")
        equal((message["body_truncated"], message["body_total_chars"] >= 6, message["bcc_addresses"]), (False, True, None), "the message")
        sent = case.client.messages.send(agent.address, to=[peer.address], bcc=["x@elsewhere.example"], subject="Goes out", body_text="x")
        _, event = hook.events("message.sent")[0]
        equal((event["data"]["message"]["id"], event["data"]["message"]["body"]), (str(sent.id), None), "what was sent")
        equal(event["data"]["message"]["bcc_addresses"], ["x@elsewhere.example"], "bcc")
        check(("to", str(peer.id)) in {(one["bucket"], one["id"]) for one in event["data"]["agent_identities"]}, "identities in it")
        peer.identity.send_email(to=[agent.address], subject="From a peer")
        _, event = hook.events("message.received", 2)[1]
        check(("from", str(peer.id)) in {(one["bucket"], one["id"]) for one in event["data"]["agent_identities"]}, "identities in it")
        forwarded = case.client.messages.forward(agent.address, received.id, to=["x@elsewhere.example"])
        _, event = hook.events("message.forwarded")[0]
        equal(event["data"]["message"]["id"], str(forwarded.id), "what was forwarded")
        case.client.mail_identity_contact_rules.create(agent.handle, action="block", match_type="domain", match_target="client.example.net")
        smtp_refused(case, agent)
        case.client.messages.send(agent.address, to=["y@elsewhere.example"], subject="Last")
        hook.events("message.sent", 2)
        equal(len(hook.events("message.sent")), 2, "a forward is not told as sent")
        equal(len(hook.events("message.received")), 2, "blocked mail is not told")


def smtp_refused(case, agent):
    """Mail from the blocked sender; whether it is refused or put aside is not the matter here."""
    with smtp.Smtp(case.server.address("smtp_in")) as client:
        client.hello()
        client.command("MAIL FROM:<zoe@client.example.net>", 250)
        if client.command(f"RCPT TO:<{agent.address}>").code == 250:
            client.command("DATA", 354)
            client.send(smtp.stuffed(corpus.octets(corpus.plain(agent.address, "Blocked"))) + b".\r\n")
            client.reply()


@drives("webhooks.deliveries.list", "webhooks.deliveries.replay")
def deliveries(case):
    agent = case.agent()
    with Receiver(answers=[500]) as receiver:
        hook = Hook(case, agent, receiver, events=["message.received"])
        log = case.client.webhooks.deliveries
        case.receive(agent.address, "One")
        rows = wait_until(lambda: log.list(subscription_id=hook.id, success=False), "the failed one", 30)
        equal((rows[-1].response_status, rows[-1].event_type, rows[-1].is_replay), (500, "message.received", False), "the row")
        payload = rows[-1].request_payload
        equal(payload.encode(), receiver.at(hook.path)[0].body, "the text as it was sent")
        again = log.replay(rows[-1].id)
        equal((again.is_replay, again.event_id, again.webhook_subscription_id), (True, rows[-1].event_id, hook.id), "the replay")
        check(again.id != rows[-1].id, "the same row")
        post = wait_until(lambda: len(posts := receiver.at(hook.path)) >= 2 and posts, "the replay to come", 30)[1]
        check(genuine(post, hook.made.signing_key), "the replay's signature")
        equal(json.loads(post.body)["id"], json.loads(payload)["id"], "the event's id")
        wait_until(lambda: log.list(subscription_id=hook.id, success=True, event_type="message.received"), "the successful one", 30)
        every = log.list(subscription_id=hook.id)
        equal([row.id for row in log.list(subscription_id=hook.id, limit=1, offset=1)], [every[1].id], "the second")
        equal(every, sorted(every, key=lambda row: row.created_at, reverse=True), "newest first")
        equal(log.list(subscription_id=hook.id, event_type="message.sent"), [], "of another type")
        refused(404, lambda: log.replay(uuid4()))
        stranger = case.with_key(case.stranger()).webhooks.deliveries
        refused(404, lambda: stranger.replay(rows[-1].id))
        equal(stranger.list(), [], "of another organization")
        equal(case.agent().client.webhooks.deliveries.list(), [], "of another agent")
        case.client.webhooks.subscriptions.delete(hook.id)
        refused(409, lambda: log.replay(rows[-1].id))


@drives("signing_keys.create_or_rotate", "signing_keys.get_status", "identity.create_signing_key", "identity.get_signing_key_status",
        "create_signing_key")
def signing_keys(case):
    agent = case.agent()
    equal(case.client.signing_keys.get_status(agent.handle).configured, False, "before")
    first = case.client.signing_keys.create_or_rotate(agent.handle)
    status = agent.identity.get_signing_key_status()
    equal((status.configured, status.created_at), (True, first.created_at), "status")
    identity = agent.identity.refresh()
    equal((identity.signing_key_configured, identity.signing_key_created_at), (True, first.created_at), "of the identity")
    with Receiver() as receiver:
        hook = Hook(case, agent, receiver, events=["message.received"])
        equal(hook.made.signing_key, None, "there is a key already")
        second = agent.identity.create_signing_key()
        check(second.signing_key != first.signing_key, "not rotated")
        case.receive(agent.address)
        post = hook.events("message.received")[0][0]
        check(genuine(post, second.signing_key) and not genuine(post, first.signing_key), "signed with the new one")
    refused(409, case.quiet.create_signing_key)
    own = agent.client.create_signing_key()
    check(own.signing_key not in (first.signing_key, second.signing_key), "an agent's own, at the old address")
    equal(agent.client.signing_keys.get_status().configured, True, "at the old address")
    refused(404, lambda: case.agent().client.signing_keys.create_or_rotate(agent.handle))
    refused(404, lambda: case.with_key(case.stranger()).signing_keys.get_status(agent.handle))
