"""Whether the time of a 404 tells that something exists: medians of interleaved requests, with a bootstrap for their difference."""

import random
import statistics
import time

from routes import AGENTMAIL, INKBOX, MYAGENTMAIL, Asker, Route, filled
from scenario import say

LEAST = 0.0003  # seconds; a difference below this is no oracle over a network, and within what a busy machine does by itself
RESAMPLES = 400
PAIRS = [
    (AGENTMAIL, "/v0/inboxes/{inbox_id}", "inbox_id"), (AGENTMAIL, "/v0/inboxes/{inbox_id}/messages/{message_id}", "inbox_id"), (AGENTMAIL, "/v0/threads/{thread_id}", "thread_id"),
    (AGENTMAIL, "/v0/pods/{pod_id}", "pod_id"), (AGENTMAIL, "/v0/domains/{domain_id}", "domain_id"), (AGENTMAIL, "/v0/webhooks/{webhook_id}", "webhook_id"),
    (AGENTMAIL, "/v0/api-keys/{api_key_id}", "api_key_id"), (AGENTMAIL, "/v0/drafts/{draft_id}", "draft_id"),
    (MYAGENTMAIL, "/v1/inboxes/{inbox}", "inbox"), (MYAGENTMAIL, "/v1/inboxes/{inbox}/messages/{message}", "inbox"), (MYAGENTMAIL, "/v1/workspaces/{workspace}", "workspace"),
    (MYAGENTMAIL, "/v1/domains/{domain}", "domain"), (MYAGENTMAIL, "/v1/webhooks/{v1_webhook}", "v1_webhook"),
    (INKBOX, "/api/v1/identities/{handle}", "handle"), (INKBOX, "/api/v1/mail/mailboxes/{address}", "address"),
    (INKBOX, "/api/v1/mail/mailboxes/{address}/messages/{message}", "address"), (INKBOX, "/api/v1/identities/{handle}/mail-contact-rules/{rule}", "handle"),
    (INKBOX, "/api/v1/webhooks/subscriptions/{subscription}", "subscription"),
]


def other(value):
    """A name of the same form that nobody has."""
    letters = {**dict.fromkeys("0123456789abcdef", "0123456789abcdef"), **dict.fromkeys("ghijklmnopqrstuvwxyz", "ghijklmnopqrstuvwxyz")}
    local, at, domain = str(value).partition("@")
    if local.endswith(".test"):
        return local[:-5].translate(str.maketrans("0123456789abcdef", "".join(random.sample("0123456789abcdef", 16)))) + "q.test"
    # The first letters say the version and the time, or the kind; they stay.
    return local[:14] + "".join(random.choice(letters.get(letter, letter)) for letter in local[14:]) + at + domain


def sample(connections, requests, count):
    """Seconds of each request, asked in an order that is drawn anew for every round."""
    times = [[] for _ in requests]
    for _ in range(count):
        for index in random.sample(range(len(requests)), len(requests)):
            begun = time.perf_counter()
            status = connections.ask(requests[index]).status
            times[index].append(time.perf_counter() - begun)
            if status not in (403, 404):
                raise AssertionError(f"{requests[index].path} is {status}")
    return times


def interval(left, right):
    """Where the difference of the medians lies, in all but one of a thousand cases or so."""
    differences = sorted(statistics.median(random.choices(left, k=len(left))) - statistics.median(random.choices(right, k=len(right))) for _ in range(RESAMPLES))
    return differences[0], differences[-1]


def tells_apart(server, victim, attackers, count):
    """[fault] for each pair where what exists takes another time than what does not."""
    faults = []
    for dialect, path, name in PAIRS:
        attacker = next(one for one in attackers if one.foreign and one.whole and one.speaks(dialect))
        connection, route = Asker(server, attacker.key), Route(dialect, "GET", path)
        value = victim.named(name, route)
        requests = [filled(route, victim, {}), filled(route, victim, {name: other(value)}), filled(route, victim, {name: other(value)})]
        sample(connection, requests, 10)
        for turn in range(3):  # who is unlucky is asked again, with more
            there, absent, twin = sample(connection, requests, count * 2 ** turn)
            noise = abs(statistics.median(absent) - statistics.median(twin))
            low, high = interval(there, absent + twin)
            allowed = max(LEAST, 3 * noise, 0.15 * statistics.median(absent))
            if -allowed < high and low < allowed:
                break
        else:
            faults.append(f"{path}: what is there takes {1e6 * low:.0f} to {1e6 * high:.0f} µs longer than what is not (noise {1e6 * noise:.0f} µs)")
        say(f"     {path:64} {1e6 * statistics.median(there):6.0f} µs, absent {1e6 * statistics.median(absent):6.0f} µs")
    return faults
