#!/usr/bin/env python3
"""Smarthost routes: by sender and by recipient domain, over STARTTLS and TLS, with AUTH; the certificate must be right.

Towards one whose certificate is for another name nothing is sent, no password either; a refused password defers, and what
the smarthost says about it is not shown.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from nameserver import NameServer
from remote import Remote, tls_context
from scenario import check, command, equal, wait_until
from server import Server
from submit import sent_messages, session, settled, trace

PASSWORD = "smart-horse-7"


def certificate(folder, name, host):
    command(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout",
             f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-subj", f"/CN={name}", "-addext", f"subjectAltName={host}",
             "-addext", "basicConstraints=critical,CA:FALSE"])
    return tls_context(f"{folder}/{name}.pem", f"{folder}/{name}.key")


def send(server, inbox, to):
    with session(server, inbox) as smtp:
        equal(smtp.sendmail(inbox.address, [to], f"From: {inbox.address}\r\nSubject: to {to}\r\n\r\nhello\r\n".encode()), {}, "refused")
    return next(message["id"] for message in sent_messages(server, inbox) if message["subject"] == f"to {to}")


def deferred(server, inbox, message):
    """The first attempt, once it has failed for now."""

    def failed():
        recipient = trace(server, inbox, message)["recipients"][0]
        return recipient["attempts"][0] if recipient["state"] == "queued" and recipient["attempts"] else None

    return wait_until(failed, "a deferred attempt")


def run():
    with Server() as server:
        inbox, folder = api.create_inbox(server, "scout"), server.folder
        login = ("relay-user", PASSWORD)
        starttls = Remote(("127.0.0.5", 0), tls=certificate(folder, "one", "IP:127.0.0.5"), login=login)
        implicit = Remote(("127.0.0.6", 0), tls=certificate(folder, "two", "IP:127.0.0.6"), implicit_tls=True, login=login)
        other_name = Remote(("127.0.0.7", 0), tls=certificate(folder, "three", "DNS:elsewhere.example"), login=login)
        no_tls = Remote(("127.0.0.8", 0), login=login)
        direct = Remote(("127.0.0.9", 0))
        with open(folder + "/password", "w") as file:
            file.write(PASSWORD + "\n")
        with open(folder + "/wrong", "w") as file:
            file.write("not-" + PASSWORD + "\n")
        with open(folder + "/roots.pem", "wb") as roots:
            for name in ("one", "two", "three"):
                with open(f"{folder}/{name}.pem", "rb") as file:
                    roots.write(file.read())
        routes = "".join(
            f'[[outbound.route]]\nrecipient_domain = "{domain}"\nhost = "{remote.address[0]}"\nport = {remote.address[1]}\ntls = "{tls}"\n'
            f'user = "relay-user"\npassword_file = "{folder}/{password}"\n'
            for domain, remote, tls, password in (("one.test", starttls, "starttls", "password"), ("two.test", implicit, "implicit", "password"),
                                                  ("three.test", other_name, "starttls", "password"), ("four.test", no_tls, "starttls", "password"),
                                                  ("five.test", starttls, "starttls", "wrong")))
        routes += f'[[outbound.route]]\nsender_domain = "nobody.test"\nhost = "192.0.2.1"\n'
        names = NameServer({("direct.test", "MX"): "10 mx.direct.test", ("mx.direct.test", "A"): "127.0.0.9"})
        server.restart_as_serve(dns=names.address, outbound=f'extra_roots = "{folder}/roots.pem"\n{routes}', outbound_port=direct.address[1])

        for domain, remote in (("one.test", starttls), ("two.test", implicit), ("direct.test", direct)):
            message = send(server, inbox, f"zoe@{domain}")
            equal(settled(server, inbox, message), {f"zoe@{domain}": "delivered"}, domain)
            attempt = trace(server, inbox, message)["recipients"][0]["attempts"][-1]
            equal(attempt["address"], "%s:%d" % remote.address, f"where mail to {domain} went")
            check(remote is direct or attempt["tls"].endswith("(verified)"), f"TLS towards the smarthost: {attempt}")
            equal((len(remote.taken), remote.logins), (1, [] if remote is direct else [login]), f"taken and logins of {domain}")
        for domain, remote in (("three.test", other_name), ("four.test", no_tls)):
            attempt = deferred(server, inbox, send(server, inbox, f"zoe@{domain}"))
            equal((attempt["outcome"], remote.logins, remote.taken), ("deferred", [], []), f"{domain}: {attempt}")
        attempt = deferred(server, inbox, send(server, inbox, "zoe@five.test"))
        equal((attempt["outcome"], len(starttls.taken)), ("deferred", 1), f"a wrong password: {attempt}")
        check("cmVsYXk" not in str(attempt) and "AUTH" not in attempt["reason"], f"the smarthost's words are shown: {attempt}")
        log = server.log_text()
        check(PASSWORD not in log and "cmVsYXk" not in log, "the password is in the log")
        check(any("WARN" in line and "535" in line for line in log.splitlines()), "nothing in the log about the refused password")


scenario.main(run, 150)
