"""What organizations and their agents of an earlier version had goes on in this one: webhooks, drafts, rules, imports, keys, suspended and deleted ones."""

import hashlib
import hmac
import json
from types import SimpleNamespace

import api
import clock
import corpus
import smtp
import stored
from imap import Imap, Refused
from receiver import Receiver
from scenario import check, equal, wait_until
from submit import Captured
from upload import upload

MINUTES = 6 * 60  # after them, what failed twice is tried a third time


class Then:
    """What the earlier version left, and questions to this one in the words of its keys."""

    def __init__(self, server, then):
        self.server, self.inboxes, self.others = server, then["inboxes"], then["others"]
        self.keys = {**then["keys"], **self.others["keys"]}

    def ask(self, key, method, path, body=None, expect=200, **options):
        status, told = api.request(self.server, method, path, body, self.keys[key], **options)
        equal(status, expect, f"{key}: {method} {path} ({told})")
        return told

    def box(self, name):
        return f"/api/v1/mail/mailboxes/{self.inboxes[name]['address']}"


def go_on(server, then):
    """All that needs more than a look; changes what it finds."""
    this = Then(server, then)
    for name, check_it in (("restricted", keys_may), ("workers", workers), ("lives", lives), ("agents", agents)):
        if name in this.others:
            check_it(this, this.others[name])


def keys_may(this, _):
    at = f"/v0/inboxes/{this.inboxes['plain']['address']}/messages"
    this.ask("reader", "POST", at + "/send", {"to": ["a@far.example"], "text": "x"}, 403)
    this.ask("sender", "POST", at + "/send", {"to": ["a@far.example"], "text": "x"})


def refuses(server, address):
    with smtp.Smtp(server.address("smtp_in")) as client:
        client.hello()
        client.command("MAIL FROM:<s@client.example.net>", 250)
        client.command(f"RCPT TO:<{address}>", 550)


def no_login(server, address, password):
    try:
        Imap(server, address, password).close()
    except Refused:
        return
    check(False, f"a login to {address} that must not be")


def workers(this, found):
    """The webhook that was switched off tells again, of mail to an alias; from which the inbox sends, is the primary one."""
    server, worker = this.server, this.inboxes["worker"]
    no_login(server, worker["address"], found["old_password"])
    refuses(server, found["gone"])
    with Receiver() as receiver:
        this.ask("workspace", "PATCH", f"/v1/webhooks/{found['hook']}", {"url": receiver.url + "/now", "isActive": True})
        smtp.deliver(server, [found["alias"]], corpus.unique_message("to-the-worker"))
        post = receiver.first("/now")
        equal(post.headers["x-myagentmail-signature"], "sha256=" + hmac.new(found["secret"].removeprefix("whsec_").encode(), post.body, hashlib.sha256).hexdigest(), "the signature")
        check(b"to-the-worker" in post.body, f"what it was told: {post.body[:300]}")
    draft = this.ask("worker again", "GET", f"/v1/inboxes/{worker['id']}/drafts")["drafts"][0]
    sent = this.ask("worker again", "POST", f"/v1/inboxes/{worker['id']}/drafts/{draft['id']}/send")
    message = this.ask("worker again", "GET", f"/v1/inboxes/{worker['id']}/messages/{sent['id']}")
    check(found["primary"] in message["from"], f"From: {message['from']}")
    recipients, _ = Captured(server).message("Later", 2)
    equal(recipients, ["one@far.example", "two@far.example"], "to whom the draft went")


def lives(this, found):
    """What waited while suspended goes when resumed; what was deleted is had back with its mail; a limit is a limit."""
    server = this.server
    one = this.inboxes["suspended"]
    this.ask("suspended", "POST", f"/v1/inboxes/{one['id']}/send", {"to": "a@far.example", "subject": "x", "plainBody": "x"}, 403)
    caught = lambda: [each for each in this.ask("suspended", "GET", "/postroom/v1/captured?limit=100")["captured"] if each["to"] == "away@far.example"]
    equal(caught(), [], "what left while suspended")
    this.ask("operator_key", "POST", f"/postroom/v1/organizations/{found['suspended']['id']}/resume", {})
    wait_until(caught, "what waited to go", 20)
    one = this.inboxes["restorable"]
    this.ask("restorable", "GET", "/v1/me", expect=401)
    no_login(server, one["address"], one["password"])
    refuses(server, one["address"])
    this.ask("operator_key", "POST", f"/postroom/v1/organizations/{found['restorable']['id']}/restore", {})
    this.ask("restorable", "GET", "/v1/me")
    stored.compare(stored.inbox(server, SimpleNamespace(**{field: one[field] for field in ("id", "address", "password", "api_key")})), one, "what was restored")
    this.ask("limited", "POST", "/v1/inboxes", {"username": "one-too-many"}, 403)


def agents(this, found):
    hooks(this, found["hooks"])  # the first, since all that comes after it is told
    guarded(this)
    drafts(this, found["drafts"])
    sends(this, found["sends"])
    imports(this, found["imports"])
    refuses(this.server, found["gone"])


def guarded(this):
    """Rules and modes as they were: who may write, and to whom may be written."""
    address = this.inboxes["guarded"]["address"]
    before = this.ask("agents", "GET", this.box("guarded") + "/threads?folder=blocked")["items"]
    message = corpus.plain(address, "From a stranger")
    message.replace_header("From", "stranger@nowhere.example")
    smtp.deliver(this.server, [address], corpus.octets(message), sender="zoe@client.example.net")
    equal(len(this.ask("agents", "GET", this.box("guarded") + "/threads?folder=blocked")["items"]), len(before) + 1, "threads that are blocked")
    for name, to, status in (("guarded", "foe@far.example", 403), ("guarded", "a@never.example", 403), ("guarded", "friend@far.example", 201), ("paused", "a@far.example", 403)):
        this.ask(f"agent {name}", "POST", this.box(name) + "/messages", {"recipients": {"to": [to]}, "subject": "x", "body_text": "x"}, status)


def drafts(this, found):
    """A draft is sent with its files; its generation is the one that was told."""
    path = f"{this.box('sales')}/drafts/{found['id']}"
    this.ask("agents", "PATCH", path, {"generation": found["generation"] - 1, "subject": "stale"}, 409)
    draft = this.ask("agents", "GET", path)
    files = draft["attachment_metadata"]
    contents = [api.raw(this.server, f"{path}/attachments/{one['part_index']}?generation={found['generation']}", this.keys["agents"]) for one in files]
    equal([len(one) for one in contents], [one["size"] for one in files], "octets of its files")
    sent = this.ask("agents", "POST", path + "/send", {"generation": found["generation"]}, 201)
    told = this.ask("agents", "GET", f"{this.box('sales')}/messages/{sent['id']}")
    equal([one["filename"] for one in told["attachment_metadata"]], [one["filename"] for one in files], "files of what was sent")
    check("of sales" in told["body_text"] or "of sales" not in draft["body_text"], "the signature")
    recipients, octets = Captured(this.server).message("A draft, changed", 3)
    equal(recipients, ["one@far.example", "three@far.example", "two@far.example"], "to whom it went")
    check(b"three@" not in octets, "the blind copy is told of")


def sends(this, found):
    """What was asked for with a key is not done again."""
    path, words = this.box("sales") + "/messages", {"headers": {"Idempotency-Key": found["key"]}}
    equal(this.ask("agents", "POST", path, found["answer"], 201, **words)["id"], found["id"], "the answer of then")
    this.ask("agents", "POST", path, {**found["answer"], "subject": "Other"}, 409, **words)


def imports(this, found):
    """The import that waited for its file gets it."""
    path, address = f"{this.box('hidden')}/imports/{found['waits']}", this.inboxes["hidden"]["address"]
    target = this.ask("agents", "POST", path + "/upload-url", {})
    equal(upload(target, target["fields"], corpus.octets(corpus.plain(address, "Late", "Late.\n", "late"))), 204, "upload")
    this.ask("agents", "POST", path + "/start")
    wait_until(lambda: this.ask("agents", "GET", path)["status"] == "completed", "the import")
    equal(this.ask("agents", "GET", path)["messages_imported"], 1, "messages that came")


def hooks(this, found):
    """What failed twice is tried a third time when its time has come, and where it then should go; what was heard can be told again; new mail is told."""
    server, key, path = this.server, found["signing_key"].removeprefix("whsec_").encode(), "/api/v1/webhooks/subscriptions/"
    with Receiver(port=found["port"]) as same, Receiver() as other:
        this.ask("agents", "PATCH", path + found["failed"], {"url": other.url + "/failed"})
        server.stop()
        equal(other.at("/failed"), [], "what was told before its time")
        server.env.update(clock.environment(found["failed_at"] + MINUTES))
        server.start()
        equal(json.loads(other.first("/failed").body)["id"], found["event"], "the event that failed")
        again = this.ask("agents", "POST", f"/api/v1/webhooks/deliveries/{found['delivery']}/replay", {}, 201)
        equal((again["is_replay"], json.loads(same.first("/good").body)["id"]), (True, found["event"]), "the event that is told again")
        smtp.deliver(server, [this.inboxes["sales"]["address"]], corpus.unique_message("to-be-told"))
        for receiver, at in ((same, "/good"), (other, "/failed")):
            wait_until(lambda receiver=receiver, at=at: any(b"to-be-told" in one.body for one in receiver.at(at)), f"the new mail at {at}", 30)
            for post in receiver.at(at):
                genuine(post, key)
        equal({post.headers.get("authorization") for post in same.at("/good")}, {"Bearer token-of-the-receiver"}, "Authorization")
        this.ask("agents", "DELETE", path + found["failed"], expect=204)
        told = this.ask("agents", "PATCH", path + found["heard"], {"url": other.url + "/heard"})
        equal(told["has_auth_token"], False, "whether the token went elsewhere")


def genuine(post, key):
    signed = f"{post.headers['x-inkbox-request-id']}.{post.headers['x-inkbox-timestamp']}.".encode() + post.body
    equal(post.headers["x-inkbox-signature"], "sha256=" + hmac.new(key, signed, hashlib.sha256).hexdigest(), "the signature")
