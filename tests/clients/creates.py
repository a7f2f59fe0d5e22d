#!/usr/bin/env python3
"""200 parallel creates over HTTP of one name from 20 tenants: every address is given once, a repeat returns the same.

Each tenant asks ten times at once: exactly one answer is 201 with the secrets, nine are 200 with the same inbox, and
the names are the base and its suffixes 1 to 19 without a gap.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from scenario import equal, threads
from server import Server

TENANTS, TRIES = 20, 10


def run():
    with Server() as server:
        keys = [api.create_tenant(server, f"Tenant {n}") for n in range(TENANTS)]
        answers = {key: [] for key in keys}

        def ask(key):
            answers[key].append(api.request(server, "POST", "/v1/inboxes", {"username": "racer"}, key, seconds=100))

        threads([lambda key=key: ask(key) for _ in range(TRIES) for key in keys], 110)
        for got in answers.values():
            equal(sorted(status for status, _ in got), [200] * (TRIES - 1) + [201], "statuses for one tenant")
            equal(len({made["id"] for _, made in got}), 1, "inboxes for one tenant")
            equal(sum("imapPassword" in made for _, made in got), 1, "answers with secrets")
        names = {got[0][1]["canonicalEmail"] for got in answers.values()}
        equal(names, {f"racer{suffix}@example.test" for suffix in ("", *range(1, TENANTS))}, "the addresses given")
        server.stop()
        server.fsck()


if __name__ == "__main__":
    scenario.main(run, 180)
