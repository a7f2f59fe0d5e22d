#!/usr/bin/env python3
"""One inbox, used through three dialects, IMAP and SMTP at once by many clients; at the end all see the same, and the store is sound.

    tests/compat/dialects.py            15 seconds
    tests/compat/dialects.py --long     a minute
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "dialects_world"), os.path.join(HERE, "..", "lib")]
import collections  # noqa: E402
import time  # noqa: E402

import api  # noqa: E402
import scenario  # noqa: E402
from account import one_account  # noqa: E402
from scenario import check, equal, say, wait_until  # noqa: E402
from server import Server  # noqa: E402
from views import same_for_all  # noqa: E402
from workers import CLIENTS, Agent  # noqa: E402


def run():
    options = scenario.options(("--long", False, "a minute"), ("--seconds", 15, "how long"))
    seconds = 60 if options.long else options.seconds
    with Server() as server:
        one_account(Agent(server))
        say("ok   one account")
        agent = Agent(server)
        workers = [kind(agent, getattr(agent, key) if key else None) for kind, key, count in CLIENTS for _ in range(count)]
        end = time.monotonic() + seconds
        scenario.threads([lambda worker=worker: worker.run(end) for worker in workers], seconds + 60)
        counts = sum((worker.counts for worker in workers), collections.Counter())
        names = {f"{type(worker).__name__}.{name[3:]}" for worker in workers for name, _ in worker.doings}
        idle = sorted(name for name in names if not counts[name, True])
        check(not idle, f"never done: {idle} (of {sum(counts.values())})")
        wait_until(lambda: not api.request(server, "GET", "/postroom/v1/queue", key=server.ready["operator_key"])[1]["queue"], "the queue to be empty", 30)
        time.sleep(0.3)
        before = same_for_all(agent)
        server.stop()
        server.fsck()
        server.start()
        agent.server = server
        equal(same_for_all(agent), before, "after a restart")
    server.fsck()
    done = sum(count for (_, good), count in counts.items() if good)
    say(f"{done} things done by {len(workers)} clients in {seconds} s; {len(before[0])} messages, {len(before[1])} in the trash, {len(before[2])} drafts")


if __name__ == "__main__":
    scenario.main(run, 230)
