#!/usr/bin/env python3
"""One damaged body, or a damaged index, harms nothing but itself.

With one stored body missing, one with other octets than were written, and one small one changed in the journal: FETCH tells all other
messages, SEARCH and SORT find them, a message that is damaged is never sent to its end, `fsck` goes on, and `backup` and `restore`
bring the rest and say what is lacking. A damaged index is made anew, and `fsck` says so without a panic. A backup goes neither into
the data nor round it.
"""

import json
import os
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import scenario
import smtp
from imap import Imap
from scenario import check, command, equal, options, say
from server import Server, binary

LARGE = 1_500_000
COUNT = 8
MISSING, WRONG, CHANGED = 3, 5, 6  # UIDs; the first two are large


def message(uid):
    return corpus.unique_message(f"number-{uid}", LARGE + uid if uid in (MISSING, WRONG, 8) else 2000)


def flip(path, at, octets=1):
    with open(path, "r+b") as file:
        file.seek(at)
        old = file.read(octets)
        file.seek(at)
        file.write(bytes(octet ^ 0x55 for octet in old))


def own_bodies(store):
    """The files of large bodies, in the order in which these came."""
    folder = os.path.join(store, "bodies")
    return sorted((os.path.join(folder, name) for name in os.listdir(folder)), key=lambda path: os.stat(path).st_mtime_ns)


def fsck(data, code):
    output = command([binary(), "fsck", "--data", data, "--json"], expect=code).decode()
    check("panicked" not in output, f"fsck: {output}")
    return json.loads([line for line in output.splitlines() if line.startswith("{")][-1])


def index(server):
    """Damage to the index, wherever it is, is repaired or told, and costs no mail."""
    server.stop()
    path, told = os.path.join(server.data, "store", "index", "db"), 0
    octets = os.stat(path).st_size
    for part in range(8):
        flip(path, min(octets // 8 * part, octets - 400), 400)
        report = fsck(server.data, 0)
        equal(report["problems"], [], "problems after the index was damaged")
        told += any("index" in note and "made anew" in note for note in report["notes"])
    check(told > 0, "fsck never said that the index was made anew")
    server.start()
    say(f"the index was damaged 8 times, and made anew {told} times")


def change_small(server):
    """Changes one octet of a small body in the journal; done again, it is as it was."""
    folder = os.path.join(server.data, "store", "journal")
    journal = os.path.join(folder, sorted(os.listdir(folder))[-1])
    with open(journal, "rb") as file:
        at = file.read().find(f"X-Unique: number-{CHANGED}".encode())
    flip(journal, at + 500)


def damage(server):
    missing, wrong, _ = own_bodies(os.path.join(server.data, "store"))
    os.unlink(missing)
    flip(wrong, LARGE // 2, 2)
    change_small(server)


def heard(session, text):
    """Untagged responses and the tagged one, whatever that is."""
    tag, untagged = session.start(text), []
    while not (response := session.response())[0].startswith(tag + b" "):
        untagged.append(response)
    return untagged, response[0].split()[1]


def imap(server, box):
    all_uids = set(range(1, COUNT + 1))
    with Imap(server, box.address, box.password) as session:
        session.select()
        untagged, ended = heard(session, "UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (X-Unique)])")
        told = b"".join(part for response in untagged for part in response)
        equal(ended, b"NO", "how a FETCH of headers ends")
        equal({uid for uid in all_uids if f"number-{uid}\r\n".encode() in told}, all_uids - {MISSING}, "headers that came")
        for search in ("UID SEARCH TEXT number", "UID SORT (SIZE) UTF-8 TEXT number"):
            untagged, _ = session.command(search)
            found = {int(word) for word in untagged[0][0].split()[2:]}
            check(all_uids - {MISSING, WRONG, CHANGED} <= found and CHANGED not in found, f"{search}: {found}")
        session.command("UID SORT (SIZE) UTF-8 BODY zzz")
        untagged, _ = session.command("UID FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)")
        equal(len(untagged), COUNT, "messages whose structure came")
    with Imap(server, box.address, box.password) as session:
        session.select()
        session.start(f"UID FETCH {WRONG} BODY.PEEK[]")
        try:
            got = session.response()
            check(False, f"a damaged message was sent whole: {len(got)} parts")
        except (ConnectionError, OSError):
            pass
    with Imap(server, box.address, box.password) as session:
        session.select()
        untagged, ended = heard(session, "UID FETCH 1:* BODY.PEEK[]")
        told = b"".join(part for response in untagged for part in response)
        equal(ended, b"NO", "how a FETCH of bodies ends")
        came = {uid for uid in all_uids if f"number-{uid}\r\n".encode() in told}
        equal(came, all_uids - {MISSING, WRONG, CHANGED}, "bodies that came")


def http(server, box):
    with urllib.request.urlopen(urllib.request.Request(
        f"{server.ready['api']}/v0/inboxes/{box.address}/messages?limit=50", headers={"Authorization": f"Bearer {server.ready['api_key']}"},
    )) as answer:
        equal(len(json.load(answer)["messages"]), COUNT, "messages in the list")


def run():
    options()
    with Server(log_level="error") as server:
        box = api.create_inbox(server, "scout")
        for uid in range(1, COUNT + 1):
            smtp.deliver(server, [box.address], message(uid))
        index(server)
        for words in (["backup", os.path.join(server.data, "sub"), "--data", server.data], ["backup", os.path.join(server.data, "store", "foo"), "--data", server.data],
                      ["backup", server.folder, "--data", server.data], ["restore", server.data, "--data", os.path.join(server.data, "x")]):
            output = command([binary(), *words], expect=1).decode()
            check("lies within" in output, f"{words}: {output}")
        check(not os.path.exists(os.path.join(server.data, "sub")), "a folder of a backup that was refused")
        damage(server)
        imap(server, box)
        http(server, box)
        folder = os.path.join(server.folder, "backup")
        # Of a journal that is damaged no backup is made: it could not be opened.
        change_small(server)
        output = command([binary(), "backup", folder, "--data", server.data, "--json"], expect=1).decode()
        told = json.loads([line for line in output.splitlines() if line.startswith("{")][-1])
        equal(len(told["damaged"]), 2, f"what the backup tells: {told}")
        server.stop()
        problems = fsck(server.data, 1)["problems"]
        equal(sum("its body is damaged" in problem for problem in problems), 2, f"messages that fsck names: {problems}")
        check(not any("not checked further" in problem for problem in problems), f"fsck gave up: {problems}")
        data = os.path.join(server.folder, "restored")
        output = command([binary(), "restore", folder, "--data", data, "--json"], expect=1).decode()
        told = json.loads([line for line in output.splitlines() if line.startswith("{")][-1])
        equal(len(told["damaged"]), 2, f"what restoring tells: {told}")
        with Server(data=data, log_level="error") as other, Imap(other, box.address, box.password) as session:
            session.select()
            uids = [uid for uid in range(1, COUNT + 1) if uid not in (MISSING, WRONG)]
            found = session.fetch(",".join(map(str, uids)), "BODY.PEEK[]")
            equal(sorted(found), uids, "messages of what was restored")
        say("a backup with two damaged bodies brought the rest")


if __name__ == "__main__":
    scenario.main(run, 120)
