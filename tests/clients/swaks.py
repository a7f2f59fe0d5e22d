#!/usr/bin/env python3
"""swaks (SMTP in): a message with attachments over STARTTLS, an unknown recipient, a relay attempt, a pipelined run."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import corpus
import scenario
from fixture import same_as_sent, stored_contents
from scenario import check, command, equal
from server import Server


def run():
    with Server() as server:
        inbox = api.create_inbox(server, "scout")
        host, port = server.address("smtp_in")
        base = ["swaks", "--server", host, "--port", str(port), "--ehlo", "client.example.net", "--from", "zoe@client.example.net",
                "--timeout", "20"]
        tls = ["--tls", "--tls-verify", "--tls-ca-path", server.ready["ca"]]

        contents, paths = [], []
        for name in ("tls", "pipelined"):
            contents.append(corpus.octets(corpus.with_attachments(inbox.address, name)[0]))
            paths.append(os.path.join(server.folder, name + ".eml"))
            with open(paths[-1], "wb") as file:
                file.write(contents[-1].removesuffix(b"\r\n"))  # swaks adds it
        text = command(base + tls + ["--to", inbox.address, "--data", "@" + paths[0]])
        check(b"TLS started" in text, "no TLS in swaks's transcript")
        command(base + ["--pipeline", "--to", inbox.address, "--data", "@" + paths[1]])
        command(base + tls + ["--to", "scout+tag@example.test,postmaster@example.test", "--header", "Subject: plus", "--body", "tagged"])

        refused = command(base + ["--to", "nobody@example.test"], expect=24)
        check(b"550 5.1.1" in refused, f"an unknown recipient got {refused!r}")
        relay = command(base + ["--to", "someone@elsewhere.example"], expect=24)
        check(b"<** 55" in relay, f"a relay attempt got {relay!r}")

        stored = stored_contents(server, inbox)
        equal(len(stored), 3, "messages in the inbox")
        same_as_sent(stored[0], contents[0], "the message sent over TLS")
        same_as_sent(stored[1], contents[1], "the pipelined message")
        check(b"ESMTPS" in stored[0].split(b"From:")[0] and b"ESMTPS" not in stored[1].split(b"From:")[0],
              "Received does not tell ESMTPS from ESMTP")
        check(b"Subject: plus" in stored[2], "the mail to scout+tag@ is not the third message")


if __name__ == "__main__":
    scenario.main(run, 120)
