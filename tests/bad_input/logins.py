#!/usr/bin/env python3
"""Wrong passwords: the same answer for a wrong password and an unknown user, after a delay; limits on one connection.

LOGIN without TLS is refused off loopback only in `serve`, so it is not tried here. The right password works while a
guesser is at it, keys of other scopes never log in, and a rotated password ends the open session.
"""

import base64
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from imap import Closed, Imap, Refused
from scenario import check, equal, options, threads, wait_until
from server import Server


def refusal(server, user, password, way="LOGIN"):
    """(text of the NO, seconds it took)."""
    with Imap(server) as session:
        begun = time.monotonic()
        if way == "LOGIN":
            text = session.refused(f'LOGIN "{user}" "{password}"')
        else:
            text = session.refused("AUTHENTICATE PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())
        return text, time.monotonic() - begun


def guessing(server, inbox):
    """One connection that goes on guessing is closed after a few tries."""
    with Imap(server) as session:
        tries = 0
        try:
            while tries < 50:
                session.refused(f'LOGIN "{inbox.address}" "guess{tries}"')
                tries += 1
        except (Closed, ConnectionError):
            pass
        check(1 <= tries < 50, f"{tries} guesses on one connection")


def right_password(server, inbox):
    time.sleep(0.5)
    begun = time.monotonic()
    Imap(server, inbox.address, inbox.password).close()
    check(time.monotonic() - begun < 10, "the right password had to wait for the guessers")


def run():
    options()
    with Server() as server:
        inbox, other = api.create_inbox(server, "login"), api.create_inbox(server, "other")
        for way in ("LOGIN", "AUTHENTICATE"):
            wrong, seconds = refusal(server, inbox.address, "wrong", way)
            check(wrong.startswith("NO [AUTHENTICATIONFAILED]"), f"answer to a wrong password: {wrong}")
            check(0.1 < seconds < 15, f"a wrong password was refused after {seconds:.2f} s")
            equal(refusal(server, "nobody@example.test", "wrong", way)[0], wrong, "answer for an unknown user")
        for name, secret in (("tenant", server.ready["tenant_key"]), ("operator", server.ready["operator_key"]), ("other inbox", other.api_key),
                             ("other password", other.password), ("empty", "")):
            check(refusal(server, inbox.address, secret)[0].startswith("NO"), f"the {name} secret logs in")
        for secret in (inbox.password, inbox.api_key):
            Imap(server, inbox.address, secret).close()

        threads([lambda: guessing(server, inbox)] * 8 + [lambda: right_password(server, inbox)], 100)

        session = Imap(server, inbox.address, inbox.password)
        session.select()
        status, rotated = api.request(server, "POST", f"/v1/inboxes/{inbox.id}/rotate-credentials", {}, server.ready["tenant_key"])
        equal(status, 200, "rotate-credentials")
        check(refusal(server, inbox.address, inbox.password)[0].startswith("NO"), "the old password still logs in")
        equal(api.request(server, "GET", "/v1/me", key=inbox.api_key)[0], 401, "the old key")

        def ended():
            try:
                session.command("NOOP")
                return False
            except (Closed, ConnectionError, Refused):
                return True

        wait_until(ended, "the old session to be closed", 20, pause=0.5)
        Imap(server, inbox.address, rotated["imapPassword"]).close()
        check(inbox.password not in server.log_text() and inbox.api_key not in server.log_text(), "a secret is in the log")
        server.stop()


if __name__ == "__main__":
    scenario.main(run, 200)
