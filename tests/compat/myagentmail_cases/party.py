"""An organization whose keys of every kind ask what a table says, and what is held of each answer."""

import json
import os
import re

import api
import corpus
import smtp
from scenario import Failure, check, equal, short, wait_until

SECRETS = ("apiKey", "imapPassword", "password", "secret")
NOWHERE = "00000000-0000-7000-8000-000000000007"
sections = []


def section(function):
    sections.append(function)
    return function


class Party:
    """An organization with two workspaces, an inbox in each, and a key of every kind; `self[name]` fills the table's braces."""

    def __init__(self, server, name):
        self.server = server
        self.keys, self.words = {"sa": server.ready["operator_key"], "none": None, "dead": "tk_" + "x" * 32}, {"nowhere": NOWHERE, "domain": server.ready["domain"]}
        made = self.ask("sa", "POST", "/v1/tenants", {"name": name}, 201)
        self.keys["tk"] = made["apiKey"]
        self.words.update(tenant=made["id"], default=made["defaultWorkspaceId"])
        other = self.ask("tk", "POST", "/v1/workspaces", {"name": "Other"}, 201)
        self.words["other"] = other["id"]
        for kind, workspace in (("wk", self.words["default"]), ("wk2", other["id"])):
            self.keys[kind] = self.ask("tk", "POST", f"/v1/workspaces/{workspace}/keys", {"name": kind}, 201)["key"]
        self.a, self.b = self.inbox("wk"), self.inbox("wk2")
        self.keys.update(ak=self.a["apiKey"], ak2=self.b["apiKey"])
        self.words.update(inbox=self.a["id"], inbox2=self.b["id"], address=self.a["email"])

    def inbox(self, key="tk", **fields):
        return self.ask(key, "POST", "/v1/inboxes", {"username": f"box{os.urandom(5).hex()}", **fields}, 201)

    def ask(self, key, method, path, body=None, expect=200):
        path = self.fill(path)
        status, told = api.request(self.server, method, path, self.fill(body), self.keys.get(key, key))
        equal(status, expect, f"{key} {method} {path} {short(body, 120)} ({short(told)})")
        if status >= 400:
            check(isinstance(told, dict) and told.get("error") and re.fullmatch("[A-Z][A-Z_]+", told.get("code", "")), f"{method} {path}: not an error: {told}")
        return told

    def fill(self, value):
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda found: self.words[found[1]], value)
        if isinstance(value, dict):
            return {name: self.fill(one) for name, one in value.items()}
        return [self.fill(one) for one in value] if isinstance(value, list) else value

    def table(self, rows):
        """Rows of (key, method, path, body, status, code); a refusal's code and the absence of an answer's secrets are looked at."""
        faults = []
        for key, method, path, body, status, code in rows:
            try:
                told = self.ask(key, method, path, body, status)
                if code:
                    equal(told.get("code"), code, f"{key} {method} {path} {short(body, 120)}: code")
            except Failure as failure:
                faults.append(str(failure))
        check(not faults, f"{len(faults)} of {len(rows)} rows:\n  " + "\n  ".join(faults))

    def receive(self, subject="Hello", message=None, box=None, **fields):
        """Mail from outside; returns the message as it is listed."""
        box = box or self.a
        message = message or corpus.plain(box["email"], subject, "Hello, agent.\n")
        for name, value in fields.items():
            message[name.replace("_", "-")] = value
        smtp.deliver(self.server, [box["email"]], corpus.octets(message), parameters=" BODY=8BITMIME")
        return self.listed(box, subject=message["Subject"])

    def messages(self, box=None, query="limit=100"):
        return self.ask("tk", "GET", f"/v1/inboxes/{(box or self.a)['id']}/messages?{query}")["messages"]

    def listed(self, box=None, **fields):
        return wait_until(lambda: [m for m in self.messages(box) if all(m.get(name) == value for name, value in fields.items())], f"a message with {fields}")[0]


def no_secret(told, what):
    for name in SECRETS:
        check(f'"{name}"' not in json.dumps(told), f"{what} tells {name}")
