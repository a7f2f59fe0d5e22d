#!/usr/bin/env python3
"""fetchmail: takes all mail of an inbox over TLS and STARTTLS, byte-exact, and deletes it on the server."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import scenario
from fixture import filled_inbox, stored_contents
from scenario import check, command, equal
from server import Server

CONFIG = """set invisible
poll localhost service {port} protocol imap user "{user}" password "{password}"
  sslproto "TLS1.2+" {tls} sslcertck sslcertfile "{ca}" nokeep fetchall norewrite no dropdelivered
  mda "/bin/sh {folder}/store"
"""


def one_run(server, service, tls):
    inbox, contents = filled_inbox(server, service)
    folder = os.path.join(server.folder, service)
    os.mkdir(folder)
    with open(folder + "/store", "w") as file:
        file.write(f"exec cat > {folder}/$$.eml\n")
    config = folder + "/fetchmailrc"
    with open(config, "w") as file:
        file.write(CONFIG.format(port=server.address(service)[1], user=inbox.address, password=inbox.password, tls=tls,
                                 ca=server.ready["ca"], folder=folder))
    os.chmod(config, 0o600)
    command(["fetchmail", "-f", config, "--nodetach", "--pidfile", folder + "/pid", "--nosyslog", "-v"], env={
        **os.environ, "HOME": folder, "FETCHMAILHOME": folder, "LC_ALL": "C"})
    fetched = []
    for name in os.listdir(folder):
        if name.endswith(".eml"):
            with open(os.path.join(folder, name), "rb") as file:
                fetched.append(file.read().replace(b"\r\n", b"\n"))
    equal(len(fetched), len(contents), "messages fetched")
    for sent in contents:
        flat = sent.replace(b"\r\n", b"\n").rstrip(b"\n")
        check(any(flat in text for text in fetched), f"a message was changed on its way: {flat[:200]!r}")
    equal(stored_contents(server, inbox), [], "messages left on the server")


def run():
    with Server() as server:
        one_run(server, "imaps", "ssl")
        one_run(server, "imap", "")


if __name__ == "__main__":
    scenario.main(run, 120)
