"""Webhooks, the WebSocket and sending domains (§7 of the contract)."""

import hashlib
import hmac
import json
import os

from party import Party, no_secret, section
from receiver import Receiver
from scenario import Failure, check, equal
from websockets.sync.client import connect


@section
def webhooks(party):
    """§7: webhooks, with both signatures."""
    with Receiver() as receiver:
        events = ["message.received", "message.sent", "message.bounced"]
        made = party.ask("tk", "POST", "/v1/webhooks", {"url": receiver.url + "/all", "events": events}, 201)
        equal((made["url"], sorted(made["events"]), made["isActive"]), (receiver.url + "/all", sorted(events), True), "the webhook")
        secret = made["secret"]
        mine = party.ask("wk", "POST", "/v1/webhooks", {"url": receiver.url + "/mine", "events": ["message.sent"]}, 201)
        listed = party.ask("tk", "GET", "/v1/webhooks")
        no_secret(listed, "the list")
        party.receive("Heard of")
        post = receiver.first("/all")
        expected = hmac.new(secret.encode(), post.body, hashlib.sha256).hexdigest()
        bare = hmac.new(secret.removeprefix("whsec_").encode(), post.body, hashlib.sha256).hexdigest()
        check(post.headers["x-myagentmail-signature"] in (f"sha256={expected}", f"sha256={bare}"), f"signature {post.headers.get('x-myagentmail-signature')}")
        told = f"{post.headers['x-inkbox-request-id']}.{post.headers['x-inkbox-timestamp']}.".encode() + post.body
        equal(post.headers["x-inkbox-signature"], "sha256=" + hmac.new(secret.removeprefix("whsec_").encode(), told, hashlib.sha256).hexdigest(), "the other signature")
        check(b"message.received" in post.body and b"Heard of" in post.body, f"body {post.body[:300]}")
        party.ask("ak", "POST", "/v1/inboxes/{inbox}/send", {"to": "x@elsewhere.example", "subject": "Told"})
        check(b"message.sent" in receiver.first("/mine").body, "the workspace's own")
        equal(len(receiver.at("/mine")), 1, "only what it asked for")
        party.table([
            *[("tk", "POST", "/v1/webhooks", body, 400, "VALIDATION_ERROR") for body in (
                {}, {"url": "x", "events": events}, {"url": "http://10.0.0.1/", "events": events}, {"url": receiver.url, "events": []}, {"url": receiver.url, "events": ["x"]},
                {"url": receiver.url, "events": "message.sent"}, {"url": "https://169.254.169.254/", "events": events})],
            ("tk", "GET", f"/v1/webhooks/{mine['id']}", None, 200, None), ("wk2", "GET", f"/v1/webhooks/{mine['id']}", None, 404, "NOT_FOUND"),
            *[("ak", method, path, None, 403, "FORBIDDEN") for method, path in (("POST", "/v1/webhooks"), ("DELETE", f"/v1/webhooks/{mine['id']}"))],
            ("wk2", "DELETE", f"/v1/webhooks/{mine['id']}", None, 404, "NOT_FOUND"), ("tk", "DELETE", f"/v1/webhooks/{mine['id']}", None, 200, None),
            ("tk", "DELETE", f"/v1/webhooks/{mine['id']}", None, 404, "NOT_FOUND"), ("tk", "DELETE", f"/v1/webhooks/{made['id']}", None, 200, None),
        ])


@section
def socket(party):
    """§7: the WebSocket."""
    url = party.server.ready["api"].replace("http://", "ws://") + "/v1/ws"

    def opened(key, by_header=False):
        return connect(url if by_header else f"{url}?api_key={key}", additional_headers={"X-API-Key": key} if by_header else {}, open_timeout=10)

    def until(ws, kind):
        while True:
            told = json.loads(ws.recv(timeout=10))
            if told["type"] == kind:
                return told
            check(told["type"] in ("ping", "connected"), f"told {told} and not {kind}")

    for by_header in (False, True):
        with opened(party.keys["ak"], by_header) as ws:
            told = until(ws, "connected")
            equal((told.get("inboxId"), told.get("email")), (party.a["id"], party.a["email"]), "connected")
            ws.send(json.dumps({"type": "subscribe", "event_types": ["message.received"], "inbox_ids": [party.a["id"]], "workspace_ids": []}))
            until(ws, "subscribed")
            message = party.receive("By socket")
            event = until(ws, "event")
            equal((event["event_type"], event["message"]["inbox_id"], event["message"]["subject"], event["thread"]["thread_id"]),
                  ("message.received", party.a["id"], "By socket", message["threadId"]), "the event")
            check({"thread_id", "from", "to", "plain_body", "html_body", "timestamp"} <= set(event["message"]) and isinstance(event["message"]["to"], list), f"{event}")
            ws.send(json.dumps({"type": "subscribe", "inbox_ids": [party.b["id"]]}))
            check(until(ws, "error")["message"], "a foreign inbox")
            for text in ("nonsense", "{}", '{"type":"dance"}', '{"type":"subscribe","event_types":"x"}'):
                ws.send(text)
                check(until(ws, "error")["message"], f"for {text}")
    with opened(party.keys["tk"]) as ws:
        until(ws, "connected")
        ws.send(json.dumps({"type": "subscribe", "event_types": [], "inbox_ids": [], "pod_ids": [party.words["other"]]}))
        until(ws, "subscribed")
        party.receive("Not for this one")
        party.receive("For this one", box=party.b)
        equal(until(ws, "event")["message"]["subject"], "For this one", "of one workspace")
    for key in ("tk_nothing", party.keys["sa"]):
        try:
            opened(key).close()
        except Exception as error:  # noqa: BLE001 - the status is what counts
            check("401" in str(error) or "403" in str(error), f"{error}")
        else:
            raise Failure("a dead key opens a socket")


@section
def domains(party):
    """§7: sending domains."""
    name = f"d{os.urandom(5).hex()}.test"
    made = party.ask("wk", "POST", "/v1/domains", {"domain": name.upper()}, 201)
    made = made.get("domain") if isinstance(made.get("domain"), dict) else made
    equal((made["domain"], made["status"], made["workspaceId"]), (name, "pending", party.words["default"]), "the domain")
    check(any(record["type"] == "MX" for record in made["dnsRecords"]), "records")
    check(all({"type", "name", "value", "priority", "status"} <= set(record) for record in made["dnsRecords"]), "fields of records")
    one = f"/v1/domains/{name}"
    for key, method, path in (("wk", "GET", one), ("tk", "GET", one), ("wk", "GET", "/v1/domains")):
        check(name in json.dumps(party.ask(key, method, path)), f"{method} {path}")
    party.ask("wk", "POST", "/v1/inboxes", {"domain": name}, 400)
    for method in ("GET", "POST"):
        told = party.ask("wk", method, one + "/verify")
        equal((told.get("domain") if isinstance(told.get("domain"), dict) else told)["status"], "verified", "the status (dev takes every domain for verified)")
    stranger = Party(party.server, "Stranger")
    check(name not in json.dumps(party.ask("wk2", "GET", "/v1/domains")) + json.dumps(stranger.ask("tk", "GET", "/v1/domains")), "in a foreign list")
    rows = [
        *[("tk", "POST", "/v1/domains", body, 400, "VALIDATION_ERROR") for body in ({}, {"domain": "x"}, {"domain": "a b.test"}, {"domain": 5}, {"domain": "-a.test"}, [])],
        ("wk2", "GET", one, None, 404, "NOT_FOUND"), ("wk2", "DELETE", one, None, 404, "NOT_FOUND"), ("ak", "POST", "/v1/domains", {"domain": "x.test"}, 403, "FORBIDDEN"),
        ("wk2", "POST", "/v1/inboxes", {"domain": name}, 400, "DOMAIN_NOT_AVAILABLE"), (stranger.keys["tk"], "POST", "/v1/inboxes", {"domain": name}, 400, "DOMAIN_NOT_AVAILABLE"),
        ("wk", "DELETE", one, None, 200, None), ("wk", "GET", one, None, 404, "NOT_FOUND"), ("wk", "DELETE", one, None, 404, "NOT_FOUND"),
    ]
    inbox = party.inbox("wk", domain=name.upper(), displayName=None)
    equal(inbox["email"].split("@")[1], name, "an inbox there")
    party.ask("wk", "POST", "/v1/inboxes/{inbox}/addresses", {"email": f"alias@{name}", "primary": False}, 201)
    party.ask("wk2", "POST", "/v1/inboxes/{inbox2}/addresses", {"email": f"other@{name}", "primary": False}, 400)
    party.ask("wk", "DELETE", f"/v1/inboxes/{inbox['id']}")
    party.ask("wk", "DELETE", f"/v1/inboxes/{{inbox}}/addresses/alias@{name}")
    party.table(rows)
