#!/usr/bin/env python3
"""Many subscribers of the feed, by WebSocket and by long-poll, while mail flows and the server is killed and comes back.

Each starts at the cursor of the moment, comes back by itself after the kill with the last cursor it has seen, and must at the
end have seen each event once and in order: what `/postroom/v1/events` then lists.

    tests/compat/subscribers.py --subscribers 1000 --kills 2
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-agentmail.txt")
import asyncio  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import re  # noqa: E402
import resource  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import urllib.parse  # noqa: E402

import api  # noqa: E402
import corpus  # noqa: E402
import smtp  # noqa: E402
import websockets  # noqa: E402
from scenario import Failure, check, equal, say  # noqa: E402
from server import Server  # noqa: E402

EVENT_ID = re.compile(r'"event_id"\s*:\s*"([^"]+)"')
TYPES = ["message.received"]


def page(server, **query):
    """A page of the feed: (events, next cursor)."""
    status, told = api.request(server, "GET", "/postroom/v1/events?" + urllib.parse.urlencode(query), key=server.ready["api_key"])
    equal(status, 200, f"status of a page of events ({told})")
    return told["events"], told["next"]


def all_events(server, after):
    """Ids of every event behind a cursor, in order."""
    found = []
    while True:
        events, cursor = page(server, after=after, limit=100, event_types=",".join(TYPES))
        found += [event["event_id"] for event in events]
        if cursor == after or not events:
            return found
        after = cursor


class Subscriber:
    """What one subscriber has seen, and how often it had to come back."""

    def __init__(self, server, cursor):
        self.server, self.cursor, self.seen, self.returns = server, cursor, [], -1
        self.ready = False

    async def run(self, over):
        while not over.is_set():
            self.returns += 1
            try:
                await self.once(over)
            except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError, websockets.WebSocketException):
                pass
            self.ready = False
            await asyncio.sleep(random.uniform(0.1, 1.0))


class LongPoll(Subscriber):
    async def once(self, over):
        host, port = urllib.parse.urlsplit(self.server.ready["api"]).netloc.split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 24)
        try:
            while not over.is_set():
                query = urllib.parse.urlencode({"after": self.cursor, "wait": 20, "limit": 100, "event_types": ",".join(TYPES)})
                writer.write(f"GET /postroom/v1/events?{query} HTTP/1.1\r\nHost: {host}\r\n"
                             f"Authorization: Bearer {self.server.ready['api_key']}\r\n\r\n".encode())
                self.ready = True
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = re.search(rb"content-length: (\d+)", head)
                body = await (reader.readexactly(int(length[1])) if length else chunks(reader))
                if b" 503 " in head.split(b"\r\n", 1)[0]:
                    return
                check(b" 200 " in head.split(b"\r\n", 1)[0], f"long-poll: {head[:200]!r} {body[:300]!r}")
                told = json.loads(body)
                self.seen += [event["event_id"] for event in told["events"]]
                self.cursor = told["next"]
        finally:
            writer.close()


async def chunks(reader):
    """A body in chunks (RFC 9112 §7.1)."""
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body


class Socket(Subscriber):
    async def once(self, over):
        url = self.server.ready["api"].replace("http://", "ws://") + "/v0"
        headers = {"Authorization": f"Bearer {self.server.ready['api_key']}"}
        async with websockets.connect(url, additional_headers=headers, open_timeout=60, max_size=1 << 24, compression=None) as socket:
            wanted = {"type": "subscribe", "event_types": TYPES, "last_event_id": self.seen[-1] if self.seen else f"evt_{self.cursor}"}
            await socket.send(json.dumps(wanted))
            answer = json.loads(await socket.recv())
            check(answer["type"] == "subscribed", f"the answer to subscribe is {answer}")
            self.ready = True
            while not over.is_set():
                try:
                    frame = await asyncio.wait_for(socket.recv(), 1)
                except TimeoutError:
                    continue
                found = EVENT_ID.search(frame)
                check(found, f"a frame without an event: {frame[:200]}")
                self.seen.append(found[1])


def post(server, address, messages, accepted, enough, stop):
    """Sends messages until there were enough of them; one that was not acknowledged is sent again."""
    number = 0
    while number < messages or not enough.is_set():
        content = corpus.unique_message(f"event-{number}", 400)
        while not stop.is_set():
            try:
                smtp.deliver(server, [address], content)
                accepted.append(number)
                break
            except (OSError, ConnectionError, Failure):
                time.sleep(0.2)
        if stop.is_set():
            return
        number += 1
        time.sleep(0.03)


async def flow(server, options, subscribers, sender, accepted, enough):
    """Kills and restarts the server while mail flows; returns the ids of all events when every subscriber has as many."""
    over = asyncio.Event()
    tasks = [asyncio.create_task(one.run(over)) for one in subscribers]
    all_there = lambda: broken(tasks) or all(one.ready for one in subscribers)  # noqa: E731
    try:
        await until(all_there, "every subscriber to be there", 120)
        sender.start()
        for _ in range(options.kills):
            before = len(accepted)
            await until(lambda before=before: len(accepted) >= before + 10, "mail to flow", 60)
            server.kill()
            for one in subscribers:
                one.ready = False
            await asyncio.to_thread(server.start)
            await until(all_there, "every subscriber to be back", 120)
        enough.set()
        await until(lambda: not sender.is_alive(), "all mail to be sent", 120)
        expected = await asyncio.to_thread(all_events, server, subscribers[0].first)
        await until(lambda: broken(tasks) or all(len(one.seen) >= len(expected) for one in subscribers), "every subscriber to have all", 120,
                    lambda: f"{sum(len(one.seen) < len(expected) for one in subscribers)} lack some")
        await asyncio.sleep(1)  # what comes twice would come now
        return expected
    finally:
        over.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def broken(tasks):
    for task in tasks:
        if task.done() and task.exception():
            raise task.exception()
    return False


async def until(question, what, seconds, more=lambda: ""):
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s for: {what} {more()}")
        await asyncio.sleep(0.05)


def verdict(subscribers, expected):
    for one in subscribers:
        missed, twice = [event for event in expected if event not in set(one.seen)], len(one.seen) - len(set(one.seen))
        check(not missed and not twice and one.seen == expected,
              f"{type(one).__name__} after {one.returns} returns: {len(missed)} missed, {twice} twice, in order: {one.seen == sorted(one.seen)}")


def run():
    options = scenario.options(("--subscribers", 200, "of each kind"), ("--messages", 60, "at least, that flow"), ("--kills", 1, "of the server"))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Server(log_level="warn") as server:
        inbox = api.create_inbox(server, "watched")
        smtp.deliver(server, [inbox.address], corpus.unique_message("before", 400))
        _, cursor = page(server, after="now", limit=1)
        subscribers = [kind(server, cursor) for kind in (Socket, LongPoll) for _ in range(options.subscribers)]
        for one in subscribers:
            one.first = cursor
        accepted, enough, stop, begun = [], threading.Event(), threading.Event(), time.monotonic()
        sender = threading.Thread(target=post, args=(server, inbox.address, options.messages, accepted, enough, stop), daemon=True)
        try:
            expected = asyncio.run(flow(server, options, subscribers, sender, accepted, enough))
        finally:
            stop.set()
        check(len(expected) >= len(accepted) >= options.messages, f"{len(expected)} events for {len(accepted)} messages")
        verdict(subscribers, expected)
        returns = sum(one.returns for one in subscribers)
        check(returns >= len(subscribers) * options.kills, f"only {returns} subscribers came back")
        say(f"{options.subscribers} WebSocket and {options.subscribers} long-poll subscribers, {len(expected)} events, {options.kills} kills, "
            f"{returns} returns, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    scenario.main(run, 400)
