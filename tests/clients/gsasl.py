#!/usr/bin/env python3
"""GNU SASL logs in with SCRAM-SHA-256-PLUS, bound to the TLS connection (RFC 9266), for submission and for IMAP."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from scenario import check, command
from server import Server


def run():
    with Server() as server:
        inbox = api.create_inbox(server, "scout")
        for service, protocol, success in (("submission", "--smtp", b"\n235 2.7.0"), ("imap", "--imap", b"OK [CAPABILITY IMAP4rev1")):
            host, port = server.address(service)
            words = ["gsasl", "--client", protocol, "--mechanism=SCRAM-SHA-256-PLUS", f"--authentication-id={inbox.address}",
                     f"--x509-ca-file={server.ready['ca']}", host, str(port)]
            output = command(words + [f"--password={inbox.password}"])
            check(success in output.split(b"SCRAM-SHA-256-PLUS")[-1], f"{service}: {output!r}")
            wrong = command(words + ["--password=wrong"], expect=None)
            check(success not in wrong.split(b"SCRAM-SHA-256-PLUS")[-1], f"{service} let in a wrong password")


scenario.main(run, 100)
