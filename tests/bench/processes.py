"""CPU time and memory of whole process trees, from /proc."""

import os
import threading
import time


def children_of():
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat(int(name))
            if fields:
                found.setdefault(int(fields[1]), []).append(int(name))
    return found


def stat(pid):
    """The fields of /proc/PID/stat from the state on; empty if the process is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(") ", 1)[1].split()
    except OSError:
        return []


def tree(roots):
    below, found, todo = children_of(), [], list(roots)
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += below.get(pid, [])
    return found


def cpu_seconds(roots):
    """User and system time, that of ended and awaited children included."""
    ticks = sum(int(field) for pid in tree(roots) for field in stat(pid)[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(roots, field="Pss:"):
    """Proportional set size: pages that processes share are counted once."""
    total = 0
    for pid in tree(roots):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith(field))
        except OSError:
            pass
    return total / 1024


class Peak:
    """The most memory a tree had while in the `with` block, beyond what it had at its start (MiB)."""

    def __init__(self, roots):
        self.roots = roots

    def __enter__(self):
        self.start = self.most = memory_mib(self.roots)
        self.running = True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while self.running:
            self.most = max(self.most, memory_mib(self.roots))
            time.sleep(0.005)

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        self.grown = max(self.most, memory_mib(self.roots)) - self.start
