#!/usr/bin/env python3
"""Data folders written by earlier versions open in this one, and hold what they held: every octet, flag, UID, password and key.

For each `tests/fixtures/store-*.tar.gz`, once with the index it was left with and once from the journal alone: everything that the old
version showed over IMAP and the APIs is shown by this one, also after all of it was written anew; fsck finds nothing; a backup of it
restores; new mail is taken, agents and organizations go on where they were, and all is there after a restart. A folder of a later
version is refused in so many words.
"""

import glob
import json
import os
import shutil
import struct
import sys
import tarfile
import zlib
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import clock
import corpus
import formats_agents
import scenario
import smtp
import stored
import submit
from imap import Imap, Refused
from scenario import check, command, equal, say, temp_folder, wait_until
from server import Server, binary

# Fields that tell what happened to a key or a thing since, or where the server is.
CHANGES = ("used_at", "last_used_at", "updated_at", "imap", "smtp")
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")


def unpack(archive):
    folder = temp_folder("formats")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return os.path.join(folder, "data")


def people(then):
    """Whose mail can be read at once: what is deleted is looked at when it is restored."""
    return {name: SimpleNamespace(**{field: one[field] for field in ("id", "address", "password", "api_key")})
            for name, one in then["inboxes"].items() if name != "restorable"}


def clock_of(then):
    """The server is shown the time at which the folder was made, as far as that is known: some of what is in it is not kept for ever."""
    return clock.environment(then["made_at"]) if "made_at" in then else {}


def holds(server, then):
    """Everything that was there is there. What waited in the queue is delivered now, so its sender's and its receiver's inbox may grow."""
    for name, key in then["keys"].items():
        where = "/v1/tenants" if name == "operator_key" else "/v1/inboxes"
        if name != "api_key":
            equal(api.request(server, "GET", where, key=key)[0], 200, f"status with the {name}")
        equal(server.ready.get(name, key), key, f"{name} in the ready line")
    for name, who in people(then).items():
        may_grow = bool(then["queue"]) and name in ("first", "sender", "far")
        stored.compare(stored.inbox(server, who), then["inboxes"][name], name, may_grow)


def answers_the_same(server, then):
    """What only one dialect shows: later versions may add fields, and a key tells when it was used."""
    others = then.get("others", {"keys": {}, "told": []})
    keys = {**then["keys"], **others["keys"]}
    for key, path, status, told in others["told"]:
        found, now = api.request(server, "GET", path, key=keys[key])
        equal(found, status, f"status of {path} with {key} ({now})")
        still_says(now, told, path)
    for path, told in then.get("agentmail", {}).items():
        status, now = api.request(server, "GET", path, key=then["keys"]["api_key"])
        equal(status, 200, f"status of {path}")
        still_says(now, told, path)


def still_says(now, told, where):
    if isinstance(told, dict):
        check(isinstance(now, dict), f"{where}: {now}")
        for name, value in told.items():
            if name == "plainBody":  # its line ends are those of the sender since format 5
                still_says(lines(now.get(name)), lines(value), f"{where} {name}")
            elif name not in CHANGES:
                still_says(now.get(name), value, f"{where} {name}")
    elif isinstance(told, list):
        equal(len(now), len(told), f"{where}: how many")
        for number, (one, before) in enumerate(zip(now, told)):
            still_says(one, before, f"{where} {number}")
    else:
        equal(now, told, where)


def lines(text):
    return text.splitlines() if text else text


def deleted_stays_deleted(server, gone):
    try:
        Imap(server, gone["address"], gone["password"])
    except Refused:
        pass
    else:
        raise scenario.Failure("an inbox that was deleted opens")
    equal(api.request(server, "GET", "/v1/me", key=gone["api_key"])[0], 401, "status with the key of a deleted inbox")
    with smtp.Smtp(server.address("smtp_in")) as client:
        client.hello()
        client.command("MAIL FROM:<s@client.example.net>", 250)
        client.command(f"RCPT TO:<{gone['address']}>", 550)


def queue_goes_on(server, then):
    """What waited comes to an end, what was on hold stays on hold, what was taken back stays so."""
    sender = people(then)["sender"]
    for subject, legal in (("waits", {"delivered", "expired"}), ("on hold", {"on-hold", "expired"}), ("taken back", {"cancelled"}),
                           ("caught", {"delivered"}), ("to a neighbour", {"delivered"})):
        told = then["queue"].get(subject)
        if told is None:
            continue

        def ended():
            status, trace = api.request(server, "GET", f"/postroom/v1/inboxes/{sender.id}/messages/{told['message']}/trace", key=sender.api_key)
            equal(status, 200, f"trace of {subject!r}")
            states = {one["state"].replace("_", "-") for one in trace["recipients"]}  # forgotten after a while
            return states <= legal

        wait_until(ended, f"{subject!r} to be {' or '.join(legal)}", 30, 0.2)


def written_anew(server, then):
    """Every row that changes with a message is written by this version, and those of a copy of it: nothing that can be seen is another."""
    for who in people(then).values():
        with Imap(server, who.address, who.password) as session:
            session.command('CREATE "Everything"')
            for name in stored.listed(session, "LIST"):
                if name != "Everything" and session.select(name)["exists"]:
                    session.command("STORE 1:* +FLAGS.SILENT (Passing)")
                    session.command("STORE 1:* -FLAGS.SILENT (Passing)")
                    session.command('COPY 1:* "Everything"')
                    there = stored.mailbox(session, name)["messages"]
                    copied = stored.mailbox(session, "Everything")["messages"]
                    equal(seen_of(copied), seen_of(there), f"copies of {name} of {who.address}")
                    session.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")
                    session.command("EXPUNGE")
            session.command('DELETE "Everything"')
    holds(server, then)


def seen_of(messages):
    """What is the same of a message and its copy, in order."""
    return [(one["flags"], one["date"], one["octets"], one["sha256"]) for one in messages.values()]


def goes_on(server, then):
    """New mail, a restart, and the old and the new are there."""
    who = people(then)["scout"]
    smtp.deliver(server, [who.address], corpus.unique_message("new"))
    smtp.deliver(server, [then["alias"]], corpus.unique_message("to-the-alias"))
    with Imap(server, who.address, who.password) as session:
        uidnext = then["inboxes"]["scout"]["mailboxes"]["INBOX"]["uidnext"]
        session.select()
        equal(corpus.unique_of(session.body(uidnext)), "new", "the new message's place")
        session.command(f"UID STORE {uidnext} +FLAGS (\\Flagged)")
        uid = session.uids()[0]
        session.command(f'UID STORE {uid} +FLAGS ($New)')
        session.command(f'UID COPY {uid} "Copies"')
        session.command(f"UID STORE {uid} -FLAGS ($New)")
    before = {name: stored.inbox(server, one) for name, one in people(then).items() if name in ("scout", "plain")}
    server.stop()
    server.fsck()
    server.start()
    for name, told in before.items():
        stored.compare(stored.inbox(server, people(then)[name]), told, f"{name} after a restart")


def one(archive, with_index):
    with open(archive.removesuffix(".tar.gz") + ".json", encoding="utf-8") as file:
        then = json.load(file)
    data = unpack(archive)
    if not with_index:
        shutil.rmtree(os.path.join(data, "store", "index"))
        os.unlink(os.path.join(data, "store", "clean"))
    with Server(data=data, domain=then["domain"], env=clock_of(then)) as server:
        holds(server, then)
        answers_the_same(server, then)
        deleted_stays_deleted(server, then["deleted"])
        queue_goes_on(server, then)
        backed_up(server, then)
        written_anew(server, then)
        if "others" in then:
            formats_agents.go_on(server, then)
        goes_on(server, then)
        server.stop()
        server.fsck()


def backed_up(server, then):
    """A backup of it, made while the server runs, restores to the same."""
    backup, data = os.path.join(server.folder, "backup"), os.path.join(server.folder, "restored")
    command([binary(), "backup", backup, "--data", server.data])
    command([binary(), "restore", backup, "--data", data])
    with Server(data=data, domain=then["domain"], env=clock_of(then)) as other:
        holds(other, then)
        answers_the_same(other, then)
        other.stop()
        other.fsck()


def later_versions():
    """A file that says it is of a later format is refused, with the words to understand it, and is left as it was."""
    archive = sorted(glob.glob(os.path.join(FIXTURES, "store-*.tar.gz")))[0]
    for what, change in (("journal", later_journal), ("store.id", later_identity), ("rows", later_rows)):
        data = unpack(archive)
        change(data)
        before = tree(data)
        server = Server(data=data)
        for words in (["fsck", "--data", data], ["dev", "--json", "--data", data, "--base-port", str(server.base)]):
            output = command([binary(), *words], expect=2 if words[0] == "fsck" else 1).decode()
            check("later version" in output, f"{words[0]} on a later {what}: {output[-1000:]}")
        if what != "rows":
            equal(tree(data), before, f"the folder after it was refused ({what})")


def tree(data):
    """All files of the store but the lock."""
    found = {}
    for folder, _, names in os.walk(os.path.join(data, "store")):
        for name in names:
            if name != "lock":
                with open(os.path.join(folder, name), "rb") as file:
                    found[os.path.join(folder, name)] = stored.sha256(file.read())
    return found


def later_journal(data):
    path = os.path.join(data, "store", "journal", "%020d.log" % 1)
    with open(path, "r+b") as file:
        header = bytearray(file.read(40))
        header[8:12] = struct.pack(">I", 99)
        header[36:40] = struct.pack(">I", zlib.crc32(header[:36]))
        file.seek(0)
        file.write(header)


def later_identity(data):
    path = os.path.join(data, "store", "store.id")
    with open(path, encoding="ascii") as file:
        text = file.read()
    with open(path, "w", encoding="ascii") as file:
        file.write(text.replace("postroom store 1", "postroom store 99"))


def later_rows(data):
    """What the binary says of its rows lies beside the store."""
    with open(os.path.join(data, "format"), "w", encoding="ascii") as file:
        file.write("postroom data 99\n")


def run():
    archives = sorted(glob.glob(os.path.join(FIXTURES, "store-*.tar.gz")))
    check(archives, "no fixtures")
    for archive in archives:
        for with_index in (True, False):
            one(archive, with_index)
            say(f"{os.path.basename(archive)}, {'its index' if with_index else 'journal alone'}: all there")
    later_versions()


if __name__ == "__main__":
    scenario.main(run, 300)
