#!/usr/bin/env python3
"""Every operation of every dialect, asked for what is somebody else's: by another organization, another pod, another inbox.

The answer is always 404 or 403, without a word of what is there; afterwards everything is as it was; and it comes neither sooner nor
later than for what does not exist at all. The operations of `/v0` and `/postroom/v1` are those of the running server's
/openapi.json, the others are in the tables of isolation_world/routes.py.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "isolation_world"), os.path.join(HERE, "..", "lib")]
import random  # noqa: E402
import re  # noqa: E402

import scenario  # noqa: E402
from parties import Victim, attackers  # noqa: E402
from routes import ANSWERED_EMPTY, INKBOX, MYAGENTMAIL, Asker, from_document, table, variants  # noqa: E402
from scenario import check, say, short  # noqa: E402
from server import Server  # noqa: E402
from timing import tells_apart  # noqa: E402

# What was sent is in no queue, the victim's domain is not the server's, and one waits for mail that does not come.
UNANSWERED = (*ANSWERED_EMPTY, "/postroom/v1/queue/", "/postroom/v1/domains/", "/postroom/v1/inboxes/{inbox}/wait")
OPERATOR = ("/v1/tenants", "/postroom/v1/organizations", "/postroom/v1/queue", "/postroom/v1/domains", "/postroom/v1/captured")


def wrong_with(attacker, route, answer, secret):
    """What is wrong with an answer, or None."""
    if secret in answer.text:
        return f"tells {re.search('.{0,80}' + secret, answer.text)[0]}"
    if route.lists or route.path.startswith(ANSWERED_EMPTY):
        return None if answer.status < 500 else f"is {answer.status}"
    if not attacker.speaks(route.dialect):
        return None if answer.status in (401, 403, 404) else f"is {answer.status} for a key of another dialect: {short(answer.text, 200)}"
    if answer.status not in (403, 404):
        return f"is {answer.status}: {short(answer.text, 200)}"
    strict = attacker.foreign and attacker.whole and route.dialect in (INKBOX, MYAGENTMAIL) and not route.path.startswith(OPERATOR)
    if answer.status == 403 and strict and "operator" not in answer.text and not attacker.name.startswith("a wk_"):
        return f"is 403 and not 404: {short(answer.text, 200)}"
    return None


def attack(server, victim, attacker, routes):
    """([fault], number of requests) of all routes asked by one attacker, in random order."""
    requests = [(route, request) for route in routes for request in variants(route, victim, attacker)]
    random.shuffle(requests)
    connection, faults = Asker(server, attacker.key), []
    for route, request in requests:
        fault = wrong_with(attacker, route, connection.ask(request), victim.secret)
        if fault:
            faults.append(f"{attacker.name}: {request.method} {request.path} {short(request.body, 100)} {fault}")
    return faults, len(requests)


def answers_its_owner(server, victim, routes):
    """Faults of the test itself: a route that does not even answer one of the keys that may read it proves nothing."""
    askers = [Asker(server, key) for key in victim.keys.values()]
    faults = []
    for route in routes:
        if route.method == "GET" and route.whose and not route.hosted and not route.path.startswith(UNANSWERED):
            request = variants(route, victim, None)[0]
            answers = [asker.ask(request) for asker in askers]
            if all(answer.status >= 400 for answer in answers):
                faults.append(f"the owner: GET {request.path} is {[answer.status for answer in answers]}: {short(answers[1].text, 150)}")
    return faults


def changed(before, after):
    return [f"{name}: {differing(before[name], after.get(name, ''))}" for name in before if before[name] != after.get(name)][:3]


def differing(left, right):
    """Where two texts part."""
    at = next((index for index, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), min(len(left), len(right)))
    return f"…{left[max(0, at - 60):at + 80]} -> …{right[max(0, at - 60):at + 80]}"


def run():
    options = scenario.options(("--samples", 250, "rounds of requests that are timed, at first"), ("--only", "", "attackers whose name has this in it"))
    faults, asked = [], 0
    with Server(log_level="warn") as server:
        victim = Victim(server)
        routes = [*from_document(server), *table(MYAGENTMAIL), *table(INKBOX)]
        strange = sorted({f"{name} of {route.path}" for route in routes for name in route.names if not victim.knows(name)})
        check(not strange, f"the victim has no {strange}")
        parties = attackers(server, victim)
        faults += answers_its_owner(server, victim, routes)
        before = victim.snapshot()
        for attacker in parties:
            if options.only in attacker.name:
                found, count = attack(server, victim, attacker, routes)
                after = victim.snapshot()
                found += [f"{attacker.name}: changed {what}" for what in changed(before, after)]
                say(f"{'FAIL' if found else 'ok  '} {attacker.name:32} {count} requests")
                before, asked, faults = after, asked + count, faults + found
        faults += tells_apart(server, victim, parties, options.samples)
    say("\n".join(faults[:300]))
    check(not faults, f"{len(faults)} faults")
    say(f"{asked} requests of {len(parties)} keys for {len(routes)} routes")


if __name__ == "__main__":
    scenario.main(run, 230)
