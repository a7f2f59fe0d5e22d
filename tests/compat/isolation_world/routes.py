"""The operations of all dialects, and requests made of them with a victim's names in the path."""

import re
import urllib.parse
from dataclasses import dataclass, field

import api
from scenario import check, equal

AGENTMAIL, OWN, MYAGENTMAIL, INKBOX = "agentmail", "own", "myagentmail", "inkbox"


# Names in a path that say what and not whose.
GENERAL = ("direction", "type", "rest", "word", "domain_name", "file_name", "part", "generation")


@dataclass
class Route:
    dialect: str
    method: str
    path: str  # names of the victim's things in braces
    body: object = None
    hosted: bool = False  # of the hosted service only: refused to its owner too
    names: list = field(default_factory=list)

    def __post_init__(self):
        self.names = re.findall(r"\{(\w+)\}", self.path)
        self.whose = [name for name in self.names if name not in GENERAL]

    @property
    def lists(self):
        """Nothing in the path says whose: it may answer, and tell of the caller's own."""
        return not self.whose


@dataclass
class Request:
    method: str
    path: str
    body: object


@dataclass
class Answer:
    status: int
    text: str


# Words that would change something, where a body with the least that the schema asks for would not.
BODIES = {
    ("PATCH", "messages"): {"add_labels": ["stolen"], "remove_labels": ["unread"]}, ("PATCH", "threads"): {"add_labels": ["stolen"]},
    ("PATCH", "drafts"): {"subject": "stolen"}, ("PATCH", "inboxes"): {"display_name": "stolen"}, ("PATCH", "webhooks"): {"enabled": False},
    ("PATCH", "api-keys"): {"name": "stolen"}, ("PATCH", "domains"): {"feedback_enabled": True}, ("PATCH", "headers"): {"headers": {"X-Stolen": "x"}},
    ("POST", "send"): {"to": ["thief@elsewhere.example"], "subject": "stolen", "text": "x"}, ("POST", "reply"): {"text": "stolen"},
    ("POST", "reply-all"): {"text": "stolen"}, ("POST", "forward"): {"to": ["thief@elsewhere.example"]}, ("POST", "drafts"): {"subject": "stolen"},
    ("POST", "api-keys"): {"name": "stolen"}, ("POST", "inboxes"): {"username": "stolen"}, ("POST", "domains"): {"domain": "stolen.test", "feedback_enabled": False},
    ("POST", "webhooks"): {"url": "http://127.0.0.1:9/stolen", "event_types": ["message.received"]}, ("POST", "{type}"): {"entry": "stolen@elsewhere.example"},
}
HOSTED = re.compile("/(accounts|apps|providers|calendar|files|labs|polling|connect)(/|$)|/agent/|setup-link")


def from_document(server):
    """The routes of /openapi.json."""
    status, document = api.request(server, "GET", "/openapi.json")
    equal(status, 200, "/openapi.json")
    found = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            method, last = method.upper(), [part for part in path.split("/") if not re.fullmatch(r"\{(?!type)\w+\}", part)][-1]
            body = BODIES.get((method, last)) or made_of(document, operation)
            path += "?q={word}" if last == "search" else ""
            found.append(Route(OWN if path.startswith("/postroom/") else AGENTMAIL, method, path, body, bool(HOSTED.search(path))))
    check(len(found) > 100, f"{len(found)} operations in /openapi.json")
    return [route for route in found if route.method == "GET" or route.whose]


def made_of(document, operation):
    """A body with what the schema requires."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return value_of(document, content["schema"]) if content else None


def value_of(document, schema, depth=0):
    if "$ref" in schema:
        return value_of(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], depth + 1)
    for word in ("oneOf", "anyOf", "allOf"):
        if schema.get(word):
            return value_of(document, next(one for one in schema[word] if one.get("type") != "null"), depth + 1)
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if kind == "object":
        return {name: value_of(document, schema["properties"][name], depth + 1) for name in schema.get("required", []) if depth < 5}
    simple = {"string": "2027-01-01T00:00:00Z" if schema.get("format") == "date-time" else "a@elsewhere.example", "boolean": True, "integer": 1, "number": 1}
    return simple[kind] if kind in simple else [value_of(document, schema["items"], depth + 1)]


SEND = {"to": "thief@elsewhere.example", "subject": "stolen", "plainBody": "x"}
MYAGENTMAIL_TABLE = [
    ("GET", "/v1/inboxes", None), ("GET", "/v1/inboxes?workspace={workspace}", None), ("POST", "/v1/inboxes", {"username": "stolen", "workspaceId": "{workspace}"}),
    ("GET", "/v1/workspaces", None), ("GET", "/v1/workspaces/{workspace}", None), ("GET", "/v1/workspaces/{workspace}/keys", None),
    ("POST", "/v1/workspaces/{workspace}/keys", {"name": "stolen"}), ("DELETE", "/v1/workspaces/{workspace}/keys/{workspace_key}", None),
    ("GET", "/v1/keys", None), ("DELETE", "/v1/keys/{tenant_key}", None),
    ("GET", "/v1/tenants", None), ("GET", "/v1/tenants/{tenant}", None), ("PATCH", "/v1/tenants/{tenant}", {"maxInboxes": 1}), ("DELETE", "/v1/tenants/{tenant}", None),
    ("GET", "/v1/inboxes/{inbox}", None), ("PATCH", "/v1/inboxes/{inbox}", {"displayName": "stolen"}), ("DELETE", "/v1/inboxes/{inbox}", None),
    ("POST", "/v1/inboxes/{inbox}/rotate-credentials", {}), ("POST", "/v1/inboxes/{inbox}/addresses", {"email": "stolen@{domain_name}"}),
    ("DELETE", "/v1/inboxes/{inbox}/addresses/{alias}", None), ("GET", "/v1/inboxes/{inbox}/keys", None), ("POST", "/v1/inboxes/{inbox}/keys", {"name": "stolen"}),
    ("DELETE", "/v1/inboxes/{inbox}/keys/{inbox_key}", None), ("POST", "/v1/inboxes/{inbox}/send", SEND),
    ("POST", "/v1/inboxes/{inbox}/reply/{message}", {"plainBody": "stolen"}), ("POST", "/v1/inboxes/{inbox}/reply-all/{message}", {"plainBody": "stolen"}),
    ("POST", "/v1/inboxes/{inbox}/forward/{message}", SEND), ("GET", "/v1/inboxes/{inbox}/messages", None), ("GET", "/v1/inboxes/{inbox}/messages/{message}", None),
    ("PATCH", "/v1/inboxes/{inbox}/messages/{message}", {"isStarred": True}), ("DELETE", "/v1/inboxes/{inbox}/messages/{message}", None),
    ("GET", "/v1/inboxes/{inbox}/messages/{message}/attachments/{attachment}", None), ("GET", "/v1/inboxes/{inbox}/threads/{thread}", None),
    ("GET", "/v1/inboxes/{inbox}/drafts", None), ("POST", "/v1/inboxes/{inbox}/drafts", SEND), ("GET", "/v1/inboxes/{inbox}/drafts/{draft}", None),
    ("PATCH", "/v1/inboxes/{inbox}/drafts/{draft}", {"subject": "stolen"}), ("POST", "/v1/inboxes/{inbox}/drafts/{draft}/send", {}),
    ("GET", "/v1/inboxes/{inbox}/drafts/{draft}/attachments/{draft_attachment}", None),
    ("DELETE", "/v1/inboxes/{inbox}/drafts/{draft}", None), ("GET", "/v1/webhooks", None), ("GET", "/v1/webhooks/{v1_webhook}", None),
    ("PATCH", "/v1/webhooks/{v1_webhook}", {"isActive": False}), ("DELETE", "/v1/webhooks/{v1_webhook}", None), ("GET", "/v1/domains", None),
    ("GET", "/v1/domains/{domain}", None), ("GET", "/v1/domains/{domain}/verify", None), ("POST", "/v1/domains/{domain}/verify", {}), ("DELETE", "/v1/domains/{domain}", None),
]
RECIPIENTS = {"recipients": {"to": ["thief@elsewhere.example"]}}
BOX, RULE = "/api/v1/mail/mailboxes/{address}", {"action": "allow", "match_type": "domain", "match_target": "stolen.example"}
INKBOX_TABLE = [
    ("GET", "/api/whoami", None), ("GET", "/api/v1/api-keys", None), ("GET", "/api/v1/api-keys/self", None), ("DELETE", "/api/v1/api-keys/{inbox_key}", None),
    ("POST", "/api/v1/api-keys", {"label": "stolen", "scoped_identity_id": "{identity}"}), ("GET", "/api/v1/identities", None), ("GET", "/api/v1/identities/{handle}", None),
    ("PATCH", "/api/v1/identities/{handle}", {"display_name": "stolen"}), ("PATCH", "/api/v1/identities/{handle}", {"mail_filter_mode": "whitelist"}),
    ("DELETE", "/api/v1/identities/{handle}", None), ("GET", "/api/v1/identities/{handle}/access", None), ("POST", "/api/v1/identities/{handle}/access", {}),
    ("DELETE", "/api/v1/identities/{handle}/access/{viewer}", None), ("GET", "/api/v1/identities/{handle}/mail-contact-rules", None),
    ("POST", "/api/v1/identities/{handle}/mail-contact-rules", RULE), ("GET", "/api/v1/identities/{handle}/mail-contact-rules/{rule}", None),
    ("PATCH", "/api/v1/identities/{handle}/mail-contact-rules/{rule}", {"action": "allow"}), ("DELETE", "/api/v1/identities/{handle}/mail-contact-rules/{rule}", None),
    ("GET", "/api/v1/identities/{handle}/signing-key", None), ("POST", "/api/v1/identities/{handle}/signing-key", {}), ("GET", "/api/v1/mail/contact-rules", None),
    ("GET", "/api/v1/mail/mailboxes", None), ("GET", BOX, None), ("PATCH", BOX, {"signature_text": "stolen"}), ("GET", BOX + "/search?q={word}", None),
    ("GET", BOX + "/contact-rules", None), ("POST", BOX + "/contact-rules", RULE), ("GET", BOX + "/contact-rules/{rule}", None),
    ("PATCH", BOX + "/contact-rules/{rule}", {"action": "allow"}), ("DELETE", BOX + "/contact-rules/{rule}", None), ("GET", BOX + "/messages", None),
    ("POST", BOX + "/messages", {**RECIPIENTS, "subject": "stolen"}), ("GET", BOX + "/messages/{message}", None), ("PATCH", BOX + "/messages/{message}", {"is_starred": True}),
    ("DELETE", BOX + "/messages/{message}", None), ("POST", BOX + "/messages/{message}/reply-all", {"body_text": "stolen"}),
    ("POST", BOX + "/messages/{message}/forward", RECIPIENTS), ("GET", BOX + "/messages/{message}/attachments/{file_name}", None), ("GET", BOX + "/threads", None),
    ("GET", BOX + "/threads/folders", None), ("GET", BOX + "/threads/{thread}", None), ("PATCH", BOX + "/threads/{thread}", {"folder": "archive"}),
    ("DELETE", BOX + "/threads/{thread}", None), ("GET", BOX + "/drafts", None), ("POST", BOX + "/drafts", RECIPIENTS), ("GET", BOX + "/drafts/{draft}", None),
    ("PATCH", BOX + "/drafts/{draft}", {"generation": "{generation}", "subject": "stolen"}), ("DELETE", BOX + "/drafts/{draft}?generation={generation}", None),
    ("POST", BOX + "/drafts/{draft}/duplicate", {"generation": "{generation}"}),
    ("POST", BOX + "/drafts/{draft}/attachments", {"generation": "{generation}", "attachments": [{"filename": "a.txt", "content_type": "text/plain", "content_base64": "eA=="}]}),
    ("GET", BOX + "/drafts/{draft}/attachments/{part}?generation={generation}", None), ("DELETE", BOX + "/drafts/{draft}/attachments/{part}?generation={generation}", None),
    ("POST", BOX + "/drafts/{draft}/send", {"generation": "{generation}"}), ("GET", BOX + "/imports", None), ("POST", BOX + "/imports", {"source_format": "mbox"}),
    ("GET", BOX + "/imports/{job}", None), ("POST", BOX + "/imports/{job}/upload-url", None), ("POST", BOX + "/imports/{job}/start", None),
    ("POST", BOX + "/imports/{job}/cancel", None), ("GET", "/api/v1/domains", None), ("POST", "/api/v1/domains/{domain}/set-default", {}),
    ("GET", "/api/v1/message-sends/lookup?sender_kind=mailbox&sender_id={inbox}&operation=mail.send", None), ("GET", "/api/v1/webhooks/subscriptions", None),
    ("GET", "/api/v1/webhooks/subscriptions/{subscription}", None), ("PATCH", "/api/v1/webhooks/subscriptions/{subscription}", {"url": "http://127.0.0.1:9/stolen"}),
    ("DELETE", "/api/v1/webhooks/subscriptions/{subscription}", None), ("GET", "/api/v1/webhooks/deliveries", None),
    ("POST", "/api/v1/webhooks/subscriptions", {"url": "http://127.0.0.1:9/stolen", "event_types": ["message.received"], "agent_identity_id": "{identity}"}),
    ("POST", "/api/v1/webhooks/subscriptions", {"url": "http://127.0.0.1:9/stolen", "event_types": ["message.received"], "mailbox_id": "{inbox}"}),
    ("POST", "/api/v1/webhooks/deliveries/{delivery}/replay", None),
]
# These name the victim in the query or the body alone, and answer with what is the caller's own: nothing.
ANSWERED_EMPTY = ("/v1/inboxes?workspace=", "/api/v1/message-sends/lookup")


def table(dialect):
    rows = {MYAGENTMAIL: MYAGENTMAIL_TABLE, INKBOX: INKBOX_TABLE}[dialect]
    return [Route(dialect, method, path, body) for method, path, body in rows]


def variants(route, victim, attacker):
    """The route with the victim's names; and with a thing of the attacker's own before the victim's, where the path has both."""
    requests = [filled(route, victim, {})]
    first = route.whose[0] if route.whose else None
    if attacker and len(route.whose) > 1 and first in attacker.own:
        requests.append(filled(route, victim, {first: attacker.own[first]}))
    return requests


def filled(route, victim, instead):
    def text(name, quoted):
        value = str(instead[name] if name in instead else victim.named(name, route))
        return urllib.parse.quote(value, safe="") if quoted else value

    def deep(value):
        if isinstance(value, str):
            whole = re.fullmatch(r"\{(\w+)\}", value)
            if whole and whole[1] == "generation":
                return victim.named("generation", route)
            return re.sub(r"\{(\w+)\}", lambda found: text(found[1], False), value)
        if isinstance(value, dict):
            return {name: deep(one) for name, one in value.items()}
        return [deep(one) for one in value] if isinstance(value, list) else value

    return Request(route.method, re.sub(r"\{(\w+)\}", lambda found: text(found[1], True), route.path), deep(route.body))


class Asker:
    """One connection, for one key."""

    def __init__(self, server, key):
        self.connection = api.Connection(server, key, 30)

    def ask(self, request):
        status, text = self.connection.text(request.method, request.path, request.body)
        return Answer(status, text.decode("utf-8", "replace"))
