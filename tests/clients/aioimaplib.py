#!/usr/bin/env python3
"""Python's aioimaplib: signs in, fetches, hears of mail by IDLE, moves, deletes."""

import asyncio
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [path for path in sys.path if os.path.abspath(path or ".") != HERE]  # this file is called as the package
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import packages

packages.use_python_packages()
import aioimaplib
import corpus
import scenario
import smtp
from fixture import filled_inbox, same_as_sent
from scenario import check, equal
from server import Server


async def ok(answer):
    answer = await answer
    equal(answer.result, "OK", f"answer {answer.lines}")
    return answer.lines


async def session(server, inbox, contents):
    client = aioimaplib.IMAP4_SSL("localhost", server.address("imaps")[1], ssl_context=server.tls(), timeout=20)
    await client.wait_hello_from_server()
    await ok(client.login(inbox.address, inbox.password))
    lines = await ok(client.select("INBOX"))
    check(b"%d EXISTS" % len(contents) in lines, f"SELECT says {lines}")
    found = await ok(client.uid_search("ALL"))
    uids = found[0].split()
    equal(len(uids), len(contents), "messages found")
    for uid, sent in zip(uids, contents):
        lines = await ok(client.uid("fetch", uid.decode(), "(BODY.PEEK[] FLAGS)"))
        same_as_sent(bytes(lines[1]), sent, f"UID {uid}")
    await ok(client.uid("store", uids[0].decode(), "+FLAGS", r"(\Flagged)"))
    await ok(client.uid("move", uids[1].decode(), "Archive"))
    await ok(client.uid("store", uids[2].decode(), "+FLAGS", r"(\Deleted)"))
    await ok(client.expunge())
    equal(len((await ok(client.uid_search("ALL")))[0].split()), len(contents) - 2, "messages left")
    idle = await client.idle_start(timeout=20)
    await asyncio.get_running_loop().run_in_executor(
        None, lambda: smtp.deliver(server, [inbox.address], corpus.octets(corpus.plain(inbox.address, "While idling"))))
    heard = []
    while not any(b"EXISTS" in line for line in heard):
        heard += await asyncio.wait_for(client.wait_server_push(), 10)
    client.idle_done()
    await asyncio.wait_for(idle, 10)
    await ok(client.append(b"Subject: appended\r\n\r\nHello\r\n", mailbox="Drafts"))
    await client.logout()


def run():
    with Server() as server:
        inbox, contents = filled_inbox(server, "aio")
        asyncio.run(session(server, inbox, contents))


if __name__ == "__main__":
    scenario.main(run, 60)
