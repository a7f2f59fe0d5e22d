#!/usr/bin/env python3
"""The vendor's Python client drives every operation it has, at organization, pod and inbox level.

    tests/compat/python_sdk.py                     all of it; the outcome must be what COVERAGE.md has
    tests/compat/python_sdk.py --only threads      the checks whose name has that in it; commas between several
    tests/compat/python_sdk.py --record            also writes COVERAGE.md
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "python"), os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-agentmail.txt")
import coverage  # noqa: E402
from scenario import say  # noqa: E402
from server import Server  # noqa: E402

VERSION = "Python 2.0.18"


def operations(client, path=""):
    """Every method of the client, by its path: `inboxes.messages.send`."""
    for name in dir(type(client)):
        if name.startswith("_") or name == "with_raw_response":
            continue
        if isinstance(getattr(type(client), name), property):
            yield from operations(getattr(client, name), f"{path}{name}.")
        else:
            yield path + name


def run():
    options = scenario.options(("--only", "", "checks whose name has this in it"), ("--record", False, "write COVERAGE.md"))
    only = [word for word in options.only.split(",") if word]
    import checks_domains  # noqa: F401 - each adds its checks when it is read
    import checks_drafts  # noqa: F401
    import checks_events  # noqa: F401
    import checks_inboxes  # noqa: F401
    import checks_keys  # noqa: F401
    import checks_messages  # noqa: F401
    import checks_reports  # noqa: F401
    import checks_sending  # noqa: F401
    import checks_threads  # noqa: F401
    import hosted
    from world import Case, new_client
    with Server() as server:
        every = sorted(operations(new_client(server, "am_x")))
        results = coverage.run_checks(lambda: Case(server), only)
        faults = hosted.answered_as_promised(lambda: Case(server), only)
        for operation, fault in faults.items():
            say(f"FAIL {operation:36} hosted only, but {fault}")
        excused = {name: reason for name, reason in hosted.REASONS.items() if name not in faults}
        path = os.path.join(HERE, "COVERAGE.md")
        coverage.conclude(VERSION, every, excused, {**results, **faults}, path if options.record else None, not only,
                          compared_with=None if options.record or only else path)


if __name__ == "__main__":
    scenario.main(run, 900)
