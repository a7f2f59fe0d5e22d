"""A victim with something of everything, and those who would like to have it."""

import json
import os
import re
from dataclasses import dataclass

import api
import corpus
import smtp
from imap import Imap
from routes import AGENTMAIL, INKBOX, MYAGENTMAIL, OWN
from scenario import equal, wait_until

VOLATILE = re.compile("used_at|usedAt|expires|^url$|download|^timestamp$")


class Victim:
    """An agent of the first organization; `secret` is in everything that only it may know, and in no name that a path holds."""

    def __init__(self, server):
        self.server, self.secret = server, "s" + os.urandom(8).hex()
        self.keys = {"am": server.ready["api_key"], "tk": server.ready["tenant_key"], "sa": server.ready["operator_key"]}
        self.ids = {"direction": "receive", "type": "block", "rest": "x", "domain_name": server.ready["domain"], "word": "anything"}
        name = "victim-" + os.urandom(4).hex()
        made = self.ask("tk", "POST", "/api/v1/identities/", {"agent_handle": name, "display_name": self.secret, "description": self.secret})
        self.ids.update(handle=name, identity=made["id"], address=made["email_address"], inbox=made["mailbox"]["id"], inbox_id=made["email_address"])
        self.api_key = self.ask("tk", "POST", "/api/v1/api-keys", {"label": self.secret, "scoped_identity_id": made["id"]})
        self.ids["inbox_key"], self.keys["ak"] = self.api_key["record"]["id"], self.api_key["api_key"]
        self._levels, self._tenant = {}, self.ask("tk", "GET", "/v1/me")["tenantId"]
        self.ids.update(tenant=self._tenant, organization=self._tenant)
        inbox = self.ask("tk", "GET", f"/v1/inboxes/{self.ids['inbox']}")
        self.ids.update(workspace=inbox["workspaceId"], pod_id=inbox["workspaceId"])
        self._mail()
        self._things()
        self._hooks()

    def ask(self, key, method, path, body=None):
        status, told = api.request(self.server, method, path, body, self.keys[key])
        assert 200 <= status < 300, f"{method} {path}: {status} {told}"
        return told

    def _mail(self):
        address, box = self.ids["address"], f"/api/v1/mail/mailboxes/{self.ids['address']}"
        message = corpus.plain(address, f"About {self.secret}", f"It is {self.secret}.\n")
        message.add_attachment(self.secret.encode(), maintype="text", subtype="plain", filename="file.txt")
        smtp.deliver(self.server, [address], corpus.octets(message), parameters=" BODY=8BITMIME")
        listed = wait_until(lambda: self.ask("tk", "GET", box + "/messages")["items"], "the victim's mail")[0]
        self.ids.update(message=listed["id"], thread=listed["thread_id"], message_id=message["Message-ID"], file_name="file.txt")
        seen = self.ask("am", "GET", f"/v0/inboxes/{address}/messages")["messages"][0]
        whole = self.ask("am", "GET", f"/v0/inboxes/{address}/messages/{api.urllib.parse.quote(seen['message_id'], safe='')}")
        self.ids.update(thread_id=seen["thread_id"], attachment_id=whole["attachments"][0]["attachment_id"])
        self.ids["attachment"] = self.ask("tk", "GET", f"/v1/inboxes/{self.ids['inbox']}/messages/{self.ids['message']}")["attachments"][0]["id"]
        draft = self.ask("tk", "POST", box + "/drafts", {"recipients": {"to": ["x@elsewhere.example"]}, "subject": self.secret, "body_text": self.secret, "attachments": [
            {"filename": "file.txt", "content_type": "text/plain", "content_base64": "c2VjcmV0"}]})
        same = self.ask("tk", "GET", f"/v1/inboxes/{self.ids['inbox']}/drafts/{draft['id']}")
        self.ids["draft_attachment"] = same["attachments"][0]["id"]
        self.ids.update(draft=draft["id"], generation=draft["generation"], part=draft["attachment_metadata"][0]["part_index"])
        kept = self.ask("am", "GET", f"/v0/inboxes/{address}/drafts")["drafts"][0]
        self.ids["draft_id"] = kept["draft_id"]
        self._draft_attachment = self.ask("am", "GET", f"/v0/inboxes/{address}/drafts/{kept['draft_id']}")["attachments"][0]["attachment_id"]

    def _things(self):
        address, pod = self.ids["address"], self.ids["pod_id"]
        rule = {"action": "block", "match_type": "exact_email", "match_target": f"{self.secret}@bad.example"}
        self.ids["rule"] = self.ask("tk", "POST", f"/api/v1/identities/{self.ids['handle']}/mail-contact-rules", rule)["id"]
        viewer = self.ask("tk", "POST", "/api/v1/identities/", {"agent_handle": "viewer-" + os.urandom(4).hex()})
        self.ids["viewer"] = viewer["id"]
        self.ask("tk", "POST", f"/api/v1/identities/{self.ids['handle']}/access", {"viewer_identity_id": viewer["id"]})
        self.ids["entry"] = "enemy@bad.example"
        self.ids["domain_id"] = self.ids["domain"] = f"v{os.urandom(4).hex()}.test"
        self.ask("am", "POST", f"/v0/pods/{pod}/domains", {"domain": self.ids["domain"], "feedback_enabled": False})
        for level in ("", f"/pods/{pod}", f"/inboxes/{address}"):
            self.ask("am", "POST", f"/v0{level}/lists/receive/block", {"entry": self.ids["entry"], "reason": self.secret})
            key = self.ask("am", "POST", f"/v0{level}/api-keys", {"name": self.secret})
            hook = self.ask("am", "POST", f"/v0{level}/webhooks", {"url": f"http://127.0.0.1:9/{self.secret}", "event_types": ["message.sent"]})
            self._levels[level.split("/")[1] if level else ""] = {"api_key_id": key["api_key_id"], "webhook_id": hook["webhook_id"]}
        self.ids["workspace_key"] = self.ask("tk", "POST", f"/v1/workspaces/{pod}/keys", {"name": self.secret})["id"]
        self.ids["tenant_key"] = self._levels[""]["api_key_id"]
        alias = f"alias-{os.urandom(4).hex()}@{self.ids['domain_name']}"
        self.ids["alias"] = self.ask("tk", "POST", f"/v1/inboxes/{self.ids['inbox']}/addresses", {"email": alias, "primary": False})["address"]
        status, told = api.request(self.server, "POST", f"/api/v1/mail/mailboxes/{address}/imports", {"source_format": "mbox"}, self.keys["tk"])
        self.ids["job"] = told["job"]["id"] if status == 201 else "00000000-0000-7000-8000-000000000007"

    def _hooks(self):
        url = f"http://127.0.0.1:9/{self.secret}"
        self.ids["v1_webhook"] = self.ask("tk", "POST", "/v1/webhooks", {"url": url, "events": ["message.sent"]})["id"]
        made = self.ask("tk", "POST", "/api/v1/webhooks/subscriptions", {"url": url, "event_types": ["message.sent"], "agent_identity_id": self.ids["identity"]})
        self.ids["subscription"] = made["id"]
        self.ask("tk", "POST", f"/api/v1/mail/mailboxes/{self.ids['address']}/messages", {"recipients": {"to": ["x@elsewhere.example"]}, "subject": self.secret})
        rows = wait_until(lambda: self.ask("tk", "GET", f"/api/v1/webhooks/deliveries?subscription_id={made['id']}")["deliveries"], "a delivery")
        self.ids["delivery"] = rows[0]["id"]
        caught = wait_until(lambda: self.ask("sa", "GET", "/postroom/v1/captured")["captured"], "what was sent")
        self.ids["captured"] = caught[0]["id"]

    def knows(self, name):
        return name in self.ids or name in ("api_key_id", "webhook_id") or name.endswith("_id") and name in ("account_id", "app_id", "provider_id")

    def named(self, name, route):
        """The victim's thing of that name at this route."""
        if name == "attachment_id" and "/drafts/" in route.path:
            return self._draft_attachment
        if name in ("api_key_id", "webhook_id"):
            level = route.path.split("/")[2]
            return self._levels[level if level in self._levels else ""][name]
        return self.ids.get(name, "x")

    def snapshot(self):
        """Everything the victim has, as its own keys and an IMAP session see it."""
        address, pod, handle, inbox = (self.ids[name] for name in ("address", "pod_id", "handle", "inbox"))
        box, seen = f"/api/v1/mail/mailboxes/{address}", {}
        paths = [("am", f"/v0{level}/{what}") for level in ("", f"/pods/{pod}", f"/inboxes/{address}") for what in ("api-keys", "webhooks", "lists/receive/block")]
        paths += [("am", f"/v0/inboxes/{address}"), ("am", f"/v0/inboxes/{address}/messages"), ("am", f"/v0/inboxes/{address}/threads"), ("am", f"/v0/inboxes/{address}/drafts"),
                  ("am", f"/v0/pods/{pod}"), ("am", f"/v0/pods/{pod}/domains"), ("am", "/v0/organizations"),
                  ("tk", f"/v1/inboxes/{inbox}"), ("tk", f"/v1/inboxes/{inbox}/messages"), ("tk", f"/v1/workspaces/{pod}"), ("tk", f"/v1/workspaces/{pod}/keys"),
                  ("tk", "/v1/webhooks"), ("sa", f"/v1/tenants/{self._tenant}")]
        paths += [("tk", path) for path in (
            f"/api/v1/identities/{handle}", f"/api/v1/identities/{handle}/access", f"/api/v1/identities/{handle}/mail-contact-rules", f"/api/v1/identities/{handle}/signing-key",
            box, box + "/messages", box + "/threads", box + "/drafts", "/api/v1/webhooks/subscriptions", "/api/v1/api-keys")]
        for key, path in paths:
            seen[path] = json.dumps(steady(self.ask(key, "GET", path)), sort_keys=True)
        for mailbox in ("INBOX", "Sent", "Drafts"):
            with Imap(self.server, address, self.api_key["api_key"]) as session:
                session.select(mailbox)
                seen[mailbox] = str(session.command("UID FETCH 1:* (UID FLAGS RFC822.SIZE)")[0]).replace(" \\\\Recent", "")
        return seen


def steady(value):
    """Without what changes by itself or by being read."""
    if isinstance(value, dict):
        return {name: steady(one) for name, one in value.items() if not VOLATILE.search(name)}
    return [steady(one) for one in value] if isinstance(value, list) else value


@dataclass
class Attacker:
    name: str
    key: str
    dialects: tuple
    foreign: bool  # of another organization
    whole: bool  # a key for all of its organization or workspace
    own: dict

    def speaks(self, dialect):
        return dialect in self.dialects


def attackers(server, victim):
    """A key of every kind of another organization; of another pod; of another inbox."""
    made = []

    def ask(key, method, path, body=None):
        status, told = api.request(server, method, path, body, key)
        assert 200 <= status < 300, f"{method} {path}: {status} {told}"
        return told

    def agent(key):
        one = ask(key, "POST", "/api/v1/identities/", {"agent_handle": "thief-" + os.urandom(4).hex()})
        own = {"inbox": one["mailbox"]["id"], "address": one["email_address"], "inbox_id": one["email_address"], "handle": one["agent_handle"]}
        return own, ask(key, "POST", "/api/v1/api-keys", {"label": "own", "scoped_identity_id": one["id"]})["api_key"]

    tenant = ask(server.ready["operator_key"], "POST", "/v1/tenants", {"name": "Stranger"})
    own, inbox_key = agent(tenant["apiKey"])
    own = {**own, "workspace": tenant["defaultWorkspaceId"], "pod_id": tenant["defaultWorkspaceId"]}
    workspace_key = ask(tenant["apiKey"], "POST", f"/v1/workspaces/{tenant['defaultWorkspaceId']}/keys", {"name": "x"})["key"]
    everything, small = (MYAGENTMAIL, INKBOX, OWN), (MYAGENTMAIL, OWN)
    made += [Attacker("a tk_ key of a stranger", tenant["apiKey"], everything, True, True, own), Attacker("a wk_ key of a stranger", workspace_key, small, True, True, own),
             Attacker("an ak_ key of a stranger", inbox_key, everything, True, False, own)]
    made.append(signed_up(server, ask))
    own, inbox_key = agent(victim.keys["tk"])
    pod = ask(victim.keys["am"], "POST", "/v0/pods", {"name": "Other pod"})["pod_id"]
    other = {"pod_id": pod, "workspace": pod}
    narrow = ask(victim.keys["am"], "POST", f"/v0/inboxes/{own['inbox_id']}/api-keys", {"name": "x"})["api_key"]
    made += [
        Attacker("an am_ key of another pod", ask(victim.keys["am"], "POST", f"/v0/pods/{pod}/api-keys", {"name": "x"})["api_key"], (AGENTMAIL, OWN), False, True, other),
        Attacker("a wk_ key of another workspace", ask(victim.keys["tk"], "POST", f"/v1/workspaces/{pod}/keys", {"name": "x"})["key"], small, False, True, other),
        Attacker("an am_ key of another inbox", narrow, (AGENTMAIL, OWN), False, False, own),
        Attacker("an ak_ key of another inbox", inbox_key, everything, False, False, own),
    ]
    return made


def signed_up(server, ask):
    """An am_ key of another organization: of an agent that signed up and is verified by its human."""
    human = api.create_inbox(server, "human" + os.urandom(4).hex())
    made = ask(None, "POST", "/v0/agent/sign-up", {"username": "thief" + os.urandom(4).hex(), "human_email": human.address})

    def code():
        for message in ask(human.api_key, "GET", f"/v1/inboxes/{human.id}/messages")["messages"]:
            found = re.search(r"\b(\d{6})\b", message["subject"])
            if found:
                return found[1]
        return None

    ask(made["api_key"], "POST", "/v0/agent/verify", {"otp_code": wait_until(code, "the code")})
    pods = ask(made["api_key"], "GET", "/v0/pods")["pods"]
    own = {"inbox_id": made["inbox_id"], "pod_id": pods[0]["pod_id"]}
    equal(len(pods), 1, "pods of who signed up")
    return Attacker("an am_ key of a stranger", made["api_key"], (AGENTMAIL, OWN), True, True, own)
