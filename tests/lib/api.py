"""The HTTP side: JSON requests with a key, and making inboxes."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass

from scenario import equal


@dataclass(frozen=True)
class Inbox:
    """What a mail client needs of an inbox just made."""

    id: str
    address: str
    password: str
    api_key: str


def request(server, method, path, body=None, key=None, seconds=30):
    """(status, JSON or None); any status is an answer, not an error."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data is not None else {}
    if key:
        headers["X-API-Key"] = key
    asked = urllib.request.Request(server.ready["api"] + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=seconds) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read()
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
