#!/usr/bin/env python3
"""Backups while mail flows at full speed, while the store's upkeep removes files, and while either process is killed.

What got 250 before a backup began is in it, once, with every octet; what was expunged before is not; fsck finds nothing in what was
restored. A backup that broke off leaves the one before it. A second backup copies only what is new. A full disk, damage,
the wrong folder and the wrong store are told, and nothing is lost by them; nor by a power loss.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import preload
import scenario
import smtp
from imap import Imap
from replay import MODES, Disk, lose_power
from scenario import check, command, equal, options, say, spawn, wait_until
from server import Server, binary
from smtp import Smtp

BUSY = """
[store]
journal_file = "256 KiB"
snapshot = "256 KiB"
upkeep_every = "1 s"
deleted_bodies_keep = "0 s"
"""
CUT_OFF = (ConnectionError, OSError)


class Traffic:
    """Mail to two inboxes: all that comes to the first stays, most of what comes to the second is expunged again."""

    def __init__(self, server):
        self.server, self.lock, self.count = server, threading.Lock(), 0
        self.stays, self.goes = (api.create_inbox(server, name) for name in ("stays", "goes"))
        self.kept, self.sent, self.gone = set(), set(), set()  # got 250; dot sent; was told to expunge
        self.expunged = set()  # was told OK
        self.errors, self.workers = [], []

    def begin(self):
        self.running = True
        jobs = [lambda: self.sender(random.randrange(1 << 30)) for _ in range(8)] + [self.expunger]
        self.workers = [threading.Thread(target=self.guarded, args=(job,), daemon=True) for job in jobs]
        for worker in self.workers:
            worker.start()

    def end(self):
        self.running = False
        for worker in self.workers:
            worker.join(60)
            check(not worker.is_alive(), "a worker does not end")
        if self.errors:
            raise self.errors[0]

    def guarded(self, job):
        try:
            job()
        except CUT_OFF:
            pass
        except BaseException as error:  # noqa: BLE001 - carried to the main thread
            self.errors.append(error)

    def sender(self, seed):
        chance = random.Random(seed)
        with Smtp(self.server.address("smtp_in")) as client:
            client.hello()
            while self.running:
                with self.lock:
                    self.count += 1
                    number = self.count
                size = 1_200_000 if chance.random() < 0.01 else chance.choice((300, 2000, 8000))
                box = chance.choice((self.stays, self.goes))
                unique = f"{'goes' if box is self.goes else 'stays'}-{number}"
                content = corpus.unique_message(unique, size)
                client.envelope([box.address])
                self.sent.add(unique)
                client.send(smtp.stuffed(content) + b".\r\n")
                reply = client.reply()
                check(reply.code == 250, f"final reply: {reply}")
                self.kept.add(unique)

    def expunger(self):
        with Imap(self.server, self.goes.address, self.goes.password) as session:
            session.select()
            while self.running:
                untagged, _ = session.command("UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (X-Unique)])")
                found = {}
                for response in untagged:
                    if len(response) > 1:
                        uid = int(response[0].split(b"UID ")[1].split()[0]) if b"UID " in response[0] else int(response[2].split(b"UID ")[1].split(b")")[0])
                        found[uid] = response[1].split(b": ")[1].strip().decode()
                for uid, unique in list(found.items())[:-5]:
                    self.gone.add(unique)
                    session.command(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
                    session.command(f"UID EXPUNGE {uid}")
                    self.expunged.add(unique)
                    if not self.running:
                        return
                time.sleep(0.01)

    def ledger(self):
        """What holds now: a backup that begins after this has it."""
        return {"kept": set(self.kept), "expunged": set(self.expunged)}

    def compare(self, server, then):
        """What a restored server has, against what held when its backup began."""
        kept, gone = set(then["kept"]), set(self.gone)
        for box, name in ((self.stays, "stays"), (self.goes, "goes")):
            with Imap(server, box.address, box.password, timeout=60) as session:
                exists = session.select()["exists"]
                found = session.fetch("1:*", "BODY.PEEK[]") if exists else {}
            equal(len(found), exists, "messages fetched")
            uniques = [corpus.unique_of(content) for _, content in found.values()]
            check(all(uniques), f"{name}: a message is damaged")
            equal(len(set(uniques)), len(uniques), f"{name}: messages that are there once")
            here = set(uniques)
            lost = {one for one in kept if one.startswith(name)} - here - gone
            check(not lost, f"{name}: {len(lost)} of {len(kept)} that got 250 before the backup are not in it: {sorted(lost)[:5]}")
            check(here <= self.sent, f"{name}: never sent: {sorted(here - self.sent)[:5]}")
            back = here & then["expunged"]
            check(not back, f"{name}: expunged before the backup, and there: {sorted(back)[:5]}")


def backup(server, folder):
    output = command([binary(), "backup", folder, "--config", server.config, "--json"], seconds=120)
    return json.loads([line for line in output.splitlines() if line.startswith(b"{\"copied")][-1])


def restored(folder, server, traffic, then):
    """Restores into a new folder, checks it offline and through a server, which then takes new mail."""
    data = os.path.join(server.folder, f"restored-{time.monotonic_ns()}")
    command([binary(), "restore", folder, "--data", data], seconds=120)
    with Server(data=data, log_level="warn") as other:
        other.stop()
        other.fsck()
        other.start()
        traffic.compare(other, then)
        equal(other.ready["operator_key"], server.ready["operator_key"], "operator key")
        box = traffic.stays
        smtp.deliver(other, [box.address], corpus.unique_message("after"))
        with Imap(other, box.address, box.password) as session:
            equal(corpus.unique_of(session.body(session.select()["uidnext"] - 1)), "after", "new mail in what was restored")
        other.stop()
        other.fsck()
    shutil.rmtree(data)


def busy(server, traffic, rounds):
    """Backups at random moments under traffic; one in three is killed, one in three times the server is."""
    folder = os.path.join(server.folder, "backup")
    good, killed, crashed, copied = None, 0, 0, []  # of the last backup that was done
    for number in range(rounds):
        traffic.begin()
        time.sleep(random.uniform(0.3, 1))
        then = traffic.ledger()
        if number % 3 == 1:
            process = spawn([binary(), "backup", folder, "--data", server.data], stdout=subprocess.DEVNULL)
            time.sleep(random.uniform(0, 0.15))
            process.kill()
            if process.wait() == 0:
                good = then
            killed += 1
        elif number % 3 == 2:
            process = spawn([binary(), "backup", folder, "--data", server.data], stdout=subprocess.DEVNULL)
            time.sleep(random.uniform(0, 0.1))
            server.process.send_signal(signal.SIGKILL)
            equal(process.wait(120), 0, "exit code of a backup while the server was killed")
            good = then
            crashed += 1
        else:
            copied.append(backup(server, folder)["copied_octets"])
            good = then
        traffic.end()
        if not server.alive():
            server.relaunch()
        restored(folder, server, traffic, good)
    say(f"{rounds} backups under traffic, of which {killed} were killed and {crashed} saw the server killed; {len(traffic.kept)} messages; copied {copied}")
    return folder


def incremental(server, traffic, folder):
    """Nothing new, nothing copied; five small messages, little."""
    backup(server, folder)
    again = wait_until(lambda: not (told := backup(server, folder))["copied_octets"] and told, "a store at rest", 20, 0.5)
    check(again["octets"] > 1 << 20, f"octets of the backup: {again}")
    for number in range(5):
        smtp.deliver(server, [traffic.stays.address], corpus.unique_message(f"stays-small-{number}"))
        traffic.sent.add(f"stays-small-{number}")
        traffic.kept.add(f"stays-small-{number}")
    then = traffic.ledger()
    little = backup(server, folder)
    say(f"{again['octets']} octets in {again['files']} files; five messages later {little['copied_octets']} were copied")
    check(0 < little["copied_octets"] < 600_000, f"octets copied after five small messages: {little}")
    restored(folder, server, traffic, then)


def compacted(server, traffic, folder):
    """After all of an inbox was expunged, and journal files went, the backup shrinks too, and is as good."""
    before = backup(server, folder)["octets"]
    with Imap(server, traffic.goes.address, traffic.goes.password) as session:
        if session.select()["exists"]:
            traffic.gone |= {one for one in traffic.sent if one.startswith("goes")}
            session.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            session.command("EXPUNGE")
    journal = os.path.join(server.data, "store", "journal")
    files = len(os.listdir(journal))
    with Imap(server, traffic.stays.address, traffic.stays.password) as session:
        session.select()
        uids = session.uids()
        leave = set(uids[::7])
        for start in range(0, len(uids), 300):
            some = [uid for uid in uids[start:start + 300] if uid not in leave]
            if some:
                for uid, (_, content) in session.fetch(",".join(map(str, some)), "BODY.PEEK[HEADER.FIELDS (X-Unique)]").items():
                    traffic.gone.add(content.split(b": ")[1].strip().decode())
                session.command(f"UID STORE {','.join(map(str, some))} +FLAGS.SILENT (\\Deleted)")
        session.command("EXPUNGE")
    wait_until(lambda: len(os.listdir(journal)) < files / 2, "journal files to go", 30, 0.2)
    then = traffic.ledger()
    told = backup(server, folder)
    check(told["removed_files"] > 0 and told["octets"] < before, f"after upkeep: {told}, before {before} octets")
    restored(folder, server, traffic, then)
    say(f"from {before} to {told['octets']} octets after upkeep")


def tree(folder):
    return {os.path.join(at, name): os.stat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names}


def private(folder):
    """Nobody else may read what holds all mail."""
    for at, folders, names in os.walk(folder):
        for name in folders + names:
            mode = os.stat(os.path.join(at, name)).st_mode & 0o777
            check(mode & 0o077 == 0, f"{os.path.join(at, name)} has mode {mode:o}")


def refused(words, expected, code=1):
    output = command([binary(), *words], expect=code).decode("utf-8", "replace")
    check(expected in output, f"{' '.join(words)}: {output[-500:]!r} says nothing of {expected!r}")


def mistakes(server, folder):
    """Wrong folders, another store, damage to any kind of file."""
    private(folder)
    full, new = os.path.join(server.folder, "full"), os.path.join(server.folder, "new")
    os.makedirs(full)
    with open(os.path.join(full, "a file"), "w", encoding="ascii") as file:
        file.write("mine")
    refused(["backup", full, "--data", server.data], "not a backup")
    refused(["restore", folder, "--data", full], "not empty")
    refused(["restore", full, "--data", new], "not a backup")
    refused(["backup", new, "--data", full], "holds no store")
    equal(sorted(os.listdir(full)), ["a file"], "the folder that was refused")
    with Server(log_level="warn") as other:
        refused(["backup", folder, "--data", other.data], "another store")
        refused(["fsck", "--data", other.data], "is in use", 2)
    for kind in ("journal", "bodies", "snapshot", "beside", "manifest"):
        copy = os.path.join(server.folder, "damaged")
        shutil.copytree(folder, copy)
        place = os.path.join(copy, kind)
        names = sorted(os.listdir(place)) if os.path.isdir(place) else None
        check(names is None or names, f"no {kind} in the backup")
        victim = os.path.join(place, random.choice(names)) if names else place
        with open(victim, "r+b") as file:
            file.seek(random.randrange(os.path.getsize(victim)))
            octet = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([octet[0] ^ 0x20]))
        refused(["restore", copy, "--data", new], "damaged" if names else "manifest")
        is_there = os.path.exists(os.path.join(new, "store"))
        check(is_there or kind not in ("bodies", "beside"), f"one damaged file of {kind}, and nothing was restored")
        check(is_there or not os.path.exists(new), "what could not be restored has left something")
        shutil.rmtree(new, ignore_errors=True)
        if names:
            command([binary(), "backup", copy, "--data", server.data, "--verify"])
            command([binary(), "restore", copy, "--data", new])
        else:
            refused(["backup", copy, "--data", server.data], "remove this file")
        shutil.rmtree(copy)
        shutil.rmtree(new, ignore_errors=True)
    refused(["restore", os.path.join(server.folder, "nowhere"), "--data", new], "is not there")


def power_loss(server, traffic, folder):
    """The machine loses power during a backup or right after it: one that was answered is there, else the one before or the new one."""
    library, log = preload.build(), os.path.join(server.folder, "shim.log")
    good = None
    for number, mode in enumerate(MODES * 2):
        for count in range(10):
            unique = f"stays-power-{number}-{count}"
            traffic.sent.add(unique)
            smtp.deliver(server, [traffic.stays.address], corpus.unique_message(unique, 1_200_000 if count == 5 else 5000))
            traffic.kept.add(unique)
        then, disk = traffic.ledger(), Disk(os.path.realpath(folder))
        environment = {**os.environ, **preload.environment(library, folder, log)}
        process = spawn([binary(), "backup", folder, "--data", server.data], stdout=subprocess.DEVNULL, env=environment)
        if number >= len(MODES):
            time.sleep(random.uniform(0.01, 0.12))
            process.kill()
        if process.wait(60) == 0:
            good = then
        lost = lose_power(disk, log, mode, random.getrandbits(32))
        os.unlink(log)
        restored(folder, server, traffic, good)
        say(f"power lost {'during' if good is not then else 'after'} a backup, {mode}: {lost} unsynced changes")


def full_disk(server, traffic, folder):
    """Without space the backup fails in so many words, and the one before it is as it was."""
    then = traffic.ledger()
    backup(server, folder)
    for number in range(20):
        unique = f"stays-more-{number}"
        smtp.deliver(server, [traffic.stays.address], corpus.unique_message(unique, 100_000))
        traffic.sent.add(unique)
        traffic.kept.add(unique)
    before = tree(folder)
    with open(os.path.join(folder, "manifest"), "rb") as file:
        manifest = file.read()
    sign = os.path.join(server.folder, "disk-is-full")
    with open(sign, "w", encoding="ascii") as file:
        file.write("full")
    environment = {**os.environ, **preload.environment(preload.build(), folder, full=sign)}
    output = command([binary(), "backup", folder, "--data", server.data], expect=1, env=environment).decode()
    check("No space left" in output, f"on a full disk: {output[-500:]}")
    with open(os.path.join(folder, "manifest"), "rb") as file:
        equal(file.read(), manifest, "the manifest after a full disk")
    after = tree(folder)
    for path, octets in before.items():
        equal(after.get(path), octets, f"length of {path} after a full disk")
    restored(folder, server, traffic, then)
    os.unlink(sign)
    then = traffic.ledger()
    backup(server, folder)
    restored(folder, server, traffic, then)


def report(output):
    """The line of `fsck --json`; there are others about progress where it takes long."""
    lines = [line for line in output.splitlines() if line.startswith(b"{")]
    equal(len(lines), 1, f"reports in {output!r}")
    return json.loads(lines[0])


def covered(store):
    """The journal files that the newest snapshot stands for."""
    journal, snapshot = os.path.join(store, "journal"), os.path.join(store, "snapshot")
    files = sorted(name for name in os.listdir(journal) if name.endswith(".log"))
    lsn = max((int(name[:-5]) for name in os.listdir(snapshot) if name.endswith(".snap")), default=0)
    return [os.path.join(journal, name) for name, after in zip(files, files[1:]) if int(after[:-4]) <= lsn + 1]


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        octet = file.read(1)
        file.seek(at)
        file.write(bytes([octet[0] ^ 1]))


def rot(server, traffic, folder):
    """One octet of a message that lies below the snapshot: what was copied before stays good, and a new backup tells it."""
    then = traffic.ledger()
    server.stop()
    backup(server, folder)
    # Of the newest such file, since upkeep may have moved bodies out of older ones.
    for path in reversed(covered(os.path.join(server.data, "store"))):
        with open(path, "rb") as file:
            at = file.read().find(b"X-Unique: stays-") + 40
        if at >= 40:
            break
    flip(path, at)
    equal(backup(server, folder)["damaged"], [], "damage told of what was copied before")
    new, data = os.path.join(server.folder, "rotten"), os.path.join(server.folder, "rotten-restored")
    told = report(command([binary(), "backup", new, "--data", server.data, "--json"], expect=1))
    check(len(told["damaged"]) == 1 and f"{os.path.basename(path)}:" in told["damaged"][0], f"a new backup tells: {told}")
    again = report(command([binary(), "restore", new, "--data", data, "--json"], expect=1))
    equal(again["damaged"], told["damaged"], "what restoring tells")
    shutil.rmtree(data)
    flip(path, at)
    command([binary(), "backup", new, "--data", server.data, "--verify"])
    server.relaunch()
    restored(folder, server, traffic, then)
    restored(new, server, traffic, then)
    shutil.rmtree(new)
    say("an octet that changed in the store was told by a new backup, and kept out of the old one")


def owned(server):
    """Root keeps its hands off what a server of another user must be able to read."""
    if os.geteuid() != 0:
        return
    store = os.path.join(server.data, "store")
    os.chown(store, 65534, 65534)
    before = tree(server.data)
    for more in ([], ["--rebuild-index"]):
        refused(["fsck", "--data", server.data, *more], "runuser -u nobody -- ", 2)
    equal(tree(server.data), before, "the files after fsck was refused")
    os.chown(store, 0, 0)


def rebuilt(server):
    """fsck tells a damaged body and ends with 1; it makes the index anew when asked."""
    server.stop()
    owned(server)
    bodies = os.path.join(server.data, "store", "bodies")
    victim = os.path.join(bodies, sorted(os.listdir(bodies))[0])
    with open(victim, "r+b") as file:
        octet = file.read(1)
        file.seek(0)
        file.write(bytes([octet[0] ^ 1]))
    output = command([binary(), "fsck", "--config", server.config, "--json"], expect=1)
    told = report(output)
    check(not told["ok"] and any("CRC" in problem for problem in told["problems"]), f"fsck on a damaged body: {told}")
    with open(victim, "r+b") as file:
        file.write(octet)
    refused(["fsck", "--data", server.folder], "holds no store", 2)
    output = command([binary(), "fsck", "--data", server.data, "--rebuild-index", "--json"])
    check(report(output)["ok"], f"fsck --rebuild-index: {output[-500:]}")
    server.start()


def run():
    chosen = options(("--rounds", 6, "backups under traffic"))
    with Server(log_level="warn") as server:
        server.restart_as_serve(limits=BUSY)
        traffic = Traffic(server)
        folder = busy(server, traffic, chosen.rounds)
        incremental(server, traffic, folder)
        full_disk(server, traffic, folder)
        power_loss(server, traffic, folder)
        mistakes(server, folder)
        rot(server, traffic, folder)
        compacted(server, traffic, folder)
        rebuilt(server)


if __name__ == "__main__":
    scenario.main(run, 280)
