#!/usr/bin/env python3
"""What the vendor's guides teach, written as its users write it: only the environment of the client differs.

Each example gets (client, async_client, world) and is plain client code; `world` only brings mail from outside.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "python"), os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-agentmail.txt")
import asyncio  # noqa: E402
import base64  # noqa: E402
import http.server  # noqa: E402
import json  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import httpx  # noqa: E402
from agentmail import AgentMail, AsyncAgentMail, MessageReceivedEvent, Subscribe, Subscribed  # noqa: E402
from agentmail.attachments import SendAttachment  # noqa: E402
from agentmail.core.events import EventType  # noqa: E402
from agentmail.inboxes import CreateInboxRequest  # noqa: E402
from scenario import Failure, check, equal, say, wait_until  # noqa: E402
from server import Server  # noqa: E402
from svix.webhooks import Webhook, WebhookVerificationError  # noqa: E402
from world import Case, environment, unique  # noqa: E402


def quick_start(client, _, world):
    """An inbox, a message, and a look at what is there."""
    inbox = client.inboxes.create(request=CreateInboxRequest(username=unique("quick"), display_name="Quick Start"))
    friend = client.inboxes.create()
    client.inboxes.messages.send(inbox.inbox_id, to=friend.inbox_id, subject="Hello from AgentMail!", text="My first email.",
                                 html="<p>My first <strong>email</strong>.</p>")
    world.arrived(friend.inbox_id, "Hello from AgentMail!")
    threads = client.inboxes.threads.list(inbox_id=friend.inbox_id)
    equal(threads.threads[0].subject, "Hello from AgentMail!", "subject")
    check(any(item.inbox_id == inbox.inbox_id for item in client.inboxes.list(limit=10).inboxes), "the inbox is not listed")


def reply_loop(client, _, world):
    """An agent that answers what is unread, and marks it read."""
    inbox, customer = client.inboxes.create(), client.inboxes.create()
    for question in ("How much?", "How long?"):
        client.inboxes.messages.send(customer.inbox_id, to=[inbox.inbox_id], subject=question, text=question)
    answered, end = 0, time.monotonic() + 20
    while answered < 2 and time.monotonic() < end:
        for item in client.inboxes.messages.list(inbox.inbox_id, labels=["unread"]).messages:
            message = client.inboxes.messages.get(inbox.inbox_id, item.message_id)
            client.inboxes.messages.reply(inbox.inbox_id, message.message_id, text=f"You asked: {message.extracted_text.strip()}")
            client.inboxes.messages.update(inbox.inbox_id, message.message_id, add_labels=["answered"], remove_labels=["unread"])
            answered += 1
        time.sleep(0.05)
    equal(answered, 2, "questions answered")
    answer = world.arrived(customer.inbox_id, "Re: How much?")
    equal(client.inboxes.messages.get(customer.inbox_id, answer.message_id).extracted_text.strip(), "You asked: How much?", "the answer")
    equal(client.inboxes.messages.list(inbox.inbox_id, labels=["unread"]).count, 0, "unread messages left")


def webhook_receiver(client, _, world):
    """A web server that verifies what is posted with the svix library, and answers the mail."""
    inbox, customer = client.inboxes.create(), client.inboxes.create()
    handled, secret = [], {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802 - the name is the library's
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                Webhook(secret["it"]).verify(payload, dict(self.headers.items()))
            except WebhookVerificationError:
                self.send_response(400)
                self.end_headers()
                return
            self.send_response(204)
            self.end_headers()
            event = json.loads(payload)
            message = event["message"]
            client.inboxes.messages.reply(message["inbox_id"], message["message_id"], text="Got it.")
            handled.append(event)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    webhook = client.webhooks.create(url=f"http://127.0.0.1:{server.server_address[1]}/webhooks", event_types=["message.received"],
                                     inbox_ids=[inbox.inbox_id], client_id=unique("example"))
    secret["it"] = webhook.secret
    client.inboxes.messages.send(customer.inbox_id, to=inbox.inbox_id, subject="Anybody there?", text="x")
    world.arrived(customer.inbox_id, "Re: Anybody there?")
    equal(handled[0]["thread"]["subject"], "Anybody there?", "subject of the thread in the event")
    client.webhooks.delete(webhook.webhook_id)
    server.shutdown()
    server.server_close()


def websocket_listener(client, _, world):
    """Events in a loop, over the WebSocket."""
    inbox = client.inboxes.create()
    with client.websockets.connect() as socket:
        socket.send_subscribe(Subscribe(inbox_ids=[inbox.inbox_id]))
        for event in socket:
            if isinstance(event, Subscribed):
                equal(event.inbox_ids, [inbox.inbox_id], "what is subscribed")
                world.receive(inbox.inbox_id, "Over the socket")
            elif isinstance(event, MessageReceivedEvent):
                equal(event.message.subject, "Over the socket", "subject")
                break


def websocket_handlers(client, _, world):
    """The same with handlers, and the listener in a thread."""
    inbox, heard, ready = client.inboxes.create(), [], threading.Event()
    with client.websockets.connect() as socket:
        socket.on(EventType.OPEN, lambda _: ready.set())
        socket.on(EventType.MESSAGE, heard.append)
        listener = threading.Thread(target=socket.start_listening, daemon=True)
        listener.start()
        check(ready.wait(10), "the socket was not opened")
        socket.send_subscribe(Subscribe(event_types=["message.received"], inbox_ids=[inbox.inbox_id]))
        wait_until(lambda: any(isinstance(event, Subscribed) for event in heard), "subscribed")
        world.receive(inbox.inbox_id, "Handled")
        wait_until(lambda: any(isinstance(event, MessageReceivedEvent) for event in heard), "the event")


def websocket_async(_, async_client, world):
    """The same with the async client."""
    async def listen():
        inbox = await async_client.inboxes.create()
        async with async_client.websockets.connect() as socket:
            await socket.send_subscribe(Subscribe(inbox_ids=[inbox.inbox_id]))
            async for event in socket:
                if isinstance(event, Subscribed):
                    await asyncio.to_thread(world.receive, inbox.inbox_id, "To the async socket")
                elif isinstance(event, MessageReceivedEvent):
                    return event.message.subject
        raise Failure("the socket was closed")

    equal(asyncio.run(asyncio.wait_for(listen(), 20)), "To the async socket", "subject")


def approval(client, _, world):
    """A draft that a person approves before it is sent."""
    inbox, customer = client.inboxes.create(), client.inboxes.create()
    draft = client.inboxes.drafts.create(inbox.inbox_id, to=[customer.inbox_id], subject="Offer", text="10 % off", labels=["needs-review"])
    waiting = client.drafts.list(labels=["needs-review"], limit=50)
    check(draft.draft_id in [item.draft_id for item in waiting.drafts], "the draft does not wait for review")
    client.inboxes.drafts.update(inbox.inbox_id, draft.draft_id, text="5 % off")
    sent = client.inboxes.drafts.send(inbox.inbox_id, draft.draft_id)
    world.arrived(customer.inbox_id, "Offer")
    equal(client.inboxes.messages.get(customer.inbox_id, sent.message_id).text.strip(), "5 % off", "what was sent")


def customers_in_pods(client, _, world):
    """A pod for each customer, with a key that sees nothing else."""
    pods = [client.pods.create(name=name, client_id=unique("pod")) for name in ("One", "Two")]
    inboxes = [client.pods.inboxes.create(pod.pod_id, display_name=pod.name) for pod in pods]
    world.receive(inboxes[0].inbox_id, "For the first")
    threads = [client.pods.threads.list(pod.pod_id).threads for pod in pods]
    equal([len(found) for found in threads], [1, 0], "threads of each")


def attachments(client, _, world):
    """A file there and back."""
    inbox, other = client.inboxes.create(), client.inboxes.create()
    file = SendAttachment(filename="hello.txt", content_type="text/plain", content=base64.b64encode(b"hello").decode())
    sent = client.inboxes.messages.send(inbox.inbox_id, to=other.inbox_id, subject="A file", text="Attached.", attachments=[file])
    world.arrived(other.inbox_id, "A file")
    message = client.inboxes.messages.get(other.inbox_id, sent.message_id)
    attachment = client.inboxes.messages.get_attachment(other.inbox_id, message.message_id, message.attachments[0].attachment_id)
    equal(httpx.get(attachment.download_url).content, b"hello", "the file")


def many_at_once(_, async_client, world):
    """Inboxes made side by side; the same client_id makes one."""
    async def make():
        names = [unique("agent") for _ in range(5)] * 2
        made = await asyncio.gather(*[async_client.inboxes.create(request=CreateInboxRequest(client_id=name)) for name in names])
        return [inbox.inbox_id for inbox in made]

    made = asyncio.run(make())
    equal((made[:5], len(set(made))), (made[5:], 5), "inboxes made")


EXAMPLES = (quick_start, reply_loop, webhook_receiver, websocket_listener, websocket_handlers, websocket_async, approval, customers_in_pods,
            attachments, many_at_once)


def run():
    failed = []
    with Server() as server:
        for example in EXAMPLES:
            key = server.ready["api_key"]
            client = AgentMail(environment=environment(server), api_key=key, timeout=20)
            async_client = AsyncAgentMail(environment=environment(server), api_key=key, timeout=20)
            try:
                limited(lambda: example(client, async_client, Case(server)))  # noqa: B023 - it is over before the next round
                say(f"ok   {example.__name__}")
            except Exception as error:  # noqa: BLE001 - one example must not hide the others
                failed.append(example.__name__)
                say(f"FAIL {example.__name__}: {scenario.short(str(error), 600)}")
    check(not failed, f"{len(failed)} of {len(EXAMPLES)} examples fail: {', '.join(failed)}")
    say(f"{len(EXAMPLES)} examples")


def limited(function, seconds=40):
    """Runs the function, and gives up on it after a while: a loop over a socket has no end of its own."""
    scenario.threads([function], seconds)


if __name__ == "__main__":
    scenario.main(run, 240)
