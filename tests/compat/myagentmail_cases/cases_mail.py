"""Messages, threads and drafts; what is not there (§7 of the contract)."""

import base64
import json
import os

import api
import corpus
from imap import Imap
from party import section
from scenario import check, equal
from submit import Captured


@section
def sending(party):
    """§7: send, reply, reply-all, forward; §1: what is refused."""
    path, captured = "/v1/inboxes/{inbox}", Captured(party.server)
    subject = f"Grüße {os.urandom(4).hex()}"
    sent = party.ask("ak", "POST", path + "/send", {
        "to": ["one@elsewhere.example"], "cc": "two@elsewhere.example", "bcc": ["three@elsewhere.example"], "subject": subject, "plainBody": "Text",
        "htmlBody": "<p>HTML</p>", "replyTo": "desk@elsewhere.example", "verified": True,
        "attachments": [{"filename": "a.txt", "contentType": "text/plain", "content": base64.b64encode(b"content").decode()}]})
    check({"id", "threadId", "status", "messageId"} <= set(sent), f"sent {sent}")
    recipients, octets = captured.message(subject, 3)
    equal(recipients, ["one@elsewhere.example", "three@elsewhere.example", "two@elsewhere.example"], "who gets it")
    check(b"three@" not in octets and b"Reply-To: " in octets and b"a.txt" in octets, "header fields and parts")
    equal(party.ask("ak", "POST", path + "/send", {"to": "one@elsewhere.example", "subject": subject}).get("threadId") == sent["threadId"], False, "a new thread each time")
    base = {"to": "one@elsewhere.example", "subject": "x", "plainBody": "x"}
    party.table([
        *[("ak", "POST", path + "/send", {**base, **change}, 400, "VALIDATION_ERROR") for change in (
            {"to": []}, {"to": None}, {"to": "nonsense"}, {"to": 5}, {"to": "a@b.example\r\nBcc: c@d.example"}, {"subject": "a\r\nBcc: c@d.example"}, {"subject": 5},
            {"replyTo": "a\nb@c.example"}, {"plainBody": 5}, {"cc": "x y"}, {"attachments": "x"}, {"attachments": [{"filename": "a.txt"}]})],
        ("ak", "POST", path + "/send", [], 400, "VALIDATION_ERROR"),
        ("ak", "POST", path + "/reply/{nowhere}", {"plainBody": "x"}, 404, "NOT_FOUND"),
        ("ak", "POST", path + "/forward/{nowhere}", {"to": "x@elsewhere.example"}, 404, "NOT_FOUND"),
    ])
    message = corpus.plain(f"{party.a['email']}, second@client.example.net", f"Question {os.urandom(4).hex()}", "?\n")
    message["Cc"] = "third@client.example.net"
    source = party.receive(message=message)
    back = party.ask("ak", "POST", f"{path}/reply/{source['id']}", {"plainBody": "!"})
    equal(back["threadId"], source["threadId"], "a reply's thread")
    everyone = party.ask("ak", "POST", f"{path}/reply-all/{source['id']}", {"htmlBody": "<p>!</p>"})
    equal(everyone["threadId"], source["threadId"], "a reply's thread")
    recipients, octets = captured.message("Re: " + message["Subject"], 4)
    equal(sorted(recipients), ["second@client.example.net", "third@client.example.net", "zoe@client.example.net", "zoe@client.example.net"], "who gets the replies")
    check(message["Message-ID"].encode() in octets, "References")
    forwarded = party.ask("ak", "POST", f"{path}/forward/{source['id']}", {"to": "x@elsewhere.example", "plainBody": "See below"})
    check(forwarded["threadId"] != source["threadId"], "a forward starts a thread")
    recipients, octets = captured.message("Fwd: " + message["Subject"])
    check(b"See below" in octets, "the note of a forward")


@section
def reading(party):
    """§7: messages and threads."""
    box = party.inbox()
    party.words["box"], party.keys["box"] = box["id"], box["apiKey"]
    message, files = corpus.with_attachments(box["email"])
    first = party.receive(message=message, box=box)
    second = party.receive("Re: it", box=box, In_Reply_To=message["Message-ID"])
    third = party.receive("Else", box=box)
    path = "/v1/inboxes/{box}/messages"
    sent = party.ask("box", "POST", "/v1/inboxes/{box}/send", {"to": "x@elsewhere.example", "subject": "Out"})
    told = party.ask("box", "GET", path)
    equal(([m["id"] for m in told["messages"]], told["pagination"]["total"]), ([sent["id"], third["id"], second["id"], first["id"]], 4), "newest first")
    equal([m["id"] for m in party.messages(box, "limit=2&offset=1")], [third["id"], second["id"]], "a part")
    equal([m["id"] for m in party.messages(box, "direction=outbound")], [sent["id"]], "outbound")
    equal(len(party.messages(box, "direction=inbound")), 3, "inbound")
    got = party.ask("box", "GET", f"{path}/{first['id']}")
    fields = {"id", "direction", "from", "to", "subject", "plainBody", "htmlBody", "isRead", "threadId", "messageIdHeader", "inReplyTo", "receivedAt", "attachments",
              "fromAddress", "fromName", "toAddresses", "sentAt", "createdAt"}
    check(fields <= set(got), f"lacks {fields - set(got)}")
    equal((got["direction"], got["fromAddress"], got["fromName"], got["toAddresses"]), ("inbound", "zoe@client.example.net", "Zoë Outside", [box["email"]]), "addresses")
    check(isinstance(got["from"], str) and isinstance(got["to"], str) and "日本語" in got["plainBody"] and "<b>" in got["htmlBody"], "the schema's fields")
    equal(got["messageIdHeader"], message["Message-ID"], "Message-ID")
    equal([(one["filename"], one["sizeBytes"]) for one in got["attachments"]][:2], [(name, len(content)) for name, content in files.items()], "attachments")
    equal(party.ask("box", "GET", f"{path}/{second['id']}")["inReplyTo"], message["Message-ID"], "In-Reply-To")
    thread = party.ask("box", "GET", f"/v1/inboxes/{{box}}/threads/{first['threadId']}")
    equal((thread["threadId"], thread["messageCount"], [m["id"] for m in thread["messages"]]), (first["threadId"], 2, [first["id"], second["id"]]), "oldest first")
    one = f"{path}/{third['id']}"
    with Imap(party.server, box["email"], box["imapPassword"]) as session:
        session.select()
        for body, flag in (({"isRead": True}, "\\seen"), ({"isStarred": True}, "\\flagged")):
            party.ask("box", "PATCH", one, body)
            check(flag in session.fetch("3", "BODY.PEEK[]")[3][0], f"{body} over IMAP")
        party.ask("box", "PATCH", one, {"isArchived": True})
        equal(session.select("Archive")["exists"], 1, "archived, over IMAP")
        party.ask("box", "PATCH", one, {"isArchived": False})
        equal(session.select("INBOX")["exists"], 3, "back again")
        equal(party.ask("box", "DELETE", one).get("deleted", True), True, "DELETE")
        session.command("NOOP")
        equal(session.select("INBOX")["exists"], 2, "deleted, over IMAP")
    party.table([
        ("box", "GET", one, None, 404, "NOT_FOUND"), ("box", "DELETE", one, None, 404, "NOT_FOUND"), ("box", "GET", path + "/{nowhere}", None, 404, "NOT_FOUND"),
        ("box", "GET", path + "/nonsense", None, 404, "NOT_FOUND"), ("box", "GET", "/v1/inboxes/{box}/threads/{nowhere}", None, 404, "NOT_FOUND"),
        *[(key, "GET", f"/v1/inboxes/{{inbox}}/messages/{first['id']}", None, 404, "NOT_FOUND") for key in ("box", "tk")],
        *[("box", "GET", f"{path}?{query}", None, 400, "VALIDATION_ERROR") for query in ("limit=x", "offset=-1", "direction=sideways")],
        *[("box", "PATCH", f"{path}/{first['id']}", body, 400, "VALIDATION_ERROR") for body in ({"isRead": "yes"}, {"isStarred": 1}, [])],
    ])


@section
def drafts(party):
    """§7: drafts, and sending one in one step."""
    path, captured, subject = "/v1/inboxes/{inbox}/drafts", Captured(party.server), f"Draft {os.urandom(4).hex()}"
    source = party.receive(f"Question {subject}")
    made = party.ask("ak", "POST", path, {"to": ["one@elsewhere.example"], "cc": ["two@elsewhere.example"], "bcc": "three@elsewhere.example", "subject": subject,
                                          "plainBody": "Text", "htmlBody": "<p>x</p>", "replyToMessageId": source["id"]}, 201)
    one = f"{path}/{made['id']}"
    listed = party.ask("ak", "GET", path)
    listed = listed["drafts"] if isinstance(listed, dict) else listed
    check(made["id"] in [draft["id"] for draft in listed], "not in the list")
    party.ask("ak", "PATCH", one, {"plainBody": "Changed", "cc": []})
    with Imap(party.server, party.a["canonicalEmail"], party.a["imapPassword"]) as session:
        exists = session.select("Drafts")["exists"]
        check(exists >= 1 and any(b"Changed" in octets for _, octets in session.fetch("1:*", "BODY.PEEK[]").values()), "over IMAP")
    sent = party.ask("ak", "POST", one + "/send")
    check({"id", "threadId", "status", "messageId", "draftId"} <= set(sent), f"sent {sent}")
    equal((sent["draftId"], sent["threadId"]), (made["id"], source["threadId"]), "the draft, and the thread of the answer")
    recipients, octets = captured.message(subject, 2)
    equal(recipients, ["one@elsewhere.example", "three@elsewhere.example"], "who gets it")
    check(b"Changed" in octets, "the changed text")
    bare = party.ask("ak", "POST", path, {"subject": "Nobody"}, 201)
    party.table([
        ("ak", "POST", one + "/send", None, 404, "NOT_FOUND"), ("ak", "PATCH", one, {"subject": "x"}, 404, "NOT_FOUND"),
        ("ak", "POST", f"{path}/{bare['id']}/send", None, 400, "VALIDATION_ERROR"),
        *[("ak", "POST", path, body, 400, "VALIDATION_ERROR") for body in ({"to": "x y"}, {"subject": "a\r\nb"}, {"subject": 5}, {"plainBody": []}, [])],
        ("ak2", "GET", f"{path}", None, 404, "NOT_FOUND"), ("ak2", "DELETE", f"{path}/{bare['id']}", None, 404, "NOT_FOUND"),
        ("ak", "DELETE", f"{path}/{bare['id']}", None, 200, None), ("ak", "DELETE", f"{path}/{bare['id']}", None, 404, "NOT_FOUND"),
    ])


@section
def other(party):
    """§7: what is not there, and bodies that are no JSON."""
    party.table([
        *[("tk", method, f"/v1/linkedin/{rest}", {} if method == "POST" else None, 501, "NOT_SUPPORTED") for method in ("GET", "POST") for rest in ("accounts", "search/people")],
        ("none", "GET", "/v1/linkedin/accounts", None, 401, "UNAUTHORIZED"),
    ])
    for path in ("/v1/inboxes", f"/v1/inboxes/{party.a['id']}/send"):
        for data in (b"{", b"\xff\xfe", b"null", b'"x"', b"[" * 10000, b'{"a":' * 5000, b""):
            headers = {"X-API-Key": party.keys["tk"], "Content-Type": "application/json"}
            asked = api.urllib.request.Request(party.server.ready["api"] + path, data=data, method="POST", headers=headers)
            try:
                with api.urllib.request.urlopen(asked) as answer:
                    status, body = answer.status, answer.read()
            except api.urllib.error.HTTPError as refused:
                status, body = refused.code, refused.read()
            if data == b"" and path == "/v1/inboxes":
                check(status in (201, 400), f"an empty body: {status}")
                continue
            equal((status, json.loads(body)["code"]), (400, "VALIDATION_ERROR"), f"{data[:20]!r} to {path} ({body[:200]!r})")
