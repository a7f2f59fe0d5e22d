"""The HTTP side: JSON requests with a key, and making inboxes."""

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

import shown
from scenario import equal


@dataclass(frozen=True)
class Inbox:
    """What a mail client needs of an inbox just made."""

    id: str
    address: str
    password: str
    api_key: str


def request(server, method, path, body=None, key=None, seconds=30, headers=None):
    """(status, JSON or None); any status is an answer, not an error."""
    data = None if body is None else json.dumps(body).encode()
    headers = {**(headers or {}), **({"Content-Type": "application/json"} if data is not None else {})}
    if key:
        headers["X-API-Key"] = key
    asked = urllib.request.Request(server.ready["api"] + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=seconds) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read()
    shown.note(text)
    try:
        return status, json.loads(text)
    except ValueError:
        return status, None


class Connection:
    """One connection that stays open: a request costs one round trip. Not for two threads."""

    def __init__(self, server, key=None, seconds=60):
        self.server, self.key, self.seconds, self.connection = server, key, seconds, None

    def text(self, method, path, body=None, key=None):
        """(status, octets)."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        headers.update({"X-API-Key": key or self.key} if key or self.key else {})
        for last in (False, True):
            try:
                self.connection = self.connection or http.client.HTTPConnection(self.server.ready["api"].removeprefix("http://"), timeout=self.seconds)
                self.connection.request(method, path, data, headers)
                answer = self.connection.getresponse()
                text = answer.read()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):  # it was closed while it was idle
                self.connection = None
                if last:
                    raise
        shown.note(text)
        return answer.status, text

    def ask(self, method, path, body=None, key=None):
        """(status, JSON or None)."""
        status, text = self.text(method, path, body, key)
        try:
            return status, json.loads(text)
        except ValueError:
            return status, None


def create_inbox(server, name, key=None, expect=201):
    """An inbox of that name (or what the server makes of it), by default in the first organization."""
    status, made = request(server, "POST", "/v1/inboxes", {"username": name}, key or server.ready["tenant_key"])
    equal(status, expect, f"status of creating inbox {name} ({made})")
    return Inbox(made["id"], made["canonicalEmail"], made["imapPassword"], made["apiKey"])


def create_tenant(server, name):
    """A second organization; returns its tk_ key."""
    status, made = request(server, "POST", "/v1/tenants", {"name": name}, server.ready["operator_key"])
    equal(status, 201, f"status of creating tenant {name} ({made})")
    return made["apiKey"]


def raw(server, path, key, seconds=30):
    """The octets of an answer that is not JSON; it must be a 200."""
    asked = urllib.request.Request(server.ready["api"] + path, headers={"X-API-Key": key})
    with urllib.request.urlopen(asked, timeout=seconds) as answer:
        return answer.read()
