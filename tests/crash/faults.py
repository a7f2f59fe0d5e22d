#!/usr/bin/env python3
"""A full disk and a disk that fails, by the shim: right replies, nothing half stored, recovery or a stop.

Below the reserve of free space mail is refused first. ENOSPC on the journal: SMTP says 452 4.3.1, IMAP NO [UNAVAILABLE], HTTP 507; reading goes on; when there is room again
the same process takes mail again. EIO from fdatasync: no 250, the process ends with a code that is not 0, and the next
start has everything that was promised.
"""

import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import preload
import scenario
import smtp
from fixture import stored_contents
from imap import Imap
from scenario import check, command, equal, options, say, temp_folder
from server import Server


class Fixture:
    """A server with one inbox, and what was promised to it."""

    def __init__(self, server, env=None):
        self.server = server
        self.full, self.eio = (os.path.join(server.folder, name) for name in ("full", "eio"))
        server.start(env=env)
        self.inbox = api.create_inbox(server, "disk")
        self.kept, self.number = [], 0

    @classmethod
    def faulty(cls, library, match):
        """Under the shim, whose faults concern files with `match` in their paths."""
        server = Server()
        os.makedirs(server.data)
        full, eio = (os.path.join(server.folder, name) for name in ("full", "eio"))
        return cls(server, preload.environment(library, server.data, full=full, eio=eio, match=match))

    def deliver(self, size=3000):
        """The reply's code to one more message; with 250 it must be there from now on."""
        self.number += 1
        unique = f"disk-{self.number}"
        with smtp.Smtp(self.server.address("smtp_in")) as client:
            client.hello()
            for line in ("MAIL FROM:<s@client.example.net>", f"RCPT TO:<{self.inbox.address}>"):
                reply = client.command(line)
                if reply.code != 250:
                    return reply
            client.command("DATA", 354)
            client.send(smtp.stuffed(corpus.unique_message(unique, size)) + b".\r\n")
            reply = client.reply()
        if reply.code == 250:
            self.kept.append(unique)
        return reply

    def compare(self, maybe=()):
        """What is stored is what got 250, in order; `maybe` may follow."""
        found = [corpus.unique_of(content) for content in stored_contents(self.server, self.inbox)]
        check(found in (self.kept, self.kept + list(maybe)), f"stored are {found}, promised were {self.kept}, perhaps {maybe}")

    def finish(self):
        self.server.stop()
        self.server.fsck()
        self.server.start()
        self.compare()
        self.server.stop()


def disk_full(library):
    fixture = Fixture.faulty(library, "/journal/")
    with fixture.server as server:
        for _ in range(5):
            equal(fixture.deliver().code, 250, "reply with room on the disk")
        for room in (0, 10, 2000, random.randrange(12000), 30000):
            with open(fixture.full, "w") as file:
                file.write(str(room))
            replies = [fixture.deliver(random.choice((300, 3000, 40000))) for _ in range(30)]
            refused = [reply for reply in replies if reply.code != 250]
            check(refused and all(reply.code == 452 and "4.3.1" in reply.text for reply in refused), f"replies with {room} octets left: {refused[:3]}")
            equal(fixture.deliver(3_000_000).code, 452, "reply to a large message")
            with Imap(server, fixture.inbox.address, fixture.inbox.password) as session:
                session.select()
                for command in (b"APPEND INBOX {5000+}\r\n" + b"x" * 5000, "STORE 1 +FLAGS (\\Flagged)", "COPY 1:3 Archive", "CREATE More"):
                    refusal = session.refused(command)
                    check(refusal.startswith("NO [UNAVAILABLE]"), f"{command[:20]!r} on a full disk: {refusal}")
                check("\\flagged" not in session.fetch("1:1", "BODY.PEEK[HEADER]")[1][0], "a refused STORE took effect")
            status, _ = api.request(server, "POST", "/v1/inboxes", {"username": f"full{room}"}, server.ready["tenant_key"])
            equal(status, 507, "HTTP status on a full disk")
            os.unlink(fixture.full)
            equal(fixture.deliver().code, 250, "reply when there is room again")
            equal(fixture.deliver(3_000_000).code, 250, "reply to a large message when there is room again")
            fixture.compare()
            equal(api.request(server, "POST", "/v1/inboxes", {"username": f"full{room}"}, server.ready["tenant_key"])[0], 201, "a create")
        fixture.finish()
    say("disk full: 5 times, recovered")


def no_room_for_bodies(library):
    """Large bodies have files of their own: those are refused, and small mail goes on."""
    fixture = Fixture.faulty(library, "/bodies/")
    with fixture.server:
        equal(fixture.deliver(3_000_000).code, 250, "reply to a large message")
        with open(fixture.full, "w") as file:
            file.write("100000")
        for _ in range(3):
            reply = fixture.deliver(3_000_000)
            check(reply.code == 452 and "4.3.1" in reply.text, f"reply to a large message without room: {reply}")
            equal(fixture.deliver().code, 250, "reply to a small message")
        os.unlink(fixture.full)
        equal(fixture.deliver(3_000_000).code, 250, "reply to a large message when there is room again")
        fixture.compare()
        fixture.finish()
    say("no room for bodies: refused, recovered")


def little_left():
    """A real small disk (tmpfs in a mount namespace of its own): below the reserve mail is refused before writes fail."""
    unshare = ["unshare", "--mount", sys.executable, "-B", os.path.abspath(__file__), "--small-disk"]
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        say("a disk with little room: not tried, mounting needs root")
        return
    say(command(unshare, 120).decode().splitlines()[-2])


def small_disk():
    disk = temp_folder("disk")
    command(["mount", "-t", "tmpfs", "-o", "size=700m", "tmpfs", disk])
    fixture = Fixture(Server(data=os.path.join(disk, "data")))
    with fixture.server as server:
        equal(fixture.deliver().code, 250, "reply with room on the disk")
        for ballast in (400, 650):
            with open(os.path.join(disk, "ballast"), "wb") as file:
                os.posix_fallocate(file.fileno(), 0, ballast << 20)
            time.sleep(2)
            reply = fixture.deliver()
            check(reply.code == 452 and "4.3.1" in reply.text, f"reply with {700 - ballast} MiB left: {reply}")
            equal(len(stored_contents(server, fixture.inbox)), len(fixture.kept), "messages that can be read")
            os.unlink(os.path.join(disk, "ballast"))
            time.sleep(2)
            equal(fixture.deliver().code, 250, "reply when there is room again")
        fixture.compare()
        fixture.finish()
    command(["umount", disk])
    say("a disk with little room: refused, recovered")


def disk_fails(library):
    fixture = Fixture.faulty(library, "/journal/")
    with fixture.server as server:
        for _ in range(5):
            equal(fixture.deliver().code, 250, "reply before the fault")
        open(fixture.eio, "w").close()
        try:
            reply = fixture.deliver()
            check(400 <= reply.code < 500, f"reply although fdatasync failed: {reply}")
        except OSError:
            pass  # the server is gone already
        code = server.wait_exit(20)
        check(code != 0, "the server ended with 0 after a failed fdatasync")
        os.unlink(fixture.eio)
        server.fsck()
        server.start(env={"POSTROOM_BOOT_ID": "after-the-fault"})
        doubtful = f"disk-{fixture.number}"
        fixture.compare([doubtful])
        if len(stored_contents(server, fixture.inbox)) > len(fixture.kept):
            fixture.kept.append(doubtful)
        equal(fixture.deliver().code, 250, "reply after the restart")
        fixture.finish()
    say("failing disk: stopped, restarted, nothing lost")


def run():
    chosen = options(("--small-disk", False, "only the part that mounts a small disk; in a mount namespace of its own"))
    if chosen.small_disk:
        small_disk()
        return
    library = preload.build()
    little_left()
    disk_full(library)
    no_room_for_bodies(library)
    disk_fails(library)


if __name__ == "__main__":
    scenario.main(run, 300)
