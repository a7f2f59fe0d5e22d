"""Webhooks, the WebSocket and the metrics."""

import datetime
import json
import threading

from agentmail import MessageReceivedEvent
from agentmail.api_keys import ApiKeyPermissions, CreateBearerApiKeyRequest
from agentmail.core.api_error import ApiError
from agentmail.events import MessageDeliveredEvent, MessageSentEvent
from agentmail.websockets import Error, Subscribe, Subscribed
from coverage import ORGANIZATION_AND_POD, at_levels, drives
from receiver import Receiver
from scenario import check, equal, wait_until
from svix.webhooks import Webhook as Verifier
from websockets.exceptions import InvalidStatus
from world import ONCE, pages, refused, unique

TYPES = ["message.received", "message.sent", "message.delivered"]


def new(scene, url="http://127.0.0.1:9/never", **fields):
    return scene.on("webhooks").create(url=url, event_types=fields.pop("event_types", TYPES), **fields)


@at_levels("webhooks.create")
def create(case, level):
    scene, client_id = case.scene(level), unique("client")
    with Receiver(answers=[500]) as receiver:
        made = new(scene, receiver.url + "/hook", client_id=client_id, headers={"X-Shared": "secret-4711"})
        check(made.webhook_id.startswith("ep_") and made.secret.startswith("whsec_") and made.enabled, f"the webhook is {made}")
        equal((made.event_types, made.client_id), (TYPES, client_id), "what was asked for")
        equal((made.pod_id if level == "pod" else None, made.inbox_id), (scene.pod, scene.inbox if level == "inbox" else None), "where it belongs")
        equal(new(scene, client_id=client_id).webhook_id, made.webhook_id, "the same client_id again")
        message_id = case.receive(scene.inbox, "For the webhook", "Text of it.\n")
        mine = lambda: [p for p in receiver.at("/hook") if p.body.find(message_id[1:-1].encode()) >= 0]  # noqa: E731
        posts = wait_until(lambda: len(mine()) >= 2 and mine(), "the retry after a 500", 30)
        equal(posts[0].headers["svix-id"], posts[1].headers["svix-id"], "svix-id of the retry")
        Verifier(made.secret).verify(posts[1].body, posts[1].headers)
        event = json.loads(posts[1].body)
        equal((event["type"], event["event_type"]), ("event", "message.received"), "the event")
        equal((event["message"]["message_id"], event["message"]["text"].strip()), (message_id, "Text of it."), "its message")
        equal((event["thread"]["thread_id"], event["thread"]["inbox_id"]), (event["message"]["thread_id"], scene.inbox), "its thread")
        equal(posts[1].headers["x-shared"], "secret-4711", "the extra header")
        equal(posts[1].headers["content-type"].split(";")[0], "application/json", "the content type")
        MessageReceivedEvent.model_validate(event)
        case.quiet.webhooks.delete(made.webhook_id, request_options=ONCE)
    refused(400, lambda: new(scene, "not an address"), "validation_error")
    refused(400, lambda: new(scene, event_types=["message.nothing"]), "validation_error")


@at_levels("webhooks.create")
def sent_and_delivered(case, level):
    scene = case.scene(level)
    with Receiver() as receiver:
        made = new(scene, receiver.url + "/hook", event_types=["message.sent", "message.delivered", "message.bounced"])
        sent = case.quiet.inboxes.messages.send(scene.inbox, to=[scene.inbox, f"{unique('nobody')}@{case.server.ready['domain']}"], subject="x",
                                                text="x", request_options=ONCE)
        def seen():
            events = [json.loads(post.body) for post in receiver.at("/hook")]
            return {event["event_type"]: event for event in events if sent.message_id in json.dumps(event)}
        found = wait_until(lambda: len(seen()) == 3 and seen(), "sent, delivered and bounced", 30)
        equal(found["message.sent"]["send"]["thread_id"], sent.thread_id, "thread of the sent mail")
        equal(found["message.delivered"]["delivery"]["recipients"], [scene.inbox], "recipients delivered to")
        equal((found["message.bounced"]["bounce"]["type"], len(found["message.bounced"]["bounce"]["recipients"])), ("Permanent", 1), "the bounce")
        MessageSentEvent.model_validate(found["message.sent"])
        MessageDeliveredEvent.model_validate(found["message.delivered"])
        case.quiet.webhooks.delete(made.webhook_id, request_options=ONCE)


@drives("inboxes.webhooks.create", "inboxes.lists.create")
def blocked_mail_is_an_event_of_its_own(case):
    scene, sender = case.scene("inbox"), f"{unique()}@client.example.net"
    case.client.inboxes.lists.create(scene.inbox, "receive", "block", entry=sender)
    with Receiver() as receiver:
        hooks = [new(scene, f"{receiver.url}/{kind}", event_types=[kind]) for kind in ("message.received", "message.received.blocked")]
        case.receive(scene.inbox, "Blocked", From=sender)
        case.receive(scene.inbox, "Not blocked")
        subjects = lambda kind: [json.loads(post.body)["message"]["subject"] for post in receiver.at(f"/{kind}")]  # noqa: E731
        wait_until(lambda: subjects("message.received") and subjects("message.received.blocked"), "both events")
        equal((subjects("message.received"), subjects("message.received.blocked")), (["Not blocked"], ["Blocked"]), "who hears of what")
        for hook in hooks:
            case.quiet.inboxes.webhooks.delete(scene.inbox, hook.webhook_id, request_options=ONCE)
    reader = ApiKeyPermissions(webhook_create=True, webhook_read=True, message_read=True)
    made = case.quiet.inboxes.api_keys.create(scene.inbox, request=CreateBearerApiKeyRequest(name="x", permissions=reader), request_options=ONCE)
    mine = case.with_key(made.api_key)
    refused(403, lambda: mine.inboxes.webhooks.create(scene.inbox, url="http://127.0.0.1:9/", event_types=["message.received.blocked"]))
    with mine.websockets.connect() as socket:
        socket.send_subscribe(Subscribe(event_types=["message.received.blocked"]))
        check(isinstance(socket.recv(), Error), "events of blocked mail without the permission to see it")


@at_levels("webhooks.create", ORGANIZATION_AND_POD)
def chosen_inboxes(case, level):
    scene = case.scene(level)
    other = case.inbox(pod=scene.pod)
    with Receiver() as receiver:
        made = new(scene, receiver.url + "/hook", event_types=["message.received"], inbox_ids=[scene.inbox])
        equal(made.inbox_ids, [scene.inbox], "inbox_ids")
        case.receive(other, "For the other")
        case.receive(scene.inbox, "For this one")
        receiver.first("/hook")
        equal([json.loads(post.body)["message"]["subject"] for post in receiver.at("/hook")], ["For this one"], "posted")
        case.quiet.webhooks.delete(made.webhook_id, request_options=ONCE)


@at_levels("webhooks.get")
def get(case, level):
    scene = case.scene(level)
    made = new(scene)
    got = scene.on("webhooks").get(made.webhook_id)
    equal((got.webhook_id, got.secret, got.url), (made.webhook_id, made.secret, made.url), "the webhook")
    refused(404, lambda: scene.on("webhooks").get("ep_nothing"), "not_found")


@at_levels("webhooks.list")
def list_webhooks(case, level):
    scene = case.scene(level)
    made = [new(scene).webhook_id for _ in range(3)]
    equal([item.webhook_id for item in scene.on("webhooks").list(limit=3).webhooks], made[::-1], "newest first")
    equal([item.webhook_id for item in pages(scene.on("webhooks").list, limit=2 if level != "organization" else 20, ascending=True)][-3:], made, "pages")


@at_levels("webhooks.update")
def update(case, level):
    scene = case.scene(level)
    made, api = new(scene), scene.on("webhooks")
    changed = api.update(made.webhook_id, event_types=["message.received.spam"])
    equal(changed.event_types, ["message.received.spam"], "event types")
    equal(api.update(made.webhook_id, event_types=[]).event_types, ["message.received.spam"], "an empty list changes nothing")
    equal(api.update(made.webhook_id, enabled=False).enabled, False, "enabled")
    if level != "inbox":
        changed = api.update(made.webhook_id, add_inbox_ids=[scene.inbox])
        equal(changed.inbox_ids, [scene.inbox], "inbox_ids")
        # Without the last one it would hear of the whole scope.
        refused(400, lambda: api.update(made.webhook_id, remove_inbox_ids=[scene.inbox]), "validation_error")
    if level == "organization":
        pod = case.quiet.pods.create(request_options=ONCE).pod_id
        equal(api.update(made.webhook_id, add_pod_ids=[pod]).pod_ids, [pod], "pod_ids")
        equal(api.update(made.webhook_id, remove_pod_ids=[pod]).pod_ids or [], [], "pod_ids after removal")
    refused(404, lambda: api.update("ep_nothing", enabled=True), "not_found")


@at_levels("webhooks.get_headers")
def get_headers(case, level):
    scene = case.scene(level)
    made = new(scene, headers={"X-One": "1", "X-Two": "2"})
    equal(sorted(h.lower() for h in scene.on("webhooks").get_headers(made.webhook_id).header_names), ["x-one", "x-two"], "names")


@at_levels("webhooks.update_headers")
def update_headers(case, level):
    scene = case.scene(level)
    made, api = new(scene, headers={"X-One": "1", "X-Two": "2"}), scene.on("webhooks")
    api.update_headers(made.webhook_id, headers={"X-Three": "3"}, remove_headers=["x-one"])
    equal(sorted(h.lower() for h in api.get_headers(made.webhook_id).header_names), ["x-three", "x-two"], "names after the change")
    refused(400, lambda: api.update_headers(made.webhook_id), "validation_error")
    refused(400, lambda: api.update_headers(made.webhook_id, headers={"X-Two": "2"}, remove_headers=["x-TWO"]), "validation_error")


@at_levels("webhooks.delete")
def delete(case, level):
    scene = case.scene(level)
    with Receiver() as receiver:
        made, witness = new(scene, receiver.url + "/hook"), new(scene, receiver.url + "/witness")
        scene.on("webhooks").delete(made.webhook_id)
        refused(404, lambda: scene.on("webhooks").get(made.webhook_id), "not_found")
        refused(404, lambda: scene.on("webhooks").delete(made.webhook_id), "not_found")
        case.receive(scene.inbox, "After")
        receiver.first("/witness")
        equal(receiver.at("/hook"), [], "posts after the end")
        scene.on("webhooks").delete(witness.webhook_id)


@drives("websockets.connect")
def websocket(case):
    inbox, other = case.inbox(), case.inbox()
    with case.client.websockets.connect() as socket:
        threading.Timer(30, socket._websocket.close).start()
        socket.send_subscribe(Subscribe(inbox_ids=[inbox], event_types=["message.received", "message.sent"]))
        answer = socket.recv()
        check(isinstance(answer, Subscribed), f"the first frame is {answer}")
        equal((answer.inbox_ids, answer.event_types), ([inbox], ["message.received", "message.sent"]), "what is subscribed")
        case.receive(other, "Not for this subscriber")
        message_id = case.receive(inbox, "For the socket")
        event = socket.recv()
        check(isinstance(event, MessageReceivedEvent), f"the event is {event}")
        equal((event.message.message_id, event.thread.inbox_id), (message_id, inbox), "its message")
        sent = case.quiet.inboxes.messages.send(inbox, to=other, subject="x", text="x", request_options=ONCE)
        event = socket.recv()
        check(isinstance(event, MessageSentEvent), f"the event is {event}")
        equal((event.send.message_id, event.send.recipients), (sent.message_id, [other]), "what was sent")
        socket.send_subscribe(Subscribe(inbox_ids=["nobody-here@example.test"]))
        check(isinstance(socket.recv(), Error), "an inbox that is not there can be subscribed")


@drives("websockets.connect")
def websocket_needs_a_key(case):
    for key in ("am_nothing", None):
        try:
            with case.with_key(key).websockets.connect():
                raise AssertionError(f"connected with the key {key}")
        except (ApiError, InvalidStatus) as error:  # which of the two depends on the version of the library beneath
            equal(error.status_code if isinstance(error, ApiError) else error.response.status_code, 401, "status")


def window():
    now = datetime.datetime.now(datetime.timezone.utc)
    return now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=1)


@at_levels("metrics.query_events")
def query_events(case, level):
    scene = case.scene(level)
    start, end = window()
    counts = lambda **options: {kind: sum(point.count for point in points) for kind, points in  # noqa: E731
                                scene.on("metrics").query_events(event_types=TYPES, start=start, end=end, **options).items()}
    before = counts(period=3600)
    for n in range(2):
        case.receive(scene.inbox, f"Count {n}")
    case.quiet.inboxes.messages.send(scene.inbox, to=scene.inbox, subject="x", text="x", request_options=ONCE)
    grown = lambda: {kind: n - before.get(kind, 0) for kind, n in counts(period=3600).items()}  # noqa: E731
    wait_until(lambda: grown().get("message.delivered") == 1, "message.delivered to be counted")
    check(grown()["message.received"] >= 2 and grown()["message.sent"] == 1, f"grown by {grown()}")
    single = scene.on("metrics").query_events(event_types=["message.sent"], start=start, end=end, descending=True, limit=1)
    equal([point.count for point in single["message.sent"]], [1], "without a period: single events")
    refused(400, lambda: scene.on("metrics").query_events(period=0), "validation_error")


@at_levels("metrics.query_usage")
def query_usage(case, level):
    scene = case.scene(level)
    case.receive(scene.inbox, "Used")
    start, end = window()
    got = scene.on("metrics").query_usage(start=start, end=end)
    expected = {"storage_bytes", "message_count", "thread_count"}
    expected |= {"inbox_count", "domain_count"} if level != "inbox" else set()
    expected |= {"pod_count"} if level == "organization" else set()
    equal(expected - set(got), set(), f"usage types missing of {sorted(got)}")
    newest = {kind: max(points, key=lambda point: point.timestamp).value for kind, points in got.items() if points}
    check(newest["message_count"] >= 1 and newest["storage_bytes"] > 100, f"usage is {newest}")
    if level != "organization":
        equal((newest["message_count"], newest["thread_count"]), (1, 1), "messages and threads")
    refused(400, lambda: scene.on("metrics").query_usage(start=start, end=end, period=1), "query_range_too_wide")


@at_levels("metrics.query_rates")
def query_rates(case, level):
    scene = case.scene(level)
    case.quiet.inboxes.messages.send(scene.inbox, to=scene.inbox, subject="x", text="x", request_options=ONCE)
    start, end = window()
    got = scene.on("metrics").query_rates(rate_types=["bounce", "complaint"], start=start, end=end, period=3600, window=7200)
    equal(set(got), {"bounce", "complaint"}, "rate types")
    check(any(point.sent >= 1 and point.rate is not None for point in got["bounce"]), f"rates are {got['bounce']}")
    if level == "inbox":
        equal({point.rate for point in got["complaint"]} - {None}, {0.0}, "complaints")
    refused(400, lambda: scene.on("metrics").query_rates(period=3600, window=5000), "validation_error")
