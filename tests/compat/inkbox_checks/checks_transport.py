"""What holds of every route: spellings, keys, bodies, unknown paths."""

import json
import urllib.error
import urllib.request

from coverage import drives
from scenario import check, equal
from world import NoRedirect, answers


@drives("whoami")
def spellings(case):
    """With and without a slash at the end, answered there and not by a redirection; no cookies."""
    agent = case.agent()
    box = f"/api/v1/mail/mailboxes/{agent.address}"
    for path in ("/api/whoami", "/api/v1/identities", f"/api/v1/identities/{agent.handle}", "/api/v1/domains", "/api/v1/mail/mailboxes", box, box + "/messages",
                 box + "/threads", box + "/threads/folders", box + "/drafts", "/api/v1/webhooks/subscriptions", f"/api/v1/identities/{agent.handle}/mail-contact-rules"):
        plain, slashed = (case.call("GET", spelling, follow=False) for spelling in (path, path + "/"))
        equal((plain.status, slashed.status), (200, 200), path)
        equal(plain.body, slashed.body, path)
        check("set-cookie" not in plain.headers and "application/json" in plain.headers["content-type"], f"headers of {path}: {plain.headers}")
    for path in ("/api/v1/nothing", "/api/v1/mail", "/api/v1/identities/x/y/z", box + "/nothing"):
        answers(case.call("GET", path), 404)
    for method, path in (("PUT", "/api/whoami"), ("DELETE", "/api/v1/identities/"), ("PUT", box), ("POST", box + "/threads")):
        check(case.call(method, path, {}).status in (404, 405), f"{method} {path}")
    case.client.whoami()


@drives("whoami")
def keys(case):
    """Of the two headers either counts; a key in the query does not; what is no key of these kinds gets in nowhere."""
    agent = case.agent()
    ready = case.server.ready

    def status(headers, path="/api/v1/mail/mailboxes"):
        asked = urllib.request.Request(ready["api"] + path, headers=headers)
        try:
            with urllib.request.build_opener(NoRedirect).open(asked, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            check("detail" in json.loads(refused.read()), f"not this dialect's error for {headers}")
            return refused.code

    for headers, expected in (
            ({"X-API-Key": agent.key}, 200), ({"Authorization": f"Bearer {agent.key}"}, 200), ({"Authorization": f"bEARER {agent.key}"}, 200),
            ({}, 401), ({"X-API-Key": ""}, 401), ({"Authorization": f"Basic {agent.key}"}, 401), ({"X-API-Key": agent.key + "x"}, 401),
            ({"X-API-Key": agent.key[:-1]}, 401), ({"Authorization": "Bearer"}, 401)):
        equal(status(headers), expected, f"with {list(headers)}")
    equal(status({}, f"/api/v1/mail/mailboxes?api_key={agent.key}"), 401, "a key in the query")
    for name in ("operator_key", "api_key"):
        check(status({"X-API-Key": ready[name]}) in (401, 403), f"with the {name}")
    case.client.whoami()


@drives("whoami")
def bodies(case):
    """What is no JSON object is 422 and never a fault of the server."""
    agent = case.agent()
    box = f"/api/v1/mail/mailboxes/{agent.address}"
    targets = [("POST", "/api/v1/identities/"), ("PATCH", f"/api/v1/identities/{agent.handle}"), ("POST", "/api/v1/api-keys"), ("PATCH", box), ("POST", box + "/messages"),
               ("POST", box + "/drafts"), ("POST", "/api/v1/webhooks/subscriptions"), ("POST", f"/api/v1/identities/{agent.handle}/mail-contact-rules")]
    bad = [b"{", b"null", b"[]", b'"x"', b"5", b"\xff\xfe", b"[" * 5000, b'{"a":' * 5000, b'{"agent_handle": 1e999}', b'{"\\ud800": 1}']
    for method, path in targets:
        for data in bad:
            asked = urllib.request.Request(case.server.ready["api"] + path, data=data, method=method, headers={"X-API-Key": case.key, "Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(asked, timeout=20) as answer:
                    got, text = answer.status, answer.read()
            except urllib.error.HTTPError as refused:
                got, text = refused.code, refused.read()
            equal(got, 422, f"{method} {path} with {data[:20]!r} ({text[:200]!r})")
            check(json.loads(text)["detail"]["error"], "an error without a word")
    case.client.whoami()
