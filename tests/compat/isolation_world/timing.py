"""Whether the time of a 404 tells that something exists.

Three requests are asked in turn, in an order drawn anew for every round: for what is somebody else's, and for two things that are
nowhere. The machine is shared and noisy, so what counts is the difference within a round: its median over all rounds, beside the
same of the two that are nowhere, which says how far a median strays by itself. A pair that looks different, or of which the noise
says nothing, is asked again, with more rounds, and is at fault if it looks different each time.
"""

import math
import random
import socket
import statistics
import time

from routes import AGENTMAIL, INKBOX, MYAGENTMAIL, OWN, Route, filled
from scenario import say

WARM_UP = 30
TURNS = 4  # each time twice as many rounds
STRAYS = 6  # standard errors; of some 30 pairs none strays so far by chance
LEAST = 0.04  # of the whole time: below this, what the processor has in its caches decides; one more look into the store is nearly twice that
PAIRS = [
    (AGENTMAIL, "/v0/inboxes/{inbox_id}", "inbox_id"), (AGENTMAIL, "/v0/inboxes/{inbox_id}/messages/{message_id}", "inbox_id"), (AGENTMAIL, "/v0/threads/{thread_id}", "thread_id"),
    (AGENTMAIL, "/v0/pods/{pod_id}", "pod_id"), (AGENTMAIL, "/v0/domains/{domain_id}", "domain_id"), (AGENTMAIL, "/v0/webhooks/{webhook_id}", "webhook_id"),
    (AGENTMAIL, "/v0/api-keys/{api_key_id}", "api_key_id"), (AGENTMAIL, "/v0/drafts/{draft_id}", "draft_id"),
    (MYAGENTMAIL, "/v1/inboxes/{inbox}", "inbox"), (MYAGENTMAIL, "/v1/inboxes/{inbox}/messages/{message}", "inbox"), (MYAGENTMAIL, "/v1/workspaces/{workspace}", "workspace"),
    (MYAGENTMAIL, "/v1/domains/{domain}", "domain"), (MYAGENTMAIL, "/v1/webhooks/{v1_webhook}", "v1_webhook"),
    (INKBOX, "/api/v1/identities/{handle}", "handle"), (INKBOX, "/api/v1/mail/mailboxes/{address}", "address"),
    (INKBOX, "/api/v1/mail/mailboxes/{address}/messages/{message}", "address"), (INKBOX, "/api/v1/identities/{handle}/mail-contact-rules/{rule}", "handle"),
    (INKBOX, "/api/v1/webhooks/subscriptions/{subscription}", "subscription"), (INKBOX, "/api/v1/message-sends/lookup?sender_kind=mailbox&sender_id={inbox}&operation=mail.send", "inbox"),
    (OWN, "/postroom/v1/inboxes/{inbox}/messages/{message}/trace", "inbox"), (OWN, "/postroom/v1/inboxes/{inbox}/wait?timeout=0", "inbox"),
]


def other(value):
    """A name of the same form that nobody has."""
    letters = {**dict.fromkeys("0123456789abcdef", "0123456789abcdef"), **dict.fromkeys("ghijklmnopqrstuvwxyz", "ghijklmnopqrstuvwxyz")}
    local, at, domain = str(value).partition("@")
    if local.endswith(".test"):
        return local[:-5].translate(str.maketrans("0123456789abcdef", "".join(random.sample("0123456789abcdef", 16)))) + "q.test"
    # The first letters say the version and the time, or the kind; they stay. The last eight of a name are random.
    kept = min(14, len(local) - 8)
    return local[:kept] + "".join(random.choice(letters.get(letter, letter)) for letter in local[kept:]) + at + domain


class Stopwatch:
    """A connection with nothing around it: octets out, octets back."""

    def __init__(self, server, key):
        self.host = server.ready["api"].removeprefix("http://")
        host, _, port = self.host.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.key = key

    def octets(self, request):
        fields = f"Host: {self.host}\r\nX-API-Key: {self.key}\r\nIdempotency-Key: timing\r\n\r\n"
        return f"{request.method} {request.path} HTTP/1.1\r\n{fields}".encode()

    def ask(self, octets):
        """(seconds, the whole answer)."""
        begun = time.perf_counter()
        self.socket.sendall(octets)
        answer = self.socket.recv(65536)
        took = time.perf_counter() - begun
        while not is_whole(answer):
            answer += self.socket.recv(65536)
        return took, answer


def is_whole(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:])
    return True


def sample(stopwatch, requests, rounds):
    """Seconds of each request, round by round."""
    times = [[] for _ in requests]
    for _ in range(rounds):
        for index in random.sample(range(len(requests)), len(requests)):
            took, answer = stopwatch.ask(requests[index])
            if answer[9:12] not in (b"403", b"404"):
                raise AssertionError(f"{requests[index]} is {answer[:200]}")
            times[index].append(took)
    return times


def middle(left, right):
    """The median of the differences of two columns, and its standard error: for one in a normal heap 1.25 σ / √n, with σ from the
    quartiles, which the few rounds that the machine spoilt do not touch."""
    differences = [one - another for one, another in zip(left, right, strict=True)]
    low, median, high = statistics.quantiles(differences, n=4)
    return median, 1.25 * (high - low) / 1.35 / math.sqrt(len(differences))


def tells_apart(server, victim, attackers, rounds):
    """[fault] for each pair where what exists takes another time than what does not."""
    faults = []
    for dialect, path, name in PAIRS:
        attacker = next(one for one in attackers if one.foreign and one.whole and one.speaks(dialect))
        stopwatch, route = Stopwatch(server, attacker.key), Route(dialect, "GET", path)
        value = victim.named(name, route)
        for turn in range(TURNS):
            # Other names each time: where a name lies among the server's rows is chance too.
            asked = [filled(route, victim, {}), filled(route, victim, {name: other(value)}), filled(route, victim, {name: other(value)})]
            asked = [stopwatch.octets(request) for request in asked]
            sample(stopwatch, asked, WARM_UP)
            there, absent, twin = sample(stopwatch, asked, rounds * 2 ** turn)
            longer, error = middle(there, [(one + another) / 2 for one, another in zip(absent, twin, strict=True)])
            strayed, _ = middle(absent, twin)
            allowed = max(LEAST * statistics.median(absent), STRAYS * error, 2 * abs(strayed))
            is_quiet = allowed <= 2 * LEAST * statistics.median(absent)
            if abs(longer) < allowed and (is_quiet or turn == TURNS - 1):
                break
        else:
            faults.append(f"{path}: what is there takes {1e6 * longer:.1f} µs longer than what is not (allowed {1e6 * allowed:.1f} µs, {rounds * 2 ** turn} rounds)")
        say(f"     {path:64} {1e6 * statistics.median(there):6.0f} µs, {1e6 * longer:+5.1f} µs, allowed {1e6 * allowed:4.1f}, {len(there)} rounds")
    return faults
