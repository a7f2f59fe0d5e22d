#!/usr/bin/env python3
"""The vendor's Node client drives every operation it has; the checks are in node/*.js. Options as for python_sdk.py."""

import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import coverage
import packages
import scenario
from scenario import check, say, spawn
from server import Server

VERSION = "Node 0.5.27"
SIGN_IN = "sign-in at apps"


def snake(name):
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: "_" + found[1].lower(), name)


def run():
    options = scenario.options(("--only", "", "checks whose name has this in it"), ("--record", False, "write COVERAGE.md"))
    only = [word.replace("_", "") for word in options.only.split(",") if word]
    with Server() as server:
        settings = {"api": server.ready["api"], "key": server.ready["api_key"], "domain": server.ready["domain"], "ca": server.ready["ca"],
                    "smtpIn": server.address("smtp_in"), "imaps": server.address("imaps")[1], "only": only,
                    "organization": server.ready["organization_id"]}
        client = spawn(["node", os.path.join(HERE, "node", "main.js"), json.dumps(settings)], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, env={**os.environ, "NODE_PATH": packages.node_modules()})
        results, excused, every = {}, {}, None
        for line in client.stdout:
            told = json.loads(line)
            if "every" in told:
                every = sorted(map(snake, told["every"]))
                continue
            names, verdict = list(map(snake, told["operations"])), told["verdict"]
            say(f"{'ok  ' if verdict == 'pass' else 'FAIL'} {names[0]:36} {told['seconds']:6.2f} s{'' if verdict == 'pass' else '  ' + verdict}")
            if told.get("hosted") and verdict == "pass":
                excused[names[0]] = SIGN_IN
                continue
            for name in names:
                if results.get(name, "pass") == "pass":
                    results[name] = verdict
        check(client.wait(30) == 0 and every, f"node ended with {client.returncode}")
        path = os.path.join(HERE, "COVERAGE.md")
        coverage.conclude(VERSION, every, excused, results, path if options.record else None, whole=not only,
                          compared_with=None if options.record or only else path)


if __name__ == "__main__":
    scenario.main(run, 600)
