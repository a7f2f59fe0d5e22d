"""Keys, inboxes and their names, addresses, credentials, workspaces, tenants (§1 to §6 of the contract)."""

import json
import os

import api
import corpus
import smtp
from imap import Imap, Refused
from party import Party, no_secret, section
from scenario import Failure, check, equal


@section
def keys(party):
    """§1: which key may do what."""
    me = {"sa": ("operator", None, None, None), "tk": ("tenant", "{tenant}", None, None), "wk": ("workspace", "{tenant}", "{default}", None),
          "ak": ("inbox", "{tenant}", "{default}", "{inbox}")}
    for key, (kind, tenant, workspace, inbox) in me.items():
        told = party.ask(key, "GET", "/v1/me")
        equal([told[name] for name in ("kind", "tenantId", "workspaceId", "inboxId")], party.fill([kind, tenant, workspace, inbox]), f"me with {key}")
    inbox = "/v1/inboxes/{inbox}"
    party.table([
        *[(key, method, path, body, 401, "UNAUTHORIZED") for key in ("none", "dead", "ak_", "", "Bearer x") for method, path, body in (
            ("GET", "/v1/me", None), ("POST", "/v1/inboxes", {}), ("GET", inbox, None), ("POST", inbox + "/send", {"to": "a@b.example"}), ("GET", "/v1/tenants", None),
            ("GET", "/v1/webhooks", None), ("GET", "/v1/domains", None))],
        *[(key, method, path, body, 403, "FORBIDDEN") for key in ("tk", "wk", "ak") for method, path, body in (
            ("POST", "/v1/tenants", {"name": "x"}), ("GET", "/v1/tenants", None), ("DELETE", "/v1/tenants/{tenant}", None))],
        *[("sa", method, path, body, 403, "FORBIDDEN") for method, path, body in (
            ("POST", "/v1/inboxes", {}), ("GET", "/v1/inboxes", None), ("POST", "/v1/workspaces", {"name": "x"}))],
        *[(key, method, path, body, 403, "FORBIDDEN") for key in ("wk", "ak") for method, path, body in (
            ("POST", "/v1/workspaces", {"name": "x"}), ("POST", "/v1/workspaces/{default}/keys", {}), ("GET", "/v1/workspaces/{default}/keys", None))],
        *[("ak", method, path, body, 403, "FORBIDDEN") for method, path, body in (
            ("POST", "/v1/inboxes", {}), ("DELETE", inbox, None), ("POST", inbox + "/rotate-credentials", {}), ("POST", inbox + "/addresses", {"email": "x@{domain}"}))],
        *[(key, method, path, body, 404, "NOT_FOUND") for key in ("wk2", "ak2") for method, path, body in (
            ("GET", inbox, None), ("GET", inbox + "/messages", None), ("POST", inbox + "/send", {"to": "a@b.example", "subject": "x"}), ("GET", inbox + "/drafts", None))],
        ("tk", "GET", "/v1/nothing", None, 404, "NOT_FOUND"),
        ("tk", "GET", "/v1/inboxes?api_key=x", None, 200, None),
    ])
    for name, expect in (("apiKey", 401), ("api_key", 401)):
        party.ask("none", "GET", f"/v1/me?{name}={party.keys['tk']}", None, expect)
    bearer = api.urllib.request.Request(party.server.ready["api"] + "/v1/me", headers={"Authorization": f"bEaReR {party.keys['ak']}", "X-API-Key": party.keys["tk"]})
    with api.urllib.request.urlopen(bearer) as answer:
        equal(json.load(answer)["kind"], "tenant", "X-API-Key counts")
    bearer = api.urllib.request.Request(party.server.ready["api"] + "/v1/me", headers={"Authorization": f"bEaReR {party.keys['ak']}"})
    with api.urllib.request.urlopen(bearer) as answer:
        equal(json.load(answer)["kind"], "inbox", "Authorization in any spelling")


@section
def creating(party):
    """§2 and §3: what a name may be, and what comes of it."""
    post = "/v1/inboxes"
    words = ("VALIDATION_ERROR", ["", " ", "a b", "a+b", "a@b", "a..b", ".a", "a.", "-a", "a-", "größe", "a/b", "a\n", "x" * 65, 7, True, [], {}])
    reserved = ("USERNAME_RESERVED", ["postmaster", "Abuse", "HOSTMASTER", "webmaster", "mailer-daemon", "noc", "security", "root", "admin", "administrator",
                                      "operator", "no-reply", "noreply", "dmarc", "tlsrpt", "autoconfig", "autodiscover"])
    party.table([
        *[("tk", "POST", post + query, {"username": name}, 400, code) for code, names in (words, reserved) for name in names for query in ("", "?strict=true")],
        *[("tk", "POST", f"{post}?strict={value}", {}, 400, "VALIDATION_ERROR") for value in ("1", "yes", "TRUE", "")],
        *[("tk", "POST", post, {"displayName": value}, 400, "VALIDATION_ERROR") for value in ("x" * 256, "a\r\nb", "a\x00b", 5)],
        *[("tk", "POST", post, {"domain": value}, 400, "DOMAIN_NOT_AVAILABLE") for value in ("gmail.com", "sub.{domain}")],
        *[("tk", "POST", post, {"workspaceId": value}, 404, "WORKSPACE_NOT_FOUND") for value in ("{nowhere}",)],
        ("wk", "POST", post, {"workspaceId": "{other}"}, 404, "WORKSPACE_NOT_FOUND"),
        ("tk", "POST", post, [], 400, "VALIDATION_ERROR"), ("tk", "POST", post, "x", 400, "VALIDATION_ERROR"),
    ])
    name = f"n{os.urandom(5).hex()}"
    made = party.ask("tk", "POST", post, {"username": name.upper(), "displayName": "Größe", "domain": party.words["domain"].upper(), "workspaceId": "{other}"}, 201)
    login = f"{name}@{party.words['domain']}"
    equal([made[field] for field in ("email", "canonicalEmail", "username", "domain", "displayName", "workspaceId")],
          [login, login, name, party.words["domain"], "Größe", party.words["other"]], "the inbox")
    equal((made["imap"]["username"], made["smtp"]["username"], made["imap"]["tls"], made["smtp"]["starttls"]), (login, login, True, True), "where to log in")
    equal((made["imap"]["password"], made["smtp"]["password"]), (made["imapPassword"],) * 2, "the password")
    equal([party.server.address(kind)[1] for kind in ("imaps", "submission")], [made["imap"]["port"], made["smtp"]["port"]], "ports")
    again = party.ask("tk", "POST", post, {"username": name, "displayName": "Other"}, 200)
    equal((again["id"], again["existed"], again["displayName"]), (made["id"], True, "Größe"), "a repeat changes nothing")
    no_secret(again, "a repeat")
    got = party.ask("tk", "GET", f"/v1/inboxes/{made['id']}")
    no_secret(got, "GET")
    no_secret(party.ask("tk", "GET", post), "the list")
    equal(party.ask("wk", "POST", post, {"username": name}, 201)["username"], name + "1", "another workspace's name counts as taken")
    listed = party.ask("tk", "GET", post + "?workspace={other}")["inboxes"]
    equal({inbox["workspaceId"] for inbox in listed}, {party.words["other"]}, "of one workspace")
    equal([inbox["id"] for inbox in party.ask("ak", "GET", post)["inboxes"]], [party.a["id"]], "an inbox lists itself")
    changed = party.ask("tk", "PATCH", f"/v1/inboxes/{made['id']}", {"displayName": "New", "metadata": {"team": "a"}})
    equal((changed["updated"], changed["id"]), (True, made["id"]), "PATCH")
    equal(party.ask("tk", "GET", f"/v1/inboxes/{made['id']}")["displayName"], "New", "after PATCH")
    for body in ({"displayName": "a\nb"}, {"metadata": "x"}, []):
        party.ask("tk", "PATCH", f"/v1/inboxes/{made['id']}", body, 400)


@section
def addresses(party):
    """§7: aliases, and which one is shown."""
    path, alias = "/v1/inboxes/{inbox}/addresses", f"alias{os.urandom(4).hex()}@{party.words['domain']}"
    equal(party.ask("wk", "POST", path, {"email": alias.upper()}, 201), {"ok": True, "address": alias, "isPrimary": True}, "an alias, primary by default")
    told = party.ask("ak", "GET", "/v1/inboxes/{inbox}")
    equal((told["email"], told["canonicalEmail"]), (alias, party.a["canonicalEmail"]), "primary and canonical")
    second = f"second{os.urandom(4).hex()}@{party.words['domain']}"
    equal(party.ask("tk", "POST", path, {"email": second, "primary": False}, 201)["isPrimary"], False, "not primary")
    party.table([
        ("tk", "POST", path, {"email": party.b["email"]}, 409, "ADDRESS_TAKEN"),
        ("tk", "POST", path, {"email": "postmaster@{domain}"}, 400, "USERNAME_RESERVED"),
        *[("tk", "POST", path, body, 400, "VALIDATION_ERROR") for body in (
            {}, {"email": "x"}, {"email": "a b@{domain}"}, {"email": 5}, {"email": "ok@{domain}", "primary": "yes"})],
        ("tk", "POST", path, {"email": "x@gmail.com"}, 400, "DOMAIN_NOT_AVAILABLE"),
        ("tk", "DELETE", f"{path}/{party.a['canonicalEmail']}", None, 409, None),
        ("tk", "DELETE", f"{path}/nobody@{{domain}}", None, 404, "NOT_FOUND"),
        ("ak", "DELETE", f"{path}/{second}", None, 403, "FORBIDDEN"),
    ])
    for address in (alias, second, party.a["canonicalEmail"]):
        message = corpus.plain(address, f"To {address}")
        smtp.deliver(party.server, [address], corpus.octets(message), parameters=" BODY=8BITMIME")
        party.listed(subject=f"To {address}")
    sent = party.ask("ak", "POST", "/v1/inboxes/{inbox}/send", {"to": "x@elsewhere.example", "subject": "From the primary", "plainBody": "x"})
    equal(party.ask("ak", "GET", f"/v1/inboxes/{{inbox}}/messages/{sent['id']}")["from"].split("<")[-1].strip(">"), alias, "From")
    with Imap(party.server, party.a["canonicalEmail"], party.a["imapPassword"]) as session:
        session.select()
    equal(party.ask("tk", "DELETE", f"{path}/{alias}"), {"deleted": True, "address": alias}, "the primary goes")
    told = party.ask("tk", "GET", "/v1/inboxes/{inbox}")
    equal((told["email"], sorted(one["address"] for one in told["addresses"])), (party.a["canonicalEmail"], sorted([party.a["canonicalEmail"], second])), "what is left")
    with smtp.Smtp(party.server.address("smtp_in")) as client:
        client.hello()
        client.command("MAIL FROM:<x@client.example.net>", 250)
        client.command(f"RCPT TO:<{alias}>", 550)
    stranger = Party(party.server, "Stranger")
    equal(stranger.ask("tk", "POST", "/v1/inboxes?strict=true", {"username": alias.split("@")[0]}, 409)["code"], "USERNAME_TAKEN", "a tombstone")


@section
def rotating(party):
    """§6: credentials renewed, whole or in part."""
    box = party.inbox()
    path = f"/v1/inboxes/{box['id']}/rotate-credentials"
    both = {"apiKey", "imapPassword"}
    for body, changed in (({"apiKey": True}, {"apiKey"}), ({"imapPassword": True, "apiKey": False}, {"imapPassword"}), ({}, both), (None, both)):
        session = Imap(party.server, box["email"], box["imapPassword"])
        told = party.ask("tk", "POST", path, body)
        equal({name for name in ("apiKey", "imapPassword") if name in told}, changed, f"what {body} renews")
        if "apiKey" in changed:
            party.ask(box["apiKey"], "GET", "/v1/me", None, 401)
        if "imapPassword" in changed:
            ends(session)
            try:
                Imap(party.server, box["email"], box["imapPassword"])
            except Refused:
                pass
            else:
                raise Failure("the old password still works")
        session.close()
        box = {**box, **{name: told[name] for name in changed}}
        party.ask(box["apiKey"], "GET", f"/v1/inboxes/{box['id']}")
        with Imap(party.server, box["email"], box["imapPassword"]) as session:
            session.select()
    for body in ({"apiKey": "yes"}, []):
        party.ask("tk", "POST", path, body, 400)


@section
def more_keys(party):
    """§1: further keys of an inbox and of the tenant, and what ends with them."""
    box = party.inbox()
    path = f"/v1/inboxes/{box['id']}/keys"
    made = party.ask("wk", "POST", path, {"name": "second"}, 201)
    check(made["key"].startswith("ak_") and made["key"].startswith(made["prefix"]) and made["name"] == "second", f"the key {made['prefix']}")
    equal(party.ask(made["key"], "GET", "/v1/me")["inboxId"], box["id"], "whose it is")
    session = Imap(party.server, box["email"], made["key"])
    listed = party.ask("tk", "GET", path)["keys"]
    check(made["id"] in [one["id"] for one in listed] and made["key"] not in json.dumps(listed), "the list")
    party.ask("tk", "DELETE", f"{path}/{made['id']}")
    ends(session)
    party.ask(made["key"], "GET", "/v1/me", None, 401)
    party.ask(box["apiKey"], "GET", "/v1/me")
    tenant = party.ask("tk", "POST", "/v1/keys", {"name": "another"}, 201)
    check(tenant["key"].startswith("tk_") and tenant["id"] in [one["id"] for one in party.ask("tk", "GET", "/v1/keys")["keys"]], "a key of the tenant")
    party.table([
        ("tk", "DELETE", f"{path}/{made['id']}", None, 404, "NOT_FOUND"), ("ak", "POST", path, {}, 403, "FORBIDDEN"), ("wk2", "POST", path, {}, 404, "NOT_FOUND"),
        ("wk", "POST", "/v1/keys", {}, 403, "FORBIDDEN"), ("tk", "POST", path, {"name": 5}, 400, "VALIDATION_ERROR"), ("tk", "POST", "/v1/keys", [], 400, "VALIDATION_ERROR"),
        (tenant["key"], "DELETE", f"/v1/inboxes/{box['id']}", None, 200, None), ("tk", "DELETE", f"/v1/keys/{tenant['id']}", None, 200, None),
        (tenant["key"], "GET", "/v1/me", None, 401, "UNAUTHORIZED"),
    ])


def ends(session):
    """The server closes this IMAP session by itself, within a second or so."""
    session.socket.settimeout(3)
    try:
        while b"BYE" not in session.response()[0]:
            pass
    except ConnectionError:
        pass


@section
def workspaces(party):
    """§7: tenants, workspaces and their keys."""
    made = party.ask("tk", "POST", "/v1/workspaces", {"name": "Größe & Co"}, 201)
    check({"id", "name", "slug", "isDefault", "inboxCount", "domainCount", "createdAt"} <= set(made), f"made {made}")
    equal((made["isDefault"], made["inboxCount"], made["domainCount"]), (False, 0, 0), "counts")
    party.words["new"] = made["id"]
    party.ask("tk", "POST", "/v1/inboxes", {"workspaceId": "{new}"}, 201)
    listed = party.ask("tk", "GET", "/v1/workspaces")
    listed = listed["workspaces"] if isinstance(listed, dict) else listed
    equal({one["id"]: one["inboxCount"] for one in listed}[made["id"]], 1, "inboxes of it")
    equal(sum(one["isDefault"] for one in listed), 1, "default workspaces")
    equal(party.ask("tk", "GET", "/v1/workspaces/{new}")["name"], "Größe & Co", "one")
    key = party.ask("tk", "POST", "/v1/workspaces/{new}/keys", {"name": "CI"}, 201)
    check(key["key"].startswith("wk_") and key["key"].startswith(key["prefix"]) and key["workspaceId"] == made["id"], f"the key {key['prefix']}")
    told = party.ask("tk", "GET", "/v1/workspaces/{new}/keys")["keys"]
    equal([(one["id"], one["name"]) for one in told], [(key["id"], "CI")], "its keys")
    check(key["key"] not in json.dumps(told), "the list tells the key")
    party.table([
        (key["key"], "GET", "/v1/inboxes/{inbox}", None, 404, "NOT_FOUND"),
        ("tk", "GET", "/v1/workspaces/{nowhere}", None, 404, None), ("tk", "POST", "/v1/workspaces/{nowhere}/keys", {}, 404, None),
        *[("tk", "POST", "/v1/workspaces", body, 400, "VALIDATION_ERROR") for body in ({}, {"name": ""}, {"name": 5}, [])],
        ("tk", "DELETE", f"/v1/workspaces/{{new}}/keys/{key['id']}", None, 200, None),
        ("tk", "DELETE", f"/v1/workspaces/{{new}}/keys/{key['id']}", None, 404, "NOT_FOUND"),
        (key["key"], "GET", "/v1/me", None, 401, "UNAUTHORIZED"),
    ])
    tenant = party.ask("sa", "POST", "/v1/tenants", {"name": "Limited", "maxInboxes": 1}, 201)
    equal((tenant["name"], tenant["maxInboxes"], tenant["apiKey"][:3]), ("Limited", 1, "tk_"), "a tenant")
    party.ask(tenant["apiKey"], "POST", "/v1/inboxes", {"username": f"one{os.urandom(4).hex()}"}, 201)
    equal(party.ask(tenant["apiKey"], "POST", "/v1/inboxes", {}, 403)["code"], "PLAN_LIMIT_REACHED", "a full plan")
    equal(party.ask("sa", "PATCH", f"/v1/tenants/{tenant['id']}", {"maxInboxes": None}).get("maxInboxes"), None, "without a limit")
    party.ask(tenant["apiKey"], "POST", "/v1/inboxes", {}, 201)
    no_secret(party.ask("sa", "GET", f"/v1/tenants/{tenant['id']}"), "a tenant")
    no_secret(party.ask("sa", "GET", "/v1/tenants"), "the tenants")
    party.table([
        ("sa", "GET", "/v1/tenants/{nowhere}", None, 404, "NOT_FOUND"),
        *[("sa", "POST", "/v1/tenants", body, 400, "VALIDATION_ERROR") for body in (
            {}, {"name": ""}, {"name": 5}, {"name": "x", "maxInboxes": -1}, {"name": "x", "maxInboxes": "5"})],
        ("sa", "DELETE", f"/v1/tenants/{tenant['id']}", None, 200, None),
    ])
    party.ask(tenant["apiKey"], "GET", "/v1/me", None, 401)
    party.ask("sa", "GET", f"/v1/tenants/{tenant['id']}", None, 404)
