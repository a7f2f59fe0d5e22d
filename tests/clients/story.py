#!/usr/bin/env python3
"""The whole story: an inbox over HTTP, mail with attachments from outside, read byte-exact, flagged, moved, expunged.

A second client sees each step, a second tenant that asks for the same name gets `name1`, an idling client hears of
new mail, and after a restart on the same folder everything is as it was.
"""

import imaplib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import scenario
from fixture import same_as_sent, stored_contents
from imap import Imap
from scenario import check, command, equal
from server import Server


def provision(server):
    """Inboxes by name, with the outcomes of `api/` for first, repeated, second-tenant and strict asks."""
    tenant = server.ready["tenant_key"]
    scout = api.create_inbox(server, "scout")
    equal(scout.address, "scout@example.test", "address")
    status, again = api.request(server, "POST", "/v1/inboxes", {"username": "Scout"}, tenant)
    equal((status, again["id"], again["existed"], "imapPassword" in again), (200, scout.id, True, False), "a repeated create")

    other = api.create_tenant(server, "Other Agents")
    second = api.create_inbox(server, "scout", other)
    equal(second.address, "scout1@example.test", "address for the second tenant")
    status, again = api.request(server, "POST", "/v1/inboxes", {"username": "scout"}, other)
    equal((status, again["id"]), (200, second.id), "the second tenant's repeat")
    status, refused = api.request(server, "POST", "/v1/inboxes?strict=true", {"username": "scout"}, other)
    equal((status, refused["code"], refused["requestedUsername"]), (409, "USERNAME_TAKEN", "scout"), "a strict ask")
    equal(api.request(server, "GET", f"/v1/inboxes/{scout.id}", key=other)[0], 404, "another tenant's inbox")
    equal(api.request(server, "GET", f"/v1/inboxes/{scout.id}")[0], 401, "no key")
    equal(api.request(server, "POST", "/v1/inboxes", {"username": "postmaster"}, tenant)[1]["code"], "USERNAME_RESERVED", "a reserved name")
    return scout, second


def send(server, inbox, content, name):
    path = os.path.join(server.folder, name)
    with open(path, "wb") as file:
        file.write(content.removesuffix(b"\r\n"))  # swaks adds it
    host, port = server.address("smtp_in")
    command(["swaks", "--server", host, "--port", str(port), "--tls", "--ehlo", "client.example.net", "--from",
             "zoe@client.example.net", "--to", inbox.address, "--data", "@" + path, "--timeout", "20"])


def idle_hears(server, inbox, content):
    with Imap(server, inbox.address, inbox.password) as session:
        exists = session.select()["exists"]
        tag = session.start("IDLE")
        check(session.response()[0].startswith(b"+"), "no continuation for IDLE")
        send(server, inbox, content, "idle.eml")
        while (line := session.response()[0]) != b"* %d EXISTS" % (exists + 1):
            check(line.startswith(b"*"), f"while idling: {line!r}")
        session.send(b"DONE\r\n")
        session.finish(tag)


def handle(server, scout, sent):
    """Read, flag, move and expunge with imaplib while a second client looks on."""
    first = imaplib.IMAP4_SSL("localhost", server.address("imaps")[1], ssl_context=server.tls(), timeout=30)
    first.login(scout.address, scout.password)
    equal(first.select("INBOX")[1], [b"2"], "EXISTS")
    same_as_sent(first.fetch("1", "(BODY.PEEK[])")[1][0][1], sent, "the message with attachments")
    with Imap(server, scout.address, scout.password) as second:
        second.select()
        check("\\seen" not in second.fetch("1", "BODY.PEEK[HEADER]")[1][0], "PEEK set \\Seen")
        equal(first.uid("STORE", "1", "+FLAGS", r"(\Flagged \Seen)")[0], "OK", "STORE")
        told = b"\n".join(response[0] for response in second.command("NOOP")[0])
        check(re.search(rb"\* 1 FETCH .*\\Flagged", told), f"the second client was not told of the flags: {told!r}")
        equal(first.uid("MOVE", "1", "Archive")[0], "OK", "MOVE")
        told = [response[0] for response in second.command("NOOP")[0]]
        check(b"* 1 EXPUNGE" in told, f"the second client was not told of the move: {told}")
        second.select("Archive")
        moved = second.fetch("1:*", "BODY.PEEK[]")
        equal(len(moved), 1, "messages in Archive")
        flags, content = next(iter(moved.values()))
        check({"\\flagged", "\\seen"} <= flags, f"flags after MOVE: {flags}")
        same_as_sent(content, sent, "the moved message")
        second.command("STORE 1 +FLAGS (\\Deleted)")
        equal([response[0] for response in second.command("EXPUNGE")[0]], [b"* 1 EXPUNGE", b"* 0 RECENT"], "EXPUNGE")
        equal(second.select("Archive")["exists"], 0, "messages after EXPUNGE")
    first.logout()


def over_http(server, scout):
    status, page = api.request(server, "GET", f"/v1/inboxes/{scout.id}/messages", key=scout.api_key)
    equal((status, page["pagination"]["total"]), (200, 2), "messages over HTTP")
    newest, oldest = page["messages"]
    equal((newest["subject"], newest["direction"]), ("Second", "inbound"), "the newest message over HTTP")
    _, files = corpus.with_attachments(scout.address)
    listed = {entry["filename"]: entry["sizeBytes"] for entry in oldest["attachments"] if entry["filename"] in files}
    equal(listed, {name: len(content) for name, content in files.items()}, "attachments over HTTP")


def run():
    with Server() as server:
        for probe in ("/healthz", "/readyz"):
            equal(api.request(server, "GET", probe)[0], 200, probe)
        scout, second = provision(server)
        sent = corpus.octets(corpus.with_attachments(scout.address)[0])
        send(server, scout, sent, "attachments.eml")
        idle_hears(server, scout, corpus.octets(corpus.plain(scout.address, "Second")))
        over_http(server, scout)
        handle(server, scout, sent)
        equal(len(stored_contents(server, second)), 0, "messages of the second tenant")
        ready = server.ready
        server.stop()
        server.start()
        equal(server.ready, ready, "the ready line after a restart")
        left = stored_contents(server, scout)
        check(len(left) == 1 and b"Subject: Second" in left[0], f"{len(left)} messages after the restart")
        equal(api.request(server, "DELETE", f"/v1/inboxes/{scout.id}", key=server.ready["tenant_key"])[0], 200, "DELETE")
        equal(api.request(server, "GET", "/v1/me", key=scout.api_key)[0], 401, "the deleted inbox's key")
        server.stop()
        server.fsck()


if __name__ == "__main__":
    scenario.main(run, 120)
