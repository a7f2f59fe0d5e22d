#!/usr/bin/env python3
"""The MyAgentMail face over plain HTTP, from tables of cases: who asks what with which words, and what must be answered.

    tests/compat/myagentmail.py --only drafts      the sections whose name has that in it
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "myagentmail_cases"), os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-agentmail.txt")  # for its WebSocket client
import traceback  # noqa: E402

import cases_accounts  # noqa: E402, F401 - each adds its sections when it is read
import cases_events  # noqa: E402, F401
import cases_mail  # noqa: E402, F401
from party import Party, sections  # noqa: E402
from scenario import check, say  # noqa: E402
from server import Server  # noqa: E402


def run():
    options = scenario.options(("--only", "", "sections whose name has this in it"))
    failed = []
    chosen = [one for one in sections if options.only in one.__name__]
    with Server(log_level="trace") as server:  # the end of the run looks for secrets in what it logs
        for one in chosen:
            try:
                one(Party(server, f"Party {one.__name__}"))
                say(f"ok   {one.__name__}")
            except Exception as error:  # noqa: BLE001 - one section must not hide the others
                failed.append(one.__name__)
                say(f"FAIL {one.__name__}: {type(error).__name__}: {error}")
                say("".join(traceback.format_tb(error.__traceback__)[-3:-1]))
    check(not failed, f"{len(failed)} of {len(chosen)} fail: {', '.join(failed)}")
    say(f"{len(chosen)} sections")


if __name__ == "__main__":
    scenario.main(run, 230)
