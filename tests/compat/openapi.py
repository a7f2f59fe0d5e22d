#!/usr/bin/env python3
"""schemathesis makes requests from /openapi.json, good and bad ones: no 5xx, and no answer that is not as the document says."""

import json
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
import api  # noqa: E402
import corpus  # noqa: E402
import packages  # noqa: E402
import scenario  # noqa: E402
import smtp  # noqa: E402
from scenario import check, command, say  # noqa: E402
from server import Server  # noqa: E402

CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"
RUNNER = "from schemathesis.cli import schemathesis; schemathesis()"


def known_ids(server):
    """Ids by the name of their path parameter, several of each, of things made for this."""

    def ask(method, path, body=None, of=None):
        status, told = api.request(server, method, "/v0" + path, body, server.ready["api_key"])
        return told.get(of) if status < 300 and told else None

    known = {"direction": ["send", "receive", "reply"], "type": ["allow", "block"], "list_type": ["allow", "block"]}
    known["pod_id"] = [ask("POST", "/pods", {"name": f"Pod {n}"}, "pod_id") for n in range(2)]
    known["inbox_id"] = [ask("POST", "/inboxes", {"display_name": f"Inbox {n}"}, "inbox_id") for n in range(2)]
    known["inbox_id"].append(ask("POST", f"/pods/{known['pod_id'][0]}/inboxes", {}, "inbox_id"))
    for inbox in known["inbox_id"]:
        for _ in range(4):
            smtp.deliver(server, [inbox], corpus.octets(corpus.with_attachments(inbox)[0]), parameters=" BODY=8BITMIME")
        messages = ask("GET", f"/inboxes/{inbox}/messages", of="messages") or []
        known.setdefault("message_id", []).extend(message["message_id"] for message in messages)
        known.setdefault("thread_id", []).extend(message["thread_id"] for message in messages)
        known.setdefault("attachment_id", []).extend(one["attachment_id"] for message in messages for one in message.get("attachments", []))
        known.setdefault("draft_id", []).extend(ask("POST", f"/inboxes/{inbox}/drafts", {"to": [inbox], "subject": "x"}, "draft_id") for _ in range(3))
        hook = {"url": "http://127.0.0.1:9/", "event_types": ["message.received"]}
        known.setdefault("webhook_id", []).append(ask("POST", f"/inboxes/{inbox}/webhooks", hook, "webhook_id"))
    known["webhook_id"] += [ask("POST", "/webhooks", hook, "webhook_id") for _ in range(2)]
    known["api_key_id"] = [ask("POST", "/api-keys", {"name": "x"}, "api_key_id") for _ in range(3)]
    known["domain_id"] = [ask("POST", "/domains", {"domain": f"d{n}.test"}, "domain_id") for n in range(3)]
    known["entry"] = [ask("POST", "/lists/receive/block", {"entry": f"e{n}.example"}, "entry") for n in range(3)]
    return {name: [one for one in ids if one] for name, ids in known.items()}


def own_ids(server, known):
    """The same for our own routes."""

    def ask(method, path, body=None, key="tenant_key"):
        return api.request(server, method, path, body, server.ready[key])[1] or {}

    own = {"inbox": [], "message": []}
    for number in range(3):
        inbox = api.create_inbox(server, f"own{number}")
        for to in ("ann@example.net", "bob@example.org"):
            sent = ask("POST", f"/v1/inboxes/{inbox.id}/send", {"to": to, "subject": "x", "plainBody": "x"})
            own["message"].append(sent.get("id"))
        own["inbox"].append(inbox.id)
    own["inbox"].append(known["inbox_id"][0])
    own["message"].append(known["message_id"][0])
    own["captured"] = [one["id"] for one in ask("GET", "/postroom/v1/captured?limit=50", key="operator_key").get("captured", [])]
    own["domain"] = [ask("POST", "/postroom/v1/domains", {"domain": f"own{number}.test"}, "operator_key").get("domain") for number in range(3)]
    own["organization"] = [ask("POST", "/v1/tenants", {"name": f"Own {number}"}, "operator_key").get("id") for number in range(4)]
    own = {name: [one for one in ids if one] for name, ids in own.items()}
    check(all(own.values()), f"something was not made: {own}")
    return own


def statuses(server):
    """How many requests ended with each hundred, by the server's log: good ones must be among them."""
    codes = re.findall(r"request method=\S+ route=\S+ code=(\d)\d\d", server.log_text())
    return {f"{code}xx": codes.count(code) for code in sorted(set(codes))}


def run():
    options = scenario.options(("--seconds", 60, "how long it goes on"), ("--path", "", "only paths that match this"))
    folder = packages.python_packages("requirements-schemathesis.txt")
    with Server() as server, tempfile.TemporaryDirectory() as reports:
        document = json.loads(command(["curl", "-sf", server.ready["api"] + "/openapi.json"]))
        operations = [(method, path) for path, methods in document["paths"].items() for method in methods if method in
                      ("get", "post", "patch", "put", "delete")]
        check(len(operations) > 100, f"the document has {len(operations)} operations")
        check(sum(path.startswith("/postroom/v1/") for _, path in operations) >= 30, "our own routes are among them")
        known = known_ids(server)
        own, keys = own_ids(server, known), {"operator": server.ready["operator_key"], "tenant": server.ready["api_key"]}
        words = ["run", server.ready["api"] + "/openapi.json", "-H", f"Authorization: Bearer {server.ready['api_key']}", "--checks", CHECKS,
                 "--max-time", str(options.seconds), "--seed", str(options.seed % (1 << 31)), "--phases", "examples,coverage,fuzzing", "-n", "10",
                 "--continue-on-failure", "--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off", "--workers", "1",
                 "--no-shrink", "--report", "ndjson", "--report-dir", reports]
        words += ["--include-path-regex", options.path] if options.path else []
        output = command([sys.executable, "-c", RUNNER, *words], seconds=options.seconds + 180, expect=None, cwd=reports,
                         env={**os.environ, "PYTHONPATH": f"{folder}:{HERE}", "SCHEMATHESIS_HOOKS": "openapi_hooks",
                              "POSTROOM_COMPAT_IDS": json.dumps(known), "POSTROOM_COMPAT_OWN_IDS": json.dumps(own),
                              "POSTROOM_COMPAT_KEYS": json.dumps(keys), "NO_COLOR": "1", "COLUMNS": "160"})
        text = output.decode("utf-8", "replace")
        say(text[-12000:])
        say(f"statuses {statuses(server)}")
        check(server.alive(), "the server ended")
        panics = [line for line in server.log_text().splitlines() if "panicked" in line]
        check(not panics, f"panics: {panics[:3]}")
        last = [line.strip("= ") for line in text.splitlines() if line.strip("= ")][-1]
        check("failure" not in last and "error" not in last, f"schemathesis: {last}")
        say(f"{len(operations)} operations, {last}")


if __name__ == "__main__":
    scenario.main(run, 300)
