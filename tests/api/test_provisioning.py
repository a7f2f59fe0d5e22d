#!/usr/bin/env python3
"""The contract of `/v1` against a running server: names, secrets, scopes, addresses, rotation, deletion, reading mail.

Runs against the server whose ready line is in $POSTROOM_READY_JSON, or starts `postroom dev` itself. Every name is
made up anew, so it can be run again on the same server.
"""

import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import scenario
from imap import Closed, Imap, Refused
from scenario import check, equal, threads, wait_until
from server import Server
from smtp import Smtp

RUN = f"t{random.SystemRandom().getrandbits(32):08x}"


class Given(Server):
    """A server that somebody else runs."""

    def __init__(self, ready):
        self.ready = ready


class Tenant:
    def __init__(self, server, name, **more):
        self.server = server
        status, made = api.request(server, "POST", "/v1/tenants", {"name": name, **more}, server.ready["operator_key"])
        equal(status, 201, f"status of making tenant {name} ({made})")
        check(made["apiKey"].startswith("tk_"), "a tenant's key")
        self.id, self.key, self.workspace = made["id"], made["apiKey"], made["defaultWorkspaceId"]

    def call(self, method, path, body=None, key=None):
        return api.request(self.server, method, path, body, key or self.key)

    def create(self, body, query="", key=None):
        return self.call("POST", "/v1/inboxes" + query, body, key)


def refused(answer, status, code, what):
    got, body = answer
    equal((got, body and body.get("code")), (status, code), what)
    check(body["error"], f"{what}: an error without text")


def creating(server):
    """The table of outcomes."""
    domain = server.ready["domain"]
    a, b = Tenant(server, f"{RUN} A"), Tenant(server, f"{RUN} B", maxInboxes=3)
    name = f"{RUN}-scout"
    status, made = a.create({"username": name.upper(), "displayName": "Größe"})
    login = f"{name}@{domain}"
    equal(status, 201, "a free name")
    equal((made["email"], made["canonicalEmail"], made["username"], made["domain"]), (login, login, name, domain), "names")
    equal((made["addresses"], made["displayName"]), ([{"address": login, "isPrimary": True}], "Größe"), "addresses")
    equal((made["workspaceId"], made.get("existed", False)), (a.workspace, False), "workspace")
    password = made["imapPassword"]
    check(len(password) >= 22 and password.isalnum() and password.isascii(), "the password's letters")
    for kind, secure in (("imap", "tls"), ("smtp", "starttls")):
        service = made[kind]
        equal((service["username"], service["password"], service[secure]), (login, password, True), kind)
    equal((made["imap"]["host"], made["imap"]["port"]), server.address("imaps"), "where to dial IMAP")

    for query in ("", "?strict=true"):
        status, again = a.create({"username": name, "displayName": "ignored"}, query)
        equal((status, again["id"], again["existed"], again["displayName"]), (200, made["id"], True, "Größe"), "a repeat")
        check("password" not in json.dumps(again).lower() and "apiKey" not in again, "a repeat tells secrets")

    answer = b.create({"username": name}, "?strict=true")
    refused(answer, 409, "USERNAME_TAKEN", "strict")
    equal([answer[1][field] for field in ("requestedUsername", "attemptedUsername", "domain")], [name, name, domain], "strict")
    status, second = b.create({"username": name})
    equal((status, second["username"]), (201, name + "1"), "the fallback")
    for asked in (name, name + "1"):
        status, again = b.create({"username": asked})
        equal((status, again["id"]), (200, second["id"]), f"asking for {asked} again")
    status, third = a.create({"username": name + "1"})
    equal((status, third["username"]), (201, name + "11"), "digits are appended")
    long = (RUN + "x" * 64)[:64]
    equal([a.create({"username": long})[1]["username"], b.create({"username": long})[1]["username"]], [long, long[:63] + "1"], "64 letters")

    # Without a name: the tenant's.
    derived = f"{RUN}-b"
    equal(b.create({})[1]["username"], derived, "the tenant's name")
    refused(b.create({}), 403, "PLAN_LIMIT_REACHED", "a full plan")
    equal(b.create({"username": name})[0], 200, "a repeat on a full plan")

    for body, code in [
        ({"username": ""}, "VALIDATION_ERROR"), ({"username": "a+b"}, "VALIDATION_ERROR"), ({"username": "a..b"}, "VALIDATION_ERROR"),
        ({"username": "-a"}, "VALIDATION_ERROR"), ({"username": "x" * 65}, "VALIDATION_ERROR"), ({"username": 1}, "VALIDATION_ERROR"),
        ({"username": "Abuse"}, "USERNAME_RESERVED"), ({"username": "mailer-daemon"}, "USERNAME_RESERVED"),
        ({"domain": "example.com"}, "DOMAIN_NOT_AVAILABLE"), ({"displayName": "a\nb"}, "VALIDATION_ERROR"), ([], "VALIDATION_ERROR"),
    ]:
        for query in ("", "?strict=true"):
            refused(a.create(body, query), 400, code, f"{body}")
    refused(a.create({}, "?strict=maybe"), 400, "VALIDATION_ERROR", "strict=maybe")
    refused(a.create({"workspaceId": b.workspace}), 404, "WORKSPACE_NOT_FOUND", "another tenant's workspace")


def racing(server):
    """Equal requests at once make one inbox, also when its name is a fallback; a plan's limit holds."""
    a, b = Tenant(server, f"{RUN} C"), Tenant(server, f"{RUN} D", maxInboxes=5)
    name = f"{RUN}-race"
    equal(a.create({"username": name})[0], 201, "the first")
    answers = []
    threads([lambda: answers.append(b.create({"username": name}))] * 16, 60)
    equal(sorted(status for status, _ in answers), [200] * 15 + [201], "statuses of equal requests")
    equal({made["username"] for _, made in answers}, {name + "1"}, "names of equal requests")
    answers.clear()
    threads([lambda n=n: answers.append(b.create({"username": f"{RUN}-plan{n}"})) for n in range(16)], 60)
    equal(sorted(status for status, _ in answers), [201] * 4 + [403] * 12, "statuses against the plan")


def scopes(server):
    """Workspaces are isolated, and keys do what they are for."""
    a, b = Tenant(server, f"{RUN} E"), Tenant(server, f"{RUN} F")
    status, workspace = a.call("POST", "/v1/workspaces", {"name": "Research"})
    equal((status, workspace["slug"], workspace["isDefault"]), (201, "research", False), "a workspace")
    keys = f"/v1/workspaces/{workspace['id']}/keys"
    status, key = a.call("POST", keys, {"name": "CI"})
    equal((status, key["key"][:3], key["workspaceId"]), (201, "wk_", workspace["id"]), "a workspace's key")
    wk = key["key"]
    name = f"{RUN}-scope"
    outside = a.create({"username": name})[1]
    within = a.create({"username": name}, key=wk)[1]
    equal(within["username"], name + "1", "a name of another workspace counts as taken")
    path = f"/v1/inboxes/{outside['id']}"
    for other in (wk, b.key, within["apiKey"]):
        refused(a.call("GET", path, key=other), 404, "NOT_FOUND", "what is not yours")
    for narrow in (within["apiKey"], server.ready["operator_key"], server.ready["api_key"]):
        refused(a.create({}, key=narrow), 403, "FORBIDDEN", "a narrow key")
    for method, path in (("POST", "/v1/tenants"), ("GET", "/v1/tenants")):
        refused(a.call(method, path, {} if method == "POST" else None), 403, "FORBIDDEN", path)
    for dead in ("", "tk_nothing"):
        refused(api.request(server, "GET", "/v1/me", key=dead), 401, "UNAUTHORIZED", "a dead key")
    equal(a.call("GET", "/v1/me", key=within["apiKey"])[1],
          {"kind": "inbox", "tenantId": a.id, "workspaceId": workspace["id"], "inboxId": within["id"]}, "me")
    listed = [inbox["id"] for inbox in a.call("GET", "/v1/inboxes", key=wk)[1]["inboxes"]]
    equal(listed, [within["id"]], "the workspace's list")
    equal(a.call("DELETE", f"{keys}/{key['id']}")[0], 200, "revoking")
    refused(a.call("GET", "/v1/me", key=wk), 401, "UNAUTHORIZED", "a revoked key")


def accepts(server, address):
    """The reply code to RCPT."""
    with Smtp(server.address("smtp_in")) as session:
        session.hello()
        session.command("MAIL FROM:<sender@client.example.net>", 250)
        return session.command(f"RCPT TO:<{address}>").code


def logs_in(server, user, password):
    try:
        Imap(server, user, password).close()
    except Refused:
        return False
    return True


def ends(session):
    """The server closes the connection, saying BYE or not."""
    def closed():
        try:
            session.command("NOOP")
        except (Closed, ConnectionError, Refused):
            return True
        return False

    wait_until(closed, "the open session to end", 20, 0.2)


def mail_side(server):
    """Addresses, passwords and keys where mail is: at RCPT, at LOGIN, and in sessions that are open."""
    a = Tenant(server, f"{RUN} G")
    domain, name = server.ready["domain"], f"{RUN}-mail"
    made = a.create({"username": name})[1]
    user, inbox = made["canonicalEmail"], f"/v1/inboxes/{made['id']}"
    for address, code in [(user, 250), (user.upper(), 250), (f"{name}+tag@{domain}", 250), (f"Postmaster@{domain}", 250),
                          (f"abuse@{domain}", 250), (f"{name}x@{domain}", 550)]:
        equal(accepts(server, address), code, f"RCPT TO:<{address}>")
    alias = f"{name}-alias@{domain}"
    status, added = a.call("POST", f"{inbox}/addresses", {"email": alias})
    equal((status, added), (201, {"ok": True, "address": alias, "isPrimary": True}), "an alias")
    equal(accepts(server, alias), 250, "RCPT to the alias")
    refused(a.call("POST", f"{inbox}/addresses", {"email": f"abuse@{domain}"}), 400, "USERNAME_RESERVED", "a reserved alias")
    for user_name, password, expected in [(user, made["imapPassword"], True), (user, made["apiKey"], True), (user, a.key, False),
                                          (alias, made["imapPassword"], False), (user, "wrong", False)]:
        equal(logs_in(server, user_name, password), expected, f"login of {user_name} with {password[:3]}…")

    with Imap(server, user, made["imapPassword"]) as session:
        status, rotated = a.call("POST", f"{inbox}/rotate-credentials", {})
        equal(status, 200, "rotation")
        ends(session)
    refused(a.call("GET", "/v1/me", key=made["apiKey"]), 401, "UNAUTHORIZED", "the old key")
    equal([logs_in(server, user, made["imapPassword"]), logs_in(server, user, rotated["imapPassword"])], [False, True], "after rotation")

    equal(a.call("DELETE", f"{inbox}/addresses/{alias}")[1], {"deleted": True, "address": alias}, "the alias goes")
    equal(accepts(server, alias), 550, "RCPT to what was an alias")
    with Imap(server, user, rotated["imapPassword"]) as session:
        equal(a.call("DELETE", inbox), (200, {"deleted": True, "id": made["id"]}), "deletion")
        ends(session)
    refused(a.call("DELETE", inbox), 404, "NOT_FOUND", "a second deletion")
    refused(a.call("GET", "/v1/me", key=rotated["apiKey"]), 401, "UNAUTHORIZED", "a deleted inbox's key")
    equal(accepts(server, user), 550, "RCPT to a deleted inbox")
    equal(logs_in(server, user, rotated["imapPassword"]), False, "login to a deleted inbox")
    other = Tenant(server, f"{RUN} H").create({"username": name})[1]
    equal(other["username"], name + "1", "a tombstone for others")
    status, again = a.create({"username": name})
    equal((status, again["canonicalEmail"], again["id"] != made["id"]), (201, user, True), "the same tenant may have it again")
    equal(a.call("GET", f"/v1/inboxes/{again['id']}/messages")[1]["pagination"]["total"], 0, "messages of the new inbox")


def reading(server):
    """Mail that came by SMTP, over HTTP."""
    a = Tenant(server, f"{RUN} I")
    made = a.create({"username": f"{RUN}-read"})[1]
    key, inbox = made["apiKey"], f"/v1/inboxes/{made['id']}"
    message, files = corpus.with_attachments(made["email"])
    sent = corpus.octets(message)
    with Smtp(server.address("smtp_in")) as session:
        session.hello()
        equal(session.deliver([made["email"]], sent).code, 250, "the final reply")
    status, listed = a.call("GET", f"{inbox}/messages?direction=inbound&limit=5", key=key)
    equal((status, listed["pagination"]), (200, {"total": 1, "limit": 5, "offset": 0}), "the list")
    shown = a.call("GET", f"{inbox}/messages/{listed['messages'][0]['id']}", key=key)[1]
    equal((shown["direction"], shown["subject"], shown["isRead"]), ("inbound", "Report with attachments", False), "the message")
    equal((shown["from"], shown["fromName"], shown["to"]), ("zoe@client.example.net", "Zoë Outside", made["email"]), "its addresses")
    check("日本語" in shown["plainBody"] and "<b>report</b>" in shown["htmlBody"], "its texts")
    equal([attached["filename"] for attached in shown["attachments"]][:2], list(files), "its attachments")
    path = f"{inbox}/messages/{shown['id']}"
    with urllib.request.urlopen(urllib.request.Request(
            f"{server.ready['api']}/postroom{path}/raw", headers={"X-API-Key": key}), timeout=30) as raw:
        check(raw.read().endswith(sent), "the source is not byte-exact")
    equal(a.call("PATCH", path, {"isRead": True, "isArchived": True}, key)[1]["isArchived"], True, "archiving")
    with Imap(server, made["canonicalEmail"], made["imapPassword"]) as session:
        equal([session.select("Archive")["exists"], session.select("INBOX")["exists"]], [1, 0], "where IMAP sees it")
    equal(a.call("GET", f"{inbox}/threads/{shown['threadId']}", key=key)[1]["messageCount"], 1, "its thread")
    equal(a.call("DELETE", path, key=key)[0], 200, "deleting it")
    refused(a.call("GET", path, key=key), 404, "NOT_FOUND", "a deleted message")


def shapes(server):
    """Errors have one form, whatever is sent."""
    key = server.ready["tenant_key"]

    def raw(method, path, data=None, content_type="application/json"):
        asked = urllib.request.Request(server.ready["api"] + path, data=data, method=method,
                                       headers={"X-API-Key": key, "Content-Type": content_type})
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    for data in (b"{", b"[" * 60000, b"\xff", b'{"username": "\\ud800"}', b"null"):
        refused(raw("POST", "/v1/inboxes", data), 400, "VALIDATION_ERROR", f"the body {data[:10]!r}")
    refused(raw("POST", "/v1/inboxes", b"{}", "text/plain"), 400, "VALIDATION_ERROR", "plain text")
    refused(raw("POST", "/v1/inboxes", b'"' + b"x" * 200000 + b'"'), 413, "PAYLOAD_TOO_LARGE", "a large body")
    refused(raw("PUT", "/v1/inboxes", b"{}"), 405, "METHOD_NOT_ALLOWED", "a wrong method")
    refused(raw("GET", "/v1/nothing"), 404, "NOT_FOUND", "an unknown route")
    refused(raw("POST", "/v1/linkedin/posts", b"{}"), 501, "NOT_SUPPORTED", "LinkedIn")
    for path in ("/healthz", "/readyz"):
        equal(raw("GET", path)[0], 200, path)


def against(server):
    for part in (creating, racing, scopes, mail_side, reading, shapes):
        begun = time.monotonic()
        part(server)
        scenario.say(f"{part.__name__}: {time.monotonic() - begun:.1f} s")


def run():
    given = os.environ.get("POSTROOM_READY_JSON")
    if given:
        against(Given(json.loads(given)))
        return
    with Server() as server:
        against(server)
        server.stop()
        server.fsck()


if __name__ == "__main__":
    scenario.main(run, 300)
