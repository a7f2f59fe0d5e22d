#!/usr/bin/env python3
"""Node's nodemailer submits over STARTTLS, over TLS, and with a key as OAuth token; what it built arrives unharmed."""

import email
import json
import os
import sys
from email.policy import default

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import packages
import scenario
from scenario import check, command, equal
from server import Server
from submit import Captured


def run():
    with Server() as server:
        inbox, caught = api.create_inbox(server, "scout"), Captured(server)
        host, submission = server.address("submission")
        settings = {"host": host, "submission": submission, "submissions": server.address("submissions")[1], "ca": server.ready["ca"],
                    "user": inbox.address, "password": inbox.password, "key": inbox.api_key, "to": "zoe@elsewhere.example",
                    "bcc": "quiet@elsewhere.example"}
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nodemailer.js")
        output = command(["node", script, json.dumps(settings)], seconds=60, env={**os.environ, "NODE_PATH": packages.node_modules()})
        sent = [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]
        equal([one["way"] for one in sent], ["starttls", "tls", "oauth2"], "messages sent")
        for one in sent:
            equal((sorted(one["accepted"]), one["rejected"]), (["quiet@elsewhere.example", "zoe@elsewhere.example"], []), "recipients")
            recipients, content = caught.message(f"nodemailer {one['way']} ✓", 2)
            equal(recipients, sorted(one["accepted"]), "captured recipients")
            message = email.message_from_bytes(content, policy=default)
            equal(message["Message-ID"], one["messageId"], "Message-ID")
            check("quiet@" not in content.decode(), "the Bcc is in the message")
            equal(message["From"].addresses[0].display_name, "Scoüt, the agent", "name in From")
            files = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
            equal(files, {"größe.bin": bytes(range(256))}, "attachments")


scenario.main(run, 150)
