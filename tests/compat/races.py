#!/usr/bin/env python3
"""Many ask for one thing at once, over HTTP: names, repeats, the last place of a plan, and a name wanted in two dialects.

    tests/compat/races.py --tenants 120 --threads 16
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
import collections  # noqa: E402
import queue  # noqa: E402
import random  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import api  # noqa: E402
import scenario  # noqa: E402
from scenario import check, equal, say  # noqa: E402
from server import Server  # noqa: E402
from smtp import Smtp  # noqa: E402


def at_once(server, threads, requests):
    """[(request, status, body)] of requests `(method, path, body, key)`, asked by that many threads that begin together."""
    waiting, answers, begin = queue.SimpleQueue(), [], threading.Barrier(threads)
    for request in requests:
        waiting.put(request)

    def work():
        connection = api.Connection(server)
        begin.wait()
        while True:
            try:
                request = waiting.get_nowait()
            except queue.Empty:
                return
            answers.append((request, *connection.ask(*request)))

    scenario.threads([work] * threads, 120)
    equal(len(answers), len(requests), "answers")
    return answers


def inbox(name, key, query=""):
    return "POST", "/v1/inboxes" + query, {"username": name}, key


def identity(handle, key):
    return "POST", "/api/v1/identities/", {"agent_handle": handle}, key


def tenants(server, count):
    return [api.create_tenant(server, f"Racer {number}") for number in range(count)]


def one_name(server, keys, threads):
    """Everybody wants one name: it goes out once, then with the numbers 1 to 99 and no gaps, then there is a clear 409."""
    name = f"scout{random.getrandbits(32):08x}"
    answers = at_once(server, threads, [inbox(name, key) for key in keys])
    made = [body["username"] for _, status, body in answers if status == 201]
    equal(sorted(made), sorted([name, *(f"{name}{number}" for number in range(1, 100))][:len(keys)]), "the names that went out")
    for _, status, body in answers:
        if status != 201:
            equal((status, body["code"], body["requestedUsername"], body["attemptedUsername"]), (409, "USERNAME_TAKEN", name, name + "99"), "a refusal")
    equal(len(answers) - len(made), max(0, len(keys) - 100), "refusals")
    owners = {key: body["id"] for (*_, key), status, body in answers if status == 201}
    again = at_once(server, threads, [inbox(name, key) for key in keys])
    for (*_, key), status, body in again:
        equal((status, body.get("id"), body.get("existed")), (200, owners[key], True) if key in owners else (409, None, None), "asked once more")
    strict = at_once(server, threads, [inbox(name, key, "?strict=true") for key in keys])
    equal(collections.Counter(status for _, status, _ in strict), {200: 1, 409: len(keys) - 1}, "strict")


def repeats(server, keys, threads):
    """Equal requests of one tenant at once: one 201, and the same inbox for all, also when the name is a fallback."""
    name = f"twin{random.getrandbits(32):08x}"
    for turn, key in enumerate(keys[:8]):
        answers = at_once(server, threads, [inbox(name, key)] * threads)
        equal(collections.Counter(status for _, status, _ in answers), {201: 1, 200: threads - 1}, "statuses of equal requests")
        equal({body["username"] for _, _, body in answers}, {name + (str(turn) if turn else "")}, "names of equal requests")
        equal(len({body["id"] for _, _, body in answers}), 1, "inboxes of equal requests")
        check(all(("apiKey" in body) == (status == 201) for _, status, body in answers), "who is told the secrets")


def limits(server, threads):
    """Room for five: sixteen at once make five, in either dialect and in both together."""
    made = {
        "inboxes": lambda number, key: inbox(f"plan{random.getrandbits(32):08x}{number}", key),
        "identities": lambda number, key: identity(f"plan-{random.getrandbits(32):08x}-{number}", key),
        "both": lambda number, key: made["identities" if number % 2 else "inboxes"](number, key),
    }
    for kind, request in made.items():
        status, tenant = api.request(server, "POST", "/v1/tenants", {"name": "Five", "maxInboxes": 5}, server.ready["operator_key"])
        equal(status, 201, "a tenant with a limit")
        answers = at_once(server, threads, [request(number, tenant["apiKey"]) for number in range(16)])
        equal(sum(status == 201 for _, status, _ in answers), 5, f"made of {kind} ({[(s, b) for _, s, b in answers if s != 201][:2]})")
        check(all(status in (201, 402, 403, 409) for _, status, _ in answers), f"statuses of {kind}: {[status for _, status, _ in answers]}")
        equal(len(api.request(server, "GET", "/v1/inboxes", key=tenant["apiKey"])[1]["inboxes"]), 5, f"inboxes by the list, of {kind}")


def two_dialects(server, keys, threads, rounds):
    """A handle and a user name of one spelling: one of them gets the address, and nobody else."""
    domain = server.ready["domain"]
    for _ in range(rounds):
        name = f"both{random.getrandbits(32):08x}"
        chosen = random.sample(keys, min(len(keys), threads))
        requests = [inbox(name, key, "?strict=true") if number % 2 else identity(name, key) for number, key in enumerate(chosen)]
        random.shuffle(requests)
        answers = at_once(server, threads, requests)
        won = [(path, body.get("email_address") or body.get("email")) for (_, path, *_), status, body in answers if status == 201]
        equal([address for _, address in won], [f"{name}@{domain}"], f"who won ({won})")
        check(all(status in (201, 409) for _, status, _ in answers), f"statuses: {collections.Counter(status for _, status, _ in answers)}")


def alone(server, threads):
    """One handle wanted by many identities of one organization: one wins, and the others have left nothing."""
    status, tenant = api.request(server, "POST", "/v1/tenants", {"name": "Alone"}, server.ready["operator_key"])
    equal(status, 201, "a tenant")
    for _ in range(4):
        name = f"only-{random.getrandbits(32):08x}"
        before = len(api.request(server, "GET", "/v1/inboxes", key=tenant["apiKey"])[1]["inboxes"])
        answers = at_once(server, threads, [identity(name, tenant["apiKey"])] * threads)
        equal(collections.Counter(status for _, status, _ in answers), {201: 1, 409: threads - 1}, "equal handles at once")
        equal(len(api.request(server, "GET", "/v1/inboxes", key=tenant["apiKey"])[1]["inboxes"]), before + 1, "inboxes left")
        # Deleted and made again by many at once.
        key = tenant["apiKey"]
        answers = at_once(server, threads, [("DELETE", f"/api/v1/identities/{name}", None, key)] * 4 + [identity(name, key)] * 4)
        deleted = sum(status == 204 for (method, *_), status, _ in answers if method == "DELETE")
        made = sum(status == 201 for (method, *_), status, _ in answers if method == "POST")
        left = len(api.request(server, "GET", "/v1/inboxes", key=key)[1]["inboxes"])
        # Several that delete one thing at once may all be told that it is gone.
        check(0 <= left - before <= 1 and deleted >= 1, f"{left - before} inboxes after {deleted} deletions and {made} creations")
        check(left > before or not made or deleted > 1, f"none left after {deleted} deletions and {made} creations")
        with Smtp(server.address("smtp_in")) as client:
            client.hello()
            client.command("MAIL FROM:<x@client.example.net>", 250)
            client.command(f"RCPT TO:<{name}@{server.ready['domain']}>", 250 if left > before else 550)


def run():
    options = scenario.options(("--tenants", 120, "how many ask"), ("--threads", 16, "how many at once"), ("--rounds", 20, "names wanted in two dialects"))
    with Server() as server:
        keys = tenants(server, options.tenants)
        for name, race in (
                ("one name", lambda: one_name(server, keys, options.threads)), ("repeats", lambda: repeats(server, keys, options.threads)),
                ("limits", lambda: limits(server, options.threads)), ("alone", lambda: alone(server, options.threads)),
                ("two dialects", lambda: two_dialects(server, keys, options.threads, options.rounds))):
            begun = time.monotonic()
            race()
            say(f"ok   {name:16} {time.monotonic() - begun:6.2f} s")
    server.fsck()
    say(f"{options.tenants} tenants, {options.threads} threads")


if __name__ == "__main__":
    scenario.main(run, 230)
