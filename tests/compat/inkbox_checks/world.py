"""What a check of the Inkbox client has: the client with its calls noted, plain HTTP beside it, and mail made without it.

Every JSON answer that passes, of the client or not, is held against `wire`: the client itself takes a lot.
"""

import dataclasses
import enum
import functools
import inspect
import json
import os
import random
import types
import urllib.error
import urllib.request
from types import SimpleNamespace

import corpus
import shown
import smtp
import wire
from imap import Imap
from inkbox import AgentIdentity, Inkbox
from inkbox.exceptions import InkboxAPIError
from scenario import Failure, check, equal, short, wait_until

for name in ("INKBOX_API_KEY", "INKBOX_BASE_URL", "INKBOX_VAULT_KEY"):
    os.environ.pop(name, None)


def unique(word="agent"):
    return f"{word}-{random.getrandbits(40):010x}"


def connect(server, key, note=None):
    """A client; `note` is told of each answer."""
    os.environ["SSL_CERT_FILE"] = server.ready["ca"]  # a client makes ten TLS contexts: with one authority that takes no time
    client = Inkbox(api_key=key, base_url=server.ready["api"], timeout=20)

    def answered(response):
        if response.headers.get("content-type", "").startswith("application/json"):
            text = response.read()
            shown.note(text)
            if note:
                note(response.request.method, response.request.url.path, response.status_code, json.loads(text) if text else None)

    for transport in vars(client).values():
        if hasattr(transport, "_client"):
            transport._client.event_hooks["response"].append(answered)
    return client


@dataclasses.dataclass
class Answer:
    status: int
    body: object
    headers: dict
    asked: str


def call(server, method, path, body=None, key=None, headers=None, follow=True):
    """Plain HTTP; any status is an answer, and its JSON is held against the contract."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(server.ready["api"] + path, data=data, method=method, headers=dict(headers or {}))
    if data is not None:
        asked.add_header("Content-Type", "application/json")
    if key:
        asked.add_header("X-API-Key", key)
    opener = urllib.request.build_opener(*([] if follow else [NoRedirect]))
    try:
        with opener.open(asked, timeout=30) as answer:
            status, text, told = answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as refused:
        status, text, told = refused.code, refused.read(), refused.headers
    shown.note(text)
    found = json.loads(text) if told.get("content-type", "").startswith("application/json") and text else text
    if path.startswith("/api"):
        wire.hold(method, path.split("?")[0], status, found)
    return Answer(status, found, {name.lower(): value for name, value in told.items()}, f"{method} {path} {short(body, 150)}")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Traced:
    """A client, a resource of it or an identity, whose calls are noted when they are answered."""

    def __init__(self, target, case, path=""):
        self._target, self._case, self._path = target, case, path

    def __getattr__(self, name):
        value = getattr(self._target, name)
        path = f"{self._path}.{name}" if self._path else name
        if is_resource(value):
            return Traced(value, self._case, path)
        if not isinstance(value, (types.MethodType, types.FunctionType)):
            return value

        @functools.wraps(value)
        def traced(*words, **options):
            return self._case.result(path, value(*words, **options))

        return traced


def is_resource(value):
    plain = dataclasses.is_dataclass(value) or isinstance(value, (enum.Enum, types.MethodType, types.FunctionType, type))
    return not plain and type(value).__module__.split(".")[0] == "inkbox"


class Identity(Traced):
    """An AgentIdentity; its methods count as `identity.…`."""


class Case:
    """One check's view of the world."""

    def __init__(self, server):
        self.server, self.key, self.domain = server, server.ready["tenant_key"], server.ready["domain"]
        self.answered, self._open = set(), []
        self.quiet = self._opened(connect(server, self.key, wire.hold))
        self.client = Traced(self.quiet, self)

    def _opened(self, one):
        self._open.append(one)
        return one

    def result(self, path, value):
        """What a call gave; it counts as answered once there is something (of a generator, its first item or its end)."""
        if inspect.isgenerator(value):
            return self._counted(path, value)
        self.answered.add(path)
        return Identity(value, self, "identity") if isinstance(value, AgentIdentity) else value

    def _counted(self, path, items):
        for item in items:
            self.answered.add(path)
            yield item
        self.answered.add(path)

    def close(self):
        for one in self._open:
            one.close()

    def call(self, method, path, body=None, key=None, **more):
        return call(self.server, method, path, body, key or self.key, **more)

    def with_key(self, key):
        return Traced(self._opened(connect(self.server, key, wire.hold)), self)

    def agent(self, handle=None, **fields):
        """An identity made without being counted, with a key of its own: .handle, .id, .address, .key, .client, .identity."""
        made = self.quiet.create_identity(handle or unique(), **fields)
        key = self.quiet.api_keys.create(label="own", scoped_identity_id=made.id).api_key
        return SimpleNamespace(handle=made.agent_handle, id=made.id, address=made.email_address, mailbox=made.mailbox.id, key=key,
                               client=self.with_key(key), identity=Identity(made, self, "identity"))

    def stranger(self):
        """The key of another organization."""
        status = call(self.server, "POST", "/v1/tenants", {"name": unique("stranger")}, self.server.ready["operator_key"])
        equal(status.status, 201, "status of making an organization")
        return status.body["apiKey"]

    def receive(self, address, subject="Hello", text="Hello, agent.\n", message=None, sender=None, **fields):
        """Mail from outside, by SMTP on port 25; returns the message as the API lists it."""
        message = message or corpus.plain(address, subject, text)
        for name, value in fields.items():
            name = name.replace("_", "-")
            del message[name]
            message[name] = value
        options = {"sender": sender} if sender else {}
        smtp.deliver(self.server, [address], corpus.octets(message), parameters=" BODY=8BITMIME", **options)
        return self.listed(address, message_id=message["Message-ID"])

    def listed(self, address, **fields):
        """The first message of a mailbox with these fields, once it is there."""
        def look():
            return [m for m in self.quiet.messages.list(address) if all(getattr(m, name) == value for name, value in fields.items())]
        return wait_until(look, f"a message with {fields} in {address}")[0]

    def imap(self, address, key, mailbox=None):
        session = self._opened(Imap(self.server, address, key))
        if mailbox:
            session.select(mailbox)
        return session


def refused(status, run, error=None, kind=InkboxAPIError):
    """The call must fail with that status, and with that word; returns the exception."""
    try:
        result = run()
        result = list(result) if inspect.isgenerator(result) else result
    except InkboxAPIError as failure:
        equal(failure.status_code, status, f"status ({failure.detail})")
        check(isinstance(failure, kind), f"raised {type(failure).__name__} and not {kind.__name__}: {failure.detail}")
        if error:
            equal(failure.detail.get("error"), error, "the error's word")
        return failure
    raise Failure(f"answered, and must be refused with {status}: {result!r}")


def answers(got, status, error=None):
    """The status, and the word of the error, of a plain answer; returns its body."""
    equal(got.status, status, f"status of {got.asked} ({short(got.body, 200)})")
    if error:
        equal(got.body["detail"].get("error"), error, "the error's word")
    return got.body


def download(url, status=200):
    """(octets, headers) of a signed address, without a key."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            got, octets, headers = answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as failure:
        got, octets, headers = failure.code, failure.read(), failure.headers
    equal(got, status, f"status of {url}")
    return octets, headers
