#!/usr/bin/env python3
"""The shim itself, before anything is believed that it says: what a small program must lose at a power loss, and faults."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import preload
import scenario
from replay import Disk, lose_power
from scenario import check, command, equal, temp_folder

# Synced and unsynced changes of every kind, in one process.
VICTIM = """
import os, shutil
def put(path, data, sync):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, data)
    if sync: os.fdatasync(fd)
    return fd
def sync_folder(path):
    fd = os.open(path, os.O_RDONLY); os.fsync(fd); os.close(fd)
os.chdir(os.environ["SHIM_DIR"])
a = put("a", b"A" * 10000, True)                                     # both synced
os.mkdir("sub"); put("sub/b", b"B", True)                            # folder entry of sub synced, that of b not
sync_folder(".")
os.pwrite(a, b"x" * 10, 5000)                                        # not synced
os.pwrite(os.dup(a), b"y" * 10, 20000)                               # not synced
put("c", b"C", True)                                                 # content synced, entry not
old = put("old", b"new content", True); os.rename("old", "kept")     # replaces kept, entry not synced
fd = os.open("log", os.O_WRONLY | os.O_APPEND); os.write(fd, b"1"); os.fsync(fd); os.write(fd, b"2"); os.ftruncate(fd, 1)
os.unlink("gone"); os.mkdir("tree"); put("tree/x", b"", False); shutil.rmtree("tree")
"""


def read(folder):
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                found[os.path.relpath(os.path.join(path, name), folder)] = file.read()
    return found


def after_power_loss(library, mode, seed):
    folder, log = temp_folder("victim"), os.path.join(temp_folder("log"), "log")
    for name in ("kept", "log", "gone"):
        with open(os.path.join(folder, name), "w") as file:
            file.write(name)
    disk = Disk(folder)
    command([sys.executable, "-c", VICTIM], env={**os.environ, **preload.environment(library, folder, log)})
    whole = read(folder)
    lose_power(disk, log, mode, seed)
    return whole, read(folder)


def power_loss(library):
    whole, left = after_power_loss(library, "all", 1)
    equal(whole["a"][5000:5010] + whole["a"][20000:], b"x" * 10 + b"y" * 10, "the victim's own view")
    equal((whole["kept"], whole["log"]), (b"new content", b"l"), "the victim's own view")
    equal(left, {"a": b"A" * 10000, "kept": b"kept", "log": b"log1", "gone": b"gone"}, "what is left of `all`")
    seen = [after_power_loss(library, mode, seed)[1] for mode in ("half", "torn") for seed in range(12)]
    check(all(left["a"][:5000] == b"A" * 5000 for left in seen), "synced octets were lost")
    for what, kept in (("c", lambda left: "c" in left), ("x", lambda left: left["a"][5000:5010] == b"x" * 10),
                       ("truncation", lambda left: left["log"] == b"l"), ("unlink", lambda left: "gone" not in left)):
        outcomes = {kept(left) for left in seen}
        equal(outcomes, {True, False}, f"outcomes for {what} in 24 tries")


def faults(library):
    folder, control = temp_folder("victim"), temp_folder("control")
    full, eio = os.path.join(control, "full"), os.path.join(control, "eio")
    program = f"""
import os, errno
fd = os.open({folder!r} + "/journal", os.O_WRONLY | os.O_CREAT)
other = os.open({folder!r} + "/other", os.O_WRONLY | os.O_CREAT)
def attempt(call, *words):
    try: return call(*words)
    except OSError as error: return errno.errorcode[error.errno]
assert attempt(os.write, fd, b"x" * 1000) == 1000
open({full!r}, "w").write("100")
assert attempt(os.write, other, b"x" * 1000) == 1000
assert attempt(os.write, fd, b"x" * 1000) == 100
assert attempt(os.write, fd, b"x") == "ENOSPC"
os.unlink({full!r})
assert attempt(os.write, fd, b"x" * 1000) == 1000
assert attempt(os.fsync, fd) is None
open({eio!r}, "w").close()
assert attempt(os.fdatasync, fd) == "EIO" and attempt(os.fsync, other) is None
"""
    command([sys.executable, "-c", program],
            env={**os.environ, **preload.environment(library, folder, full=full, eio=eio, match="journal")})


def run():
    library = preload.build()
    power_loss(library)
    faults(library)


if __name__ == "__main__":
    scenario.main(run, 120)
