#!/usr/bin/env python3
"""curl: SMTP in with STARTTLS; IMAP over TLS and STARTTLS out: LIST, SEARCH, FETCH byte-exact, STORE, APPEND."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import corpus
import scenario
from fixture import filled_inbox, same_as_sent
from scenario import check, command, equal
from server import Server


def run():
    with Server() as server:
        inbox, contents = filled_inbox(server, "curl")
        ca = ["curl", "--silent", "--show-error", "--max-time", "30", "--cacert", server.ready["ca"]]
        login = ["--user", f"{inbox.address}:{inbox.password}"]
        port = {name: server.address(name)[1] for name in ("smtp_in", "imap", "imaps")}
        new = corpus.octets(corpus.plain(inbox.address, "By curl"))
        path = os.path.join(server.folder, "new.eml")
        with open(path, "wb") as file:
            file.write(new)

        command(ca + ["--ssl-reqd", "--mail-from", "c@client.example.net", "--mail-rcpt", inbox.address,
                      "--upload-file", path, f"smtp://localhost:{port['smtp_in']}/client.example.net"])
        contents.append(new)
        for scheme in ("imaps", "imap"):
            url = f"{scheme}://localhost:{port[scheme]}"
            session = ca + login + ["--ssl-reqd"]
            folders = command(session + [url])
            check(all(name in folders for name in (b"INBOX", b"\\Sent", b"\\Trash")), f"LIST: {folders!r}")
            found = command(session + [url + "/INBOX?ALL"]).split()[2:]
            equal(len(found), len(contents), "messages found by SEARCH")
            for uid, sent in enumerate(contents, 1):
                same_as_sent(command(session + [f"{url}/INBOX;UID={uid}"]), sent, f"message {uid} by {scheme}")

        url, session = f"imaps://localhost:{port['imaps']}", ca + login
        command(session + [url + "/INBOX", "-X", "STORE 1 +FLAGS (\\Flagged \\Seen $work)"])
        flags = command(session + [url + "/INBOX", "-X", "FETCH 1 (FLAGS)"])
        check(b"\\Flagged" in flags and b"$work" in flags, f"flags after STORE: {flags!r}")
        command(session + ["--upload-file", path, url + "/Archive"])
        # APPEND adds no trace fields: what comes back is what was put there.
        equal(command(session + [url + "/Archive;UID=1"]), new, "the appended message")


if __name__ == "__main__":
    scenario.main(run, 120)
