"""What organizes and guards mail, with a key of the AgentMail API: pods, keys, inboxes, lists, webhooks, domains, metrics."""

import tempfile

from api import request
from commands import DONE, FAILED, KEY, NOT_FOUND, USAGE, Cli
from scenario import check, command, equal
from server import binary


def pods(agent):
    pod = agent.json("pod", "create", "crew", "--client-id", "crew-1")
    equal(agent.json("pod", "create", "crew", "--client-id", "crew-1")["pod_id"], pod["pod_id"], "made once")
    check("crew" in agent.text("pod", "ls"), "pod ls")
    equal(agent.json("pod", "show", pod["pod_id"])["name"], "crew", "pod show")
    listed = agent.json("pod", "ls", "--limit", "1")
    equal((len(listed["pods"]), listed["count"]), (1, 1), "one pod of a page")
    more = agent.json("pod", "list", "--page", listed["next_page_token"])
    check(more["pods"] and more["pods"] != listed["pods"], "the page after it")
    check("--page" in agent.text("pod", "ls", "--limit", "1"), "people are told that there is more")
    return pod["pod_id"]


def pages(server, agent, pod):
    """More than the API gives at once is one list."""
    for number in range(3):
        agent.json("inbox", "create", f"crew{number}", "--pod", pod)
    for words, expected in ((("--limit", "2"), 2), (("--all",), 3)):
        listed = agent.json("inbox", "ls", "--pod", pod, *words)
        equal((len(listed["inboxes"]), listed["count"]), (expected, expected), f"inboxes with {words}")
        equal("next_page_token" in listed, expected == 2, f"more with {words}")
    for number in range(105):
        status, _ = request(server, "POST", "/v0/lists/send/block", {"entry": f"user{number}@page.example"}, agent.key)
        equal(status, 200, "status of a list entry")
    listed = agent.json("list", "ls", "send", "block", "--limit", "103")
    equal((listed["count"], len({one["entry"] for one in listed["entries"]})), (103, 103), "two pages, put together")
    equal(agent.json("list", "ls", "send", "block", "--all")["count"], 105, "all there are")
    for number in range(3):
        agent.json("inbox", "rm", f"crew{number}@example.test")
    equal(agent.json("pod", "rm", pod), {}, "pod rm")
    agent.refused(NOT_FOUND, "404", "pod", "show", pod)


def inboxes(agent):
    made = agent.json("inbox", "create", "amy", "--display-name", "Amy 日本", "--metadata", "team=red", "--client-id", "amy-1")
    equal((made["inbox_id"], made["metadata"]), ("amy@example.test", {"team": "red"}), "inbox create")
    agent.refused(FAILED, "resource_taken", "inbox", "create", "amy")
    amy = made["inbox_id"]
    equal(agent.json("inbox", "show", amy)["display_name"], "Amy 日本", "inbox show")
    equal([one["inbox_id"] for one in agent.json("inbox", "search", "amy")["inboxes"]], [amy], "inbox search")
    changed = agent.json("inbox", "update", amy, "--display-name", "Amélie", "--metadata", "team=", "--metadata", "level=2")
    equal((changed["display_name"], changed["metadata"]), ("Amélie", {"level": "2"}), "inbox update")
    equal(agent.json("inbox", "pause", amy)["status"], "paused", "inbox pause")
    check("status" not in agent.json("inbox", "resume", amy), "inbox resume")
    agent.refused(KEY, "403", "inbox", "pause", amy, "--sending")
    agent.refused(NOT_FOUND, "called by its address", "inbox", "show", "amy")
    agent.refused(NOT_FOUND, "404", "inbox", "show", "nobody@example.test")
    agent.refused(NOT_FOUND, "nothing is called", "pod", "rm", "")
    agent.refused(NOT_FOUND, "nothing is called", "pod", "rm", "..")
    lines = agent.text("inbox", "ls").splitlines()
    check(all("\x1b" not in line for line in lines), "no colours")
    column = lines[0].index("POD_ID")
    check(all(line[column - 1 : column] == " " for line in lines if "日" not in line), f"columns stand below each other: {lines}")
    return amy


def keys(server, agent, amy):
    made = agent.json("key", "create", "reader", "--inbox", amy, "--allow", "message_read,inbox_read", "--allow", "api_key_read")
    equal(sorted(made["permissions"]), ["api_key_read", "inbox_read", "message_read"], "permissions")
    reader = Cli(server, made["api_key"])
    equal(reader.json("whoami"), {**reader.json("whoami"), "scope_type": "inbox", "inbox_id": amy}, "whoami of an inbox")
    check("organization" in agent.text("whoami"), "whoami as text")
    check(agent.json("org", "show")["inbox_count"] >= 1, "org show without an id")
    reader.refused(KEY, "missing_permission", "message", "send", amy, "--to", "a@example.net", "--text", "x")
    reader.refused(KEY, "`message_send`", "message", "send", amy, "--to", "a@example.net", "--text", "x")
    reader.refused(NOT_FOUND, "404", "message", "ls", server.ready["inbox"]["address"])
    key = made["api_key_id"]
    check("reader" in agent.text("key", "ls", "--inbox", amy), "key ls of an inbox")
    check(all(one["api_key_id"] != key for one in agent.json("key", "ls", "--all")["api_keys"] if "inbox_id" not in one), "key ls")
    equal(agent.json("key", "show", key)["name"], "reader", "key show")
    changed = agent.json("key", "update", key, "--name", "one", "--allow", "message_read")
    equal((changed["name"], list(changed["permissions"])), ("one", ["message_read"]), "key update")
    check("permissions" not in agent.json("key", "update", key, "--unrestricted"), "a key without a whitelist")
    reader.text("inbox", "show", amy)
    agent.text("key", "rm", key)
    reader.refused(KEY, "401", "inbox", "show", amy)
    agent.refused(USAGE, "cannot be used with", "key", "update", key, "--allow", "x", "--unrestricted")


def lists(agent, amy):
    agent.json("list", "add", "receive", "block", "spam.example", "--reason", "junk", "--inbox", amy)
    check("junk" in agent.text("list", "ls", "receive", "block", "--inbox", amy), "list ls")
    entry = agent.json("list", "show", "receive", "block", "spam.example", "--inbox", amy)
    equal((entry["entry_type"], entry["reason"]), ("domain", "junk"), "list show")
    equal(agent.json("list", "rm", "receive", "block", "spam.example", "--inbox", amy), {}, "list rm")
    agent.refused(NOT_FOUND, "404", "list", "show", "receive", "block", "spam.example", "--inbox", amy)
    agent.refused(USAGE, "receive, send, reply", "list", "ls", "sideways", "block")
    agent.refused(FAILED, "400", "list", "add", "receive", "allow", "not an address")


def webhooks(agent, amy):
    made = agent.json("webhook", "add", "http://127.0.0.1:9/hook", "--type", "message.received", "--inbox", amy, "--header", "X-One: 1")
    check(made["secret"].startswith("whsec_"), "the secret of a webhook")
    hook = made["webhook_id"]
    check("127.0.0.1:9" in agent.text("webhook", "ls", "--inbox", amy), "webhook ls")
    equal(agent.json("webhook", "show", hook)["event_types"], ["message.received"], "webhook show")
    changed = agent.json("webhook", "update", hook, "--type", "message.sent", "--type", "message.bounced", "--disable")
    equal((sorted(changed["event_types"]), changed["enabled"]), (["message.bounced", "message.sent"], False), "webhook update")
    equal(agent.json("webhook", "update", hook, "--enable")["enabled"], True, "webhook on again")
    equal(agent.json("webhook", "headers", hook)["header_names"], ["X-One"], "webhook headers")
    equal(agent.json("webhook", "headers", hook, "--set", "X-Two: 2", "--remove", "X-One"), {}, "a change of headers")
    equal(agent.json("webhook", "headers", hook)["header_names"], ["X-Two"], "headers after it")
    agent.refused(USAGE, "has no", "webhook", "headers", hook, "--set", "X-Three")
    equal(agent.json("webhook", "delete", hook), {}, "webhook rm")
    agent.refused(NOT_FOUND, "404", "webhook", "show", hook)


def domains(agent):
    made = agent.json("domain", "add", "mine.example", "--subdomains")
    equal((made["domain_id"], made["subdomains_enabled"]), ("mine.example", True), "domain add")
    check("mine.example" in agent.text("domain", "ls"), "domain ls")
    check("_dmarc" in agent.text("domain", "records", "mine.example"), "records as a table")
    check(" IN MX 10 " in agent.text("domain", "dns", "mine.example", "--format", "zone"), "zone file")
    check(agent.json("domain", "dns", "mine.example")["records"], "records as JSON")
    equal(agent.json("domain", "update", "mine.example", "--subdomains", "false")["subdomains_enabled"], False, "domain update")
    # Under dev the DNS is not asked.
    equal(agent.json("domain", "verify", "mine.example")["status"], "VERIFIED", "domain verify")
    agent.refused(KEY, "403", "domain", "rotate-dkim", "mine.example")
    agent.text("domain", "rm", "mine.example")
    agent.refused(NOT_FOUND, "404", "domain", "show", "mine.example")


def metrics(agent, amy):
    for verb, column in (("events", "COUNT"), ("usage", "VALUE"), ("rates", "RATE")):
        words = ["metrics", verb, "--inbox", amy, "--period", "3600"]
        check(isinstance(agent.json(*words), dict), f"metrics {verb}")
        check(column in agent.text(*words).splitlines()[0], f"metrics {verb} as a table")
    only = agent.json("metrics", "rates", "--type", "bounce", "--period", "3600", "--window", "7200", "--limit", "2", "--descending")
    equal((list(only), len(only["bounce"])), (["bounce"], 2), "one series")
    agent.refused(FAILED, "400", "metrics", "events", "--start", "yesterday")


def sign_up(server):
    nobody = Cli(server, "")
    made = nobody.json("agent", "sign-up", "newcomer", "--human", "human@example.net")
    newcomer = Cli(server, made["api_key"])
    newcomer.refused(FAILED, "[4", "agent", "verify", "000000")
    check("instructions" in newcomer.json("agent", "human", "human@example.net"), "agent human")
    nobody.refused(KEY, "no API key", "whoami")


def completions():
    for shell, sign in (("bash", "complete -F"), ("zsh", "#compdef postroom"), ("fish", "complete -c postroom"), ("elvish", "postroom"), ("powershell", "postroom")):
        script = command([binary(), "completions", shell]).decode()
        check(sign in script and "reply-all" in script, f"completions for {shell}")
    with tempfile.NamedTemporaryFile("w", suffix=".bash") as file:
        file.write(command([binary(), "completions", "bash"]).decode())
        file.flush()
        asked = f"source {file.name}; COMP_WORDS=(postroom message rep); COMP_CWORD=2; _postroom postroom rep message; echo ${{COMPREPLY[@]}}"
        equal(command(["bash", "-c", asked]).decode().split(), ["reply", "reply-all"], "what bash offers")
    command([binary(), "completions", "csh"], expect=USAGE)
    told = command([binary(), "--help"], expect=DONE).decode()
    check("5  nothing came in time" in told and "webhook" in told, "exit codes are in the help")


def run(server):
    agent = Cli(server, "api_key")
    pages(server, agent, pods(agent))
    amy = inboxes(agent)
    keys(server, agent, amy)
    lists(agent, amy)
    webhooks(agent, amy)
    domains(agent)
    metrics(agent, amy)
    sign_up(server)
    completions()
    gone = {**agent.environment(), "POSTROOM_URL": "http://127.0.0.1:1"}
    check(b"Connection refused" in command([binary(), "whoami"], env=gone, expect=FAILED), "no server there")
