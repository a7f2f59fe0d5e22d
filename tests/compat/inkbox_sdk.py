#!/usr/bin/env python3
"""The vendor's Python client for agent identities (inkbox 0.7.20) drives every operation it has.

    tests/compat/inkbox_sdk.py                     all of it; the outcome must be what COVERAGE.md has
    tests/compat/inkbox_sdk.py --only threads      the checks whose name has that in it; commas between several
    tests/compat/inkbox_sdk.py --record            writes COVERAGE.md
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "inkbox_checks"), os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-inkbox.txt")
import inspect  # noqa: E402

import coverage  # noqa: E402
from scenario import say  # noqa: E402
from server import Server  # noqa: E402

VERSION = "Python 0.7.20"


def operations(resource, path=""):
    """Every method of the client, by its path: `webhooks.subscriptions.create`."""
    import world
    for name in sorted({*dir(type(resource)), *getattr(resource, "__dict__", {})}):
        if name.startswith("_"):
            continue
        value = getattr(resource, name)
        if world.is_resource(value):
            yield from operations(value, f"{path}{name}.")
        elif callable(value) and not inspect.isclass(value):
            yield path + name


def run():
    options = scenario.options(("--only", "", "checks whose name has this in it"), ("--record", False, "write COVERAGE.md"))
    only = [word for word in options.only.split(",") if word]
    import checks_hooks  # noqa: F401 - each adds its checks when it is read
    import checks_identities  # noqa: F401
    import checks_imports  # noqa: F401
    import checks_mailboxes  # noqa: F401
    import checks_rules  # noqa: F401
    import checks_sending  # noqa: F401
    import checks_threads  # noqa: F401
    import checks_transport  # noqa: F401
    import not_mail
    from world import Case, connect
    with Server(log_level="trace") as server:  # the end of the run looks for secrets in what it logs
        every = sorted({*operations(connect(server, "ak_x")), *not_mail.identity_operations(), "verify_webhook"})
        results = coverage.run_checks(lambda: Case(server), only)
        faults, reasons = not_mail.answered_as_promised(lambda: Case(server), every, only)
        for operation, fault in faults.items():
            say(f"FAIL {operation:36} not mail, but {fault}")
        failed = {name: fault for name, fault in faults.items() if name in every}
        excused = {name: reason for name, reason in reasons.items() if name not in failed}
        path = os.path.join(HERE, "COVERAGE.md")
        coverage.conclude(VERSION, every, excused, {**results, **failed}, path if options.record else None, not only, vendor="Inkbox",
                          excuse="not mail", compared_with=None if options.record or only else path)
        scenario.check(len(failed) == len(faults), f"not as promised: {sorted(set(faults) - set(failed))[:20]}")


if __name__ == "__main__":
    scenario.main(run, 600)
