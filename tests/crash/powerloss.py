#!/usr/bin/env python3
"""Power loss while mail flows: unsynced writes are dropped, all, half, or torn by the block, and the server restarted.

The shim records what the server does to its folder; after a kill, replay.py makes the folder as the disk would have
it, the boot id changes, and everything that was promised must be there (../lib/workload.py). Every second loss happens
on a fresh folder, whose first start is then unsynced as well.
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import preload
import scenario
from replay import MODES, Disk, lose_power
from scenario import options, record, say
from server import Server
from workload import Workload

RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")


class Machine:
    """A server on a disk that can lose power."""

    def __init__(self, library):
        self.server = Server(log_level="warn")
        self.preloaded, self.boots = library, 0
        self.log = os.path.join(self.server.folder, "shim.log")
        os.makedirs(self.server.data, exist_ok=True)
        self.boot()

    def boot(self):
        self.boots += 1
        if os.path.exists(self.log):
            os.unlink(self.log)
        self.disk = Disk(os.path.realpath(self.server.data))
        self.server.start(env={"POSTROOM_BOOT_ID": f"boot-{self.boots}",
                               **preload.environment(self.preloaded, self.server.data, self.log)})

    def cut(self, mode):
        self.server.kill()
        return lose_power(self.disk, self.log, mode, random.getrandbits(32))


def one_folder(library, modes):
    machine = Machine(library)
    with machine.server as server:
        workload = Workload(server, random.getrandbits(32))
        for mode in modes:
            workload.begin()
            time.sleep(random.uniform(0.2, 2.0))
            lost = machine.cut(mode)
            workload.end()
            machine.boot()
            workload.verify()
            say(f"{mode}: {lost} unsynced changes; {workload.counts['kept']} messages that got 250")
        server.stop()
        server.fsck()
        return workload.counts["kept"]


def run():
    chosen = options(("--losses", 8, "how many times the power goes"), ("--record", False, "put the result into RESULTS.md"))
    library = preload.build()
    modes = [MODES[n % len(MODES)] for n in range(chosen.losses)]
    kept = 0
    for at in range(0, len(modes), 2):
        kept += one_folder(library, modes[at:at + 2])
    if chosen.record:
        record(RESULTS, f"{chosen.losses:,} power losses", f"seed {chosen.seed}: {kept:,} messages that got 250; nothing lost, nothing twice")


if __name__ == "__main__":
    scenario.main(run, 6 * 3600)
