#!/usr/bin/env python3
"""`postroom identity` and `postroom import` against a live `postroom dev`: identities made and given, found, renamed and deleted, their rules
and keys; files of mail sent and followed, also over a restart of the server; and every refusal with its exit code."""

import os
import sys
import time
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import scenario
from api import request
from commands import FAILED, KEY, NOT_FOUND, USAGE, Cli
from imap import Imap
from scenario import check, command, equal, say, temp_folder, wait_until
from server import Server, binary

NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"


def made_and_changed(tenant):
    scout = tenant.json("identity", "create", "@Scout", "--display-name", "Scout 日本", "--description", "looks round")
    equal((scout["agent_handle"], scout["email_address"]), ("scout", "scout@example.test"), "identity create")
    equal((scout["display_name"], scout["description"]), ("Scout 日本", "looks round"), "what was given")
    told = tenant.text("identity", "create", "ranger")
    check("agent_handle: ranger" in told and "imessage" not in told, f"an identity as text: {told}")
    table = tenant.text("identity", "ls").splitlines()
    equal(table[0].split(), ["AGENT_HANDLE", "EMAIL_ADDRESS", "STATUS", "DISPLAY_NAME", "CREATED_AT"], "head of the table")
    equal([line.split()[0] for line in table[1:]], ["scout", "ranger"], "identity ls, by age")
    equal([one["agent_handle"] for one in tenant.json("identity", "list")["identities"]], ["scout", "ranger"], "identity list as JSON")
    equal(tenant.json("identity", "show", "SCOUT")["id"], scout["id"], "identity show")

    changed = tenant.json("identity", "update", "scout", "--description", "", "--display-name", "S", "--inbound", "whitelist")
    equal((changed["description"], changed["display_name"]), (None, "S"), "identity update")
    equal((changed["mail_inbound_filter_mode"], changed["mail_outbound_filter_mode"]), ("whitelist", "blacklist"), "modes")
    equal(tenant.json("identity", "update", "scout", "--inbound", "blacklist")["mail_inbound_filter_mode"], "blacklist", "mode back")
    equal(tenant.json("identity", "update", "ranger", "--rename", "walker")["agent_handle"], "walker", "renamed")
    tenant.refused(NOT_FOUND, "404", "identity", "show", "ranger")
    equal(tenant.json("identity", "update", "walker", "--rename", "ranger")["email_address"], "ranger@example.test", "renamed back")
    equal(tenant.json("identity", "pause", "scout")["status"], "paused", "identity pause")
    tenant.refused(FAILED, "403", "message", "send", "scout@example.test", "--to", "a@example.net", "--text", "x")
    equal(tenant.json("identity", "resume", "scout")["status"], "active", "identity resume")


def refused(tenant, operator, agent):
    tenant.refused(FAILED, "An identity has it", "identity", "create", "scout")
    tenant.refused(FAILED, "agent_handle_unavailable", "identity", "create", "postmaster")
    tenant.refused(FAILED, "An inbox has it", "identity", "create", "agent")
    tenant.refused(FAILED, "422", "identity", "create", "a--b")
    tenant.refused(FAILED, "422", "identity", "create", "free", "--local-part", "other")
    tenant.refused(FAILED, "422", "identity", "create", "free", "--domain", "unknown.example")
    tenant.refused(NOT_FOUND, "404", "identity", "rm", "free")
    tenant.refused(USAGE, "say what to change", "identity", "update", "scout")
    tenant.refused(USAGE, "whitelist", "identity", "update", "scout", "--inbound", "greylist")
    tenant.refused(USAGE, "cannot be used with", "identity", "create", "x", "--server-domain", "--domain", "y.example")
    for other in (operator, agent):
        other.refused(KEY, "tk_", "identity", "ls")
        other.refused(KEY, "tk_", "import", "ls", "--identity", "scout")
    Cli(tenant.server, "tk_wrong").refused(KEY, "401", "identity", "ls")


def given(server, tenant, operator, agent):
    """An identity for an inbox of another dialect, seen at once in the one that has identities."""
    desk = tenant.json("inbox", "create", "desk")
    identity = tenant.json("identity", "give", "desk@example.test", "helper", "--description", "what for")
    equal((identity["handle"], identity["address"], identity["existed"]), ("helper", "desk@example.test", False), "identity give")
    shown = tenant.json("identity", "show", "helper")
    equal((shown["id"], shown["email_address"], shown["description"]), (identity["id"], "desk@example.test", "what for"), "at once over /api")
    own = Cli(server, desk["apiKey"])
    equal(own.json("identity", "show", "helper")["id"], identity["id"], "the inbox's own key is its agent's")
    equal([one["agent_handle"] for one in own.json("identity", "ls")["identities"]], ["helper"], "it finds itself")
    for asker, name in ((operator, desk["id"]), (tenant, "desk@example.test")):
        again = asker.json("identity", "give", name, "helper")
        equal((again["id"], again["existed"]), (identity["id"], True), "asked again")
    check("handle: helper" in operator.text("identity", "give", desk["id"], "helper"), "as text")
    tenant.refused(FAILED, "identity_exists", "identity", "give", desk["id"], "another")
    free = tenant.json("inbox", "create", "bench")["id"]
    tenant.refused(FAILED, "An identity has it", "identity", "give", free, "helper")
    tenant.refused(FAILED, "An inbox has it", "identity", "give", free, "desk")
    tenant.refused(FAILED, "400", "identity", "give", free, "x")
    operator.refused(NOT_FOUND, "404", "identity", "give", NOWHERE, "nobody")
    for narrow in (own, agent):
        narrow.refused(KEY, "403", "identity", "give", free, "nobody")
    equal(request(server, "GET", f"/postroom/v1/inboxes/{free}", key=tenant.key)[1]["identity"], None, "nothing was done")


def access(tenant):
    ids = {name: tenant.json("identity", "show", name)["id"] for name in ("scout", "ranger", "helper")}
    ranger = Cli(tenant.server, tenant.json("identity", "key", "create", "ranger", "--label", "cli")["api_key"])
    found = lambda: sorted(one["agent_handle"] for one in ranger.json("identity", "ls")["identities"])
    equal(found(), ["ranger"], "nobody else yet")
    ranger.refused(NOT_FOUND, "404", "identity", "show", "scout")
    equal(tenant.json("identity", "grant", "scout", "ranger")["viewer_identity_id"], ids["ranger"], "identity grant")
    equal(found(), ["ranger", "scout"], "found now")
    tenant.refused(FAILED, "409", "identity", "grant", "scout", ids["ranger"])
    check("ranger" in tenant.text("identity", "access", "scout").splitlines()[1], "who may find it, by handle")
    equal([row["viewer_identity_id"] for row in tenant.json("identity", "access", "scout")["access"]], [ids["ranger"]], "as JSON")
    equal(tenant.json("identity", "grant", "scout", "--everybody")["viewer_identity_id"], None, "everybody")
    check("everybody" in tenant.text("identity", "access", "scout"), "everybody may")
    tenant.refused(FAILED, "redundant_grant", "identity", "grant", "scout", "ranger")
    equal(tenant.json("identity", "revoke", "scout", "ranger"), {}, "identity revoke")
    equal(found(), ["ranger"], "found no longer")
    equal([row["viewer_identity_id"] for row in tenant.json("identity", "access", "scout")["access"]], [ids["helper"]], "the others still do")
    tenant.refused(NOT_FOUND, "404", "identity", "revoke", "scout", "ranger")
    tenant.refused(NOT_FOUND, "404", "identity", "grant", "scout", "nobody")
    tenant.refused(USAGE, "required", "identity", "grant", "scout")
    for words in (("create", "other"), ("access", "ranger"), ("grant", "ranger", "--everybody"), ("rm", "ranger"), ("update", "ranger", "--rename", "x1y")):
        ranger.refused(KEY, "403", "identity", *words)
    equal(ranger.json("identity", "update", "ranger", "--description", "mine")["description"], "mine", "an agent describes itself")


def keys_and_rules(tenant):
    made = tenant.json("identity", "key", "create", "scout", "--label", "laptop", "--description", "for tests")
    check(made["api_key"].startswith("ak_") and made["record"]["label"] == "laptop", f"identity key create: {made['record']}")
    scout = Cli(tenant.server, made["api_key"])
    check("laptop" in tenant.text("identity", "key", "ls"), "identity key ls")
    first = tenant.json("identity", "key", "ls", "--limit", "1")
    equal((len(first["items"]), first["has_more"]), (1, True), "one key of a page")
    check("--page" in tenant.text("identity", "key", "ls", "--limit", "1"), "people are told that there is more")
    rest = tenant.json("identity", "key", "ls", "--page", first["next_cursor"])["items"]
    check(rest and all(one["id"] != first["items"][0]["id"] for one in rest), "the page after it")
    equal(len(tenant.json("identity", "key", "ls", "--all")["items"]), len(rest) + 1, "all of them")
    equal(tenant.json("identity", "signing-key", "scout")["configured"], False, "no signing key")
    check(tenant.json("identity", "signing-key", "scout", "--rotate")["signing_key"], "a signing key")
    equal(tenant.json("identity", "signing-key", "scout")["configured"], True, "it has one")

    equal(tenant.json("identity", "signature", "scout")["signature_enabled"], False, "no signature")
    signed = tenant.json("identity", "signature", "scout", "--html", "<p>Scout</p>", "--enable")
    equal((signed["signature_text"], signed["signature_enabled"]), ("Scout", True), "a signature, and what is made of it")
    check("signature_html: <p>Scout</p>" in scout.text("identity", "signature", "scout"), "with its own key, as text")
    off = tenant.json("identity", "signature", "scout", "--text", "", "--html", "", "--disable")
    equal((off["signature_text"], off["signature_html"], off["signature_enabled"]), (None, None, False), "no longer")

    rule = tenant.json("identity", "rule", "add", "scout", "block", "Spam.example")
    equal((rule["match_type"], rule["match_target"], rule["direction"], rule["status"]), ("domain", "spam.example", "both", "active"), "rule add")
    other = tenant.json("identity", "rules", "add", "scout", "allow", "zoe@spam.example", "--direction", "inbound", "--paused")
    equal((other["match_type"], other["status"]), ("exact_email", "paused"), "rule add of an address")
    tenant.refused(FAILED, "409", "identity", "rule", "add", "scout", "allow", "spam.example")
    tenant.refused(FAILED, "403", "message", "send", "scout@example.test", "--to", "a@spam.example", "--text", "x")
    listed = tenant.json("identity", "rule", "ls", "scout")["rules"]
    equal({one["id"] for one in listed}, {rule["id"], other["id"]}, "rule ls")
    equal([one["id"] for one in tenant.json("identity", "rule", "ls", "scout", "--action", "allow")["rules"]], [other["id"]], "those that allow")
    check("spam.example" in tenant.text("identity", "rule", "list"), "rules of all")
    equal(len(tenant.json("identity", "rule", "ls", "--limit", "1", "--offset", "1")["rules"]), 1, "a part of them")
    equal(tenant.json("identity", "rule", "show", "scout", other["id"])["id"], other["id"], "rule show")
    changed = tenant.json("identity", "rule", "update", "scout", other["id"], "--resume", "--direction", "outbound")
    equal((changed["status"], changed["direction"], changed["action"]), ("active", "outbound", "allow"), "rule update")
    tenant.refused(USAGE, "required", "identity", "rule", "update", "scout", other["id"])
    scout.refused(KEY, "403", "identity", "rule", "rm", "scout", other["id"])
    equal(tenant.json("identity", "rule", "rm", "scout", other["id"]), {}, "rule rm")
    tenant.refused(NOT_FOUND, "404", "identity", "rule", "show", "scout", other["id"])

    equal(tenant.json("identity", "key", "rm", made["record"]["id"]), {}, "identity key rm")
    scout.refused(KEY, "401", "identity", "ls")


def letter(name):
    return f"From: a@old.example\r\nTo: b@old.example\r\nMessage-ID: <{name}@old.example>\r\nSubject: {name}\r\n\r\n{name}\r\n".encode()


def mbox(names):
    return b"".join(b"From a@old.example Thu Jan  1 00:00:00 2015\n" + letter(name).replace(b"\r\n", b"\n") + b"\n" for name in names)


class Folder:
    def __init__(self):
        self.path = temp_folder("cli-import")

    def file(self, name, content):
        path = os.path.join(self.path, name)
        with open(path, "wb") as file:
            file.write(content)
        return path


def unseen(server, inbox):
    with Imap(server, inbox["email"], inbox["imapPassword"]) as imap:
        untagged, _ = imap.command("STATUS INBOX (MESSAGES UNSEEN)")
        return untagged[0][0].split(b"(")[1]


def imports(server, tenant):
    folder, inbox = Folder(), tenant.json("inbox", "create", "archive")
    own, into = Cli(server, inbox["apiKey"]), ("--inbox", "archive@example.test")
    done = tenant.json("import", folder.file("two.mbox", mbox(["one", "two"])), *into)
    equal((done["status"], done["messages_imported"], done["source_format"]), ("completed", 2, "auto"), "an mbox file")
    again = own.json("import", os.path.join(folder.path, "two.mbox"), "--format", "mbox", *into)
    equal((again["messages_imported"], again["messages_skipped_duplicate"]), (0, 2), "what is there is left out")
    told = own.text("import", folder.file("three.eml", letter("three")), "--unread", *into)
    check("status: completed" in told and "messages_imported: 1" in told, f"one message: {told}")
    equal(unseen(server, inbox), b"MESSAGES 3 UNSEEN 1)", "read, but where told otherwise")
    archive = os.path.join(folder.path, "four.zip")
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a/four.eml", letter("four"))
        packed.writestr("b/mine.eml", letter("mine").replace(b"a@old", b"me@old"))
    tenant.json("identity", "give", inbox["id"], "keeper")
    brought = tenant.json("import", archive, "--identity", "keeper", "--mine", "me@old.example")
    equal((brought["messages_imported"], brought["original_addresses"]), (2, ["me@old.example"]), "an archive, by the handle")
    equal(tenant.json("message", "ls", "archive@example.test", "--label", "sent")["messages"][0]["subject"], "mine", "in Sent")
    # A name that a command has.
    check("completed" in command([binary(), "import", "./ls", "--inbox", inbox["id"]], cwd=os.path.dirname(folder.file("ls", letter("ls"))),
                                 env=tenant.environment()).decode(), "a file called ls, an inbox by its id")

    listed = tenant.json("import", "ls", *into)
    equal([one["status"] for one in listed["items"]], ["completed"] * 5, "import ls")
    first = tenant.json("import", "list", "--limit", "2", *into)
    equal(len(first["items"]), 2, "a page of imports")
    equal(tenant.json("import", "ls", "--page", first["next_cursor"], *into)["items"], listed["items"][2:], "the page after it")
    check(listed["items"][0]["id"] in own.text("import", "ls", *into), "import ls as a table")
    job = listed["items"][0]["id"]
    equal(own.json("import", "show", job, *into), listed["items"][0], "import show")
    equal(own.json("import", "follow", job, *into)["status"], "completed", "import follow of one that has ended")
    tenant.refused(FAILED, "409", "import", "cancel", job, *into)
    tenant.refused(NOT_FOUND, "404", "import", "show", NOWHERE, *into)
    return folder, own, into


def imports_that_fail(server, tenant, folder, own, into):
    """The exit code tells it; nothing stays behind that would be in the way of others."""
    ends = lambda words, told: equal(own.text("import", *words, *into, expect=FAILED).count(told), 1, f"import of {words}: {told}")
    ends([folder.file("broken.zip", b"PK\x03\x04 and nothing")], "the import failed: ")
    ends([folder.file("empty.eml", b""), "--json"], "the import failed: ")
    tenant.refused(FAILED, "No such file", "import", os.path.join(folder.path, "nothing.mbox"), *into)
    tenant.refused(USAGE, "is not a file", "import", folder.path, *into)
    good = folder.file("good.eml", letter("good"))
    tenant.refused(USAGE, "required", "import", good)
    tenant.refused(USAGE, "required", "import", "ls")
    tenant.refused(USAGE, "required", "import")
    tenant.refused(USAGE, "cannot be used with", "import", good, "--inbox", "a@b", "--identity", "c")
    tenant.refused(USAGE, "eml", "import", good, "--format", "pst", *into)
    tenant.refused(NOT_FOUND, "404", "import", good, "--inbox", "nobody@example.test")
    tenant.refused(NOT_FOUND, "404", "import", good, "--identity", "nobody")
    tenant.refused(FAILED, "422", "import", good, "--mine", "no address", *into)
    own.refused(NOT_FOUND, "404", "import", good, "--inbox", "scout@example.test")
    equal(own.json("import", "ls", "--limit", "2", *into)["items"][0]["status"], "failed", "the last that began")


def a_long_one(server, tenant, folder, into):
    """Followed while the server is away, left and taken up again, and cancelled."""
    path = folder.file("long.mbox", mbox([f"long-{number}" for number in range(3000)]))
    running = tenant.start("import", path, "--json", *into)
    jobs = lambda: tenant.json("import", "ls", "--limit", "1", *into)["items"]
    wait_until(lambda: jobs()[0]["status"] == "running" and jobs()[0]["messages_processed"] > 0, "the import to begin", 30)
    server.kill()
    time.sleep(1)
    server.start()
    out, _ = running.process.communicate(timeout=60)
    equal(running.process.returncode, 0, "end of an import that was followed over a kill")
    check(b'"messages_imported":3000' in out, f"all of them: {out[-600:]}")

    path = folder.file("longer.mbox", mbox([f"longer-{number}" for number in range(6000)]))
    begun = tenant.json("import", path, "--detach", *into)
    check(begun["status"] in ("queued", "running"), f"detached: {begun}")
    follower = tenant.start("import", "follow", begun["id"], *into)
    time.sleep(0.5)
    code, errors = follower.interrupt()
    check(code == FAILED and f"import follow {begun['id']}" in errors, f"stopped following: {code} {errors}")
    equal(tenant.json("import", "cancel", begun["id"], *into)["status"], "cancelled", "import cancel")
    tenant.text("import", "follow", begun["id"], *into, expect=FAILED)


def told():
    for group, example in (("identity", "postroom identity give"), ("import", "postroom import ls")):
        text = command([binary(), group, "--help"]).decode()
        check(example in text and "5  nothing came in time" in text, f"help of {group}")
    script = command([binary(), "completions", "bash"]).decode()
    check("signing-key" in script and "--detach" in script, "completions")


def run():
    with Server() as server:
        operator, tenant, agent = (Cli(server, key) for key in ("operator_key", "tenant_key", "api_key"))
        made_and_changed(tenant)
        refused(tenant, operator, agent)
        given(server, tenant, operator, agent)
        access(tenant)
        keys_and_rules(tenant)
        tenant.text("identity", "rm", "ranger")
        tenant.refused(NOT_FOUND, "404", "identity", "show", "ranger")
        tenant.refused(NOT_FOUND, "no inbox", "inbox", "show", "ranger@example.test")
        folder, own, into = imports(server, tenant)
        imports_that_fail(server, tenant, folder, own, into)
        a_long_one(server, tenant, folder, into)
        told()
        say("identities and imports from the command line")


scenario.main(run, 240)
