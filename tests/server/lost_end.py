#!/usr/bin/env python3
"""A journal that has lost its end is never taken for whole.

After a clean stop the last octets of the journal are lost: the server does not start, `fsck` and `backup` end with 1, and all of them
say what is missing and change nothing. With the octets put back, all mail is there. Without them, `fsck --accept-loss` says what is
lost and lets the server go on; what is delivered from then on is found again, whatever happens to the index.
"""

import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import scenario
import smtp
from imap import Imap
from scenario import check, command, equal, options, say
from server import Server, binary

BEFORE, AFTER = 20, 30


def message(name):
    return corpus.unique_message(name, 1500)


def names(server, box):
    """What the messages of an inbox are called."""
    with Imap(server, box.address, box.password) as session:
        session.select()
        found = session.fetch("1:*", "BODY.PEEK[]")
    return {corpus.unique_of(content) for _, content in found.values()}


def fsck(data, *words, code):
    output = command([binary(), "fsck", "--data", data, "--json", *words], expect=code).decode()
    return json.loads([line for line in output.splitlines() if line.startswith("{")][-1])


def last_journal(server):
    folder = os.path.join(server.data, "store", "journal")
    return os.path.join(folder, sorted(os.listdir(folder))[-1])


def files(folder):
    """All files with what is in them, but for the lock."""
    found = {}
    for place, _, entries in os.walk(folder):
        for name in entries:
            if name != "lock":
                with open(os.path.join(place, name), "rb") as file:
                    found[os.path.join(place, name)] = file.read()
    return found


def refused(server):
    """Nobody takes it for whole, and nothing is changed."""
    store = os.path.join(server.data, "store")
    before = files(store)
    server.launch()
    equal(server.wait_exit(), 1, "how the server ends")
    told = server.process.stdout.read().decode() + server.log_tail()
    check("knows of lsn" in told and "--accept-loss" in told, f"what the server says: {told}")
    for words in ((), ("--rebuild-index",)):
        report = fsck(server.data, *words, code=1)
        check(any("knows of lsn" in problem for problem in report["problems"]), f"fsck {words}: {report}")
        check(not any("--rebuild-index" in note for note in report["notes"]), f"fsck {words}: {report}")
    folder = os.path.join(server.folder, "backup")
    output = command([binary(), "backup", folder, "--data", server.data], expect=1).decode()
    check("knows of lsn" in output, f"backup: {output}")
    check(not os.path.exists(os.path.join(folder, "manifest")), "a backup was made")
    check(files(store) == before, "something was changed")


def go_on(server, box, kept):
    report = fsck(server.data, "--accept-loss", code=0)
    check(report["ok"] and any("are lost" in note for note in report["notes"]), f"fsck --accept-loss: {report}")
    equal(fsck(server.data, code=0)["problems"], [], "problems afterwards")
    server.start()
    found = names(server, box)
    check(kept <= found, f"{kept - found} are gone too")
    new = {f"after-{n}" for n in range(AFTER)}
    for name in sorted(new):
        smtp.deliver(server, [box.address], message(name))
    server.kill()
    shutil.rmtree(os.path.join(server.data, "store", "index"))
    server.start()
    equal(names(server, box), found | new, "messages after the index was made anew")
    server.stop()
    equal(fsck(server.data, code=0)["problems"], [], "problems at the end")
    folder = os.path.join(server.folder, "backup")
    command([binary(), "backup", folder, "--data", server.data])
    command([binary(), "restore", folder, "--data", os.path.join(server.folder, "restored")])
    say(f"{BEFORE - len(found)} of {BEFORE} messages were lost with the journal's end, and none of the {AFTER} after it")


def run():
    options()
    with Server(log_level="error") as server:
        box = api.create_inbox(server, "scout")
        for n in range(BEFORE):
            smtp.deliver(server, [box.address], message(f"before-{n}"))
        server.stop()
        journal = last_journal(server)
        with open(journal, "rb") as file:
            whole = file.read()
        # Once with the end of whatever came last, once with most of the last message.
        at = whole.rfind(f"X-Unique: before-{BEFORE - 1}".encode())
        for octets in (len(whole) - 7, at):
            os.truncate(journal, octets)
            refused(server)
            with open(journal, "wb") as file:
                file.write(whole)
        server.start()
        equal(names(server, box), {f"before-{n}" for n in range(BEFORE)}, "messages once the end was put back")
        server.stop()
        os.truncate(journal, at)
        go_on(server, box, {f"before-{n}" for n in range(BEFORE - 1)})


if __name__ == "__main__":
    scenario.main(run, 120)
