#!/usr/bin/env python3
"""kill -9 at random moments while 12 senders deliver and 4 IMAP sessions store, copy, move, append and expunge.

After each kill the offline check must find nothing, and the restarted server must hold exactly what it promised (see
../lib/workload.py). One restart in four is itself killed before it is ready. `--kills 1000` is the long run: each ten kills
start on a fresh folder, so that verifying stays short.
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import scenario
from scenario import options, record, say
from server import Server
from workload import Workload

PER_FOLDER = 10
RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")


def one_folder(kills, seed):
    with Server(log_level="warn") as server:
        workload = Workload(server, seed)
        for _ in range(kills):
            workload.begin()
            time.sleep(random.uniform(0.1, 1.0))
            server.kill()
            workload.end()
            if random.random() < 0.25:
                server.launch()
                time.sleep(random.uniform(0, 0.3))
                server.kill()
            server.fsck()
            server.start()
            workload.verify()
        server.stop()
        server.fsck()
        return workload.counts


def run():
    chosen = options(("--kills", 20, "how many times the server is killed"), ("--record", False, "put the result into RESULTS.md"))
    begun, left, total = time.monotonic(), chosen.kills, {}
    while left > 0:
        now = min(left, PER_FOLDER)
        for name, count in one_folder(now, random.getrandbits(32)).items():
            total[name] = total.get(name, 0) + count
        left -= now
        done = ", ".join(f"{total[name]:,} {'messages that got 250' if name == 'kept' else name}"
                         for name in ("kept", "appends", "flag changes", "copies", "moves", "expunges"))
        say(f"{chosen.kills - left} kills, {time.monotonic() - begun:.0f} s: {done}")
    if chosen.record:
        record(RESULTS, f"{chosen.kills:,} kills", f"seed {chosen.seed}: {done}; nothing lost, nothing twice")


if __name__ == "__main__":
    scenario.main(run, 6 * 3600)
