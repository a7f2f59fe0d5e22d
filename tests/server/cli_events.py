"""`postroom events`: a page, and the stream, which goes on through broken connections and a restart of the server."""

import json
import signal
import time

from commands import FAILED, KEY, Cli
from scenario import check, command, equal, wait_until
from server import binary


def send(agent, inbox, subject):
    return agent.json("message", "send", inbox, "--to", "far@example.net", "--subject", subject, "--text", "x")["message_id"]


def page(agent, inbox):
    first = agent.json("events", "ls", "--inbox", inbox, "--type", "message.sent", "--limit", "1")
    equal((len(first["events"]), first["events"][0]["event_type"]), (1, "message.sent"), "a page of events")
    rest = agent.json("events", "list", "--inbox", inbox, "--type", "message.sent", "--after", first["events"][0]["event_id"])
    check(rest["events"] and rest["events"][0]["event_id"] != first["events"][0]["event_id"], "the events after one")
    lines = agent.text("events", "ls", "--inbox", inbox, "--type", "message.sent", "--limit", "1").splitlines()
    check("message.sent" in lines[0] and inbox in lines[0], f"an event on a line: {lines}")
    check("--after" in agent.text("events", "ls", "--limit", "1"), "people are told that there is more")
    agent.refused(FAILED, "400", "events", "ls", "--after", "rubbish")


def run(server):
    agent = Cli(server, "api_key")
    eve = agent.json("inbox", "create", "eve")["inbox_id"]
    other = server.ready["inbox"]["address"]
    ids = [send(agent, eve, f"event {number}") for number in range(3)]
    page(agent, eve)

    heard = ["events", "tail", "--inbox", eve, "--type", "message.sent", "--json"]
    past = agent.start(*heard, "--after", "start", "--count", "3")
    equal([json.loads(past.line())["send"]["message_id"] for _ in ids], ids, "all that is kept")
    equal(past.end(), (0, ""), "end after so many")

    tail, table = agent.start(*heard), agent.start("events", "tail", "--inbox", eve)
    time.sleep(1)
    send(agent, other, "of somebody else")
    ids = [send(agent, eve, "while it listens")]
    equal(json.loads(tail.line())["send"]["message_id"], ids[0], "an event as it happens")
    check("message.sent" in table.line(), "an event for people")
    equal(table.interrupt(), (0, ""), "Ctrl-C")

    # The server is killed, and what happens before the listener is back is not missed, nor told twice.
    server.kill()
    server.start()
    ids = [send(agent, eve, f"after the kill {number}") for number in range(3)]
    equal([json.loads(tail.line())["send"]["message_id"] for _ in ids], ids, "events after a restart")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not server.alive(), "the server to exit")
    server.start()
    last = send(agent, eve, "after the stop")
    equal(json.loads(tail.line())["send"]["message_id"], last, "an event after a stop")
    code, errors = tail.interrupt()
    equal((code, errors.count("the connection broke")), (0, 2), f"a listener that was cut off twice: {errors}")

    made = agent.json("key", "create", "short", "--allow", "inbox_read")
    Cli(server, made["api_key"]).refused(KEY, "403", "events", "tail")
    nowhere = {**agent.environment(), "POSTROOM_URL": "http://127.0.0.1:1"}
    check(b"refused" in command([binary(), "events", "tail"], env=nowhere, expect=FAILED), "a server that never was there")
