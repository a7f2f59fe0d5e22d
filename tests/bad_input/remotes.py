#!/usr/bin/env python3
"""Remote servers and name servers that misbehave: bounded time and memory, a clear state, nothing lost, others unharmed."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from nameserver import NameServer
from remote import CLOSE, ENDLESS, GARBAGE, LONG, SILENT, Remote, tls_context
from scenario import check, command, equal, options, say, wait_until
from server import Server
from submit import session, trace

PHASES = ("connect", "ehlo", "mail", "rcpt", "data", "dot")
GROWTH_OCTETS = 64 << 20


def always(where, what):
    """A script that misbehaves in one phase."""
    return lambda phase, session: what if phase == where else None


def remotes(port, folder):
    """{domain: (script, tls context)}; each gets an address of its own."""
    found = {f"{what.lower()}-{phase}.test": (always(phase, what), None) for what in (CLOSE, ENDLESS, LONG) for phase in PHASES}
    found |= {f"silent-{phase}.test": (always(phase, SILENT), None) for phase in ("connect", "dot")}
    found |= {f"{code}-{phase}.test": (always(phase, f"{code} {str(code)[0]}.7.1 no"), None) for code in (451, 550) for phase in PHASES}
    found["nonsense.test"] = (always("ehlo", "what?"), None)
    found["numbers.test"] = (always("mail", "999 hm"), None)
    found["controls.test"] = (always("rcpt", "550 5.1.1 a\x1b[31m\x00\u202e red"), None)
    command(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-keyout",
             folder + "/k.pem", "-out", folder + "/c.pem", "-subj", "/CN=someone-else.example"])
    found["other-name.test"] = (None, tls_context(folder + "/c.pem", folder + "/k.pem"))
    found["broken-tls.test"] = (always("tls", GARBAGE), tls_context(folder + "/c.pem", folder + "/k.pem"))
    found["injected.test"] = (always("starttls", "220 go\r\n250-AUTH PLAIN\r\n250 SIZE 1"), tls_context(folder + "/c.pem", folder + "/k.pem"))
    servers = {}
    for number, (domain, (script, tls)) in enumerate(sorted(found.items())):
        servers[domain] = Remote((f"127.0.1.{number + 1}", port), script, tls)
    return servers


def expected(domain):
    """States that are right after the first attempt."""
    what, _, phase = domain.removesuffix(".test").partition("-")
    if what == "550":
        # A refusal of the whole server is tried again: another day it may be another.
        return ("bounced", "queued") if phase in ("connect", "ehlo") else ("bounced",)
    if domain in ("other-name.test", "broken-tls.test"):
        return ("delivered",)  # opportunistic: bad TLS is no worse than none
    if domain == "controls.test":
        return ("bounced",)
    return ("queued",)


def dns_trouble(names):
    """{domain: states that are right}."""
    names.put("nullmx.test", "MX", "0 .")
    names.put("thousand.test", "MX", [f"{n} host{n}.thousand.test" for n in range(1000)])
    names.put("here.test", "MX", "10 mail.example.test")
    names.put("literal.test", "MX", "10 127.0.0.1")
    names.put("circle.test", "CNAME", "circle2.test")
    names.put("circle2.test", "CNAME", "circle.test")
    names.put("silent.mx.test", "MX", "10 x")
    return {"nullmx.test": ("bounced",), "nothing.test": ("bounced",), "thousand.test": ("queued", "bounced"), "silent.mx.test": ("queued",), "broken.mx.test": ("queued",),
            "garbage.mx.test": ("queued",), "loop.mx.test": ("queued", "bounced"), "circle.test": ("queued", "bounced"), "literal.test": ("queued", "bounced"),
            "here.test": ("queued", "bounced")}


def send_all(server, inbox, domains):
    """{domain: message id}"""
    with session(server, inbox) as smtp:
        for domain in domains:
            equal(smtp.sendmail(inbox.address, [f"zoe@{domain}"], f"From: {inbox.address}\r\nSubject: {domain}\r\n\r\nhello\r\n".encode()), {}, domain)
    found, offset = {}, 0
    while len(found) < len(domains):
        status, listed = api.request(server, "GET", f"/v1/inboxes/{inbox.id}/messages?limit=100&offset={offset}", key=inbox.api_key)
        equal(status, 200, "messages")
        check(listed["messages"], f"only {len(found)} of {len(domains)} messages in Sent")
        found |= {m["subject"]: m["id"] for m in listed["messages"] if m["direction"] == "outbound"}
        offset += 100
    return found


def first_attempts(server, inbox, messages, slow):
    """Waits until each message was tried once, except the slow ones; {domain: recipient as the trace tells it}."""

    def tried():
        told = {domain: trace(server, inbox, message)["recipients"][0] for domain, message in messages.items()}
        late = [domain for domain, one in told.items() if domain not in slow and (one["state"] == "attempting" or not one["attempts"])]
        return None if late else told

    return wait_until(tried, "a first attempt for each", 150, pause=0.5)


def run():
    options()
    with Server(log_level="info") as server:
        inbox = api.create_inbox(server, "scout")
        names = NameServer({("mail.example.test", "A"): "127.0.0.1"})
        trouble = dns_trouble(names)
        servers = remotes(server.base + 26, server.folder)
        for domain, remote in servers.items():
            names.put(domain, "MX", f"10 mx.{domain}")
            names.put(f"mx.{domain}", "A", remote.address[0])
        good = Remote(("127.0.2.1", server.base + 26))
        names.put("good.test", "MX", "10 mx.good.test")
        names.put("mx.good.test", "A", "127.0.2.1")
        server.restart_as_serve(dns=names.address, limits="daily_messages = 0\ndaily_new_recipients = 0", outbound_port=server.base + 26)
        before, begun = server.resident_octets(), time.monotonic()
        domains = [*servers, *trouble]
        messages = send_all(server, inbox, domains)
        send_all(server, inbox, ["good.test"])
        wait_until(lambda: good.taken, "mail to a good server while others misbehave", 20)
        say(f"good.test had its mail {time.monotonic() - begun:.1f} s after the first submission")
        slow = {domain for domain in domains if domain.startswith(("silent-", "endless-", "long-"))}
        told = first_attempts(server, inbox, messages, {domain for domain in slow if domain.startswith("silent-")})
        wrong = {}
        for domain, one in told.items():
            right = trouble.get(domain) or expected(domain)
            if domain.startswith("silent-"):
                right = ("attempting", "queued")
            if one["state"] not in right:
                wrong[domain] = (one["state"], one.get("reason"))
        equal(wrong, {}, "states")
        for domain, one in told.items():
            text = str(one)
            check("\\x1b" not in text and "\u202e" not in text and "\\x00" not in text, f"{domain}: controls in the history: {text}")
            if one["attempts"]:
                outcome = one["attempts"][-1]["outcome"]
                unknown = domain in ("close-dot.test", "endless-dot.test", "long-dot.test")
                check((outcome == "uncertain") == unknown or domain.startswith("silent-"), f"{domain}: outcome {outcome}")
        grown = server.peak_octets() - before
        say(f"{len(domains)} destinations: {time.monotonic() - begun:.0f} s, {grown >> 20} MiB more at the most")
        check(grown < GROWTH_OCTETS, f"memory grew by {grown >> 20} MiB")
        server.stop(40)
        server.fsck()


scenario.main(run, 300)
