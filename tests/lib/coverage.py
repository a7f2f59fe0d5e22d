"""Named checks of a client's operations: each runs by itself, and an operation that is neither driven nor excused is a failure.

A check is a function `f(case)` under `@drives("inboxes.create", …)`, or `f(case, level)` under `@at_levels("threads.list")`, which
makes three checks of it: `threads.list`, `pods.threads.list` and `inboxes.threads.list`. A check passes when the function
returns and the operations it drives were really called and answered.
"""

import json
import os
import re
import time
import traceback

import scenario
from scenario import Failure, check, say

PREFIX = {"organization": "", "pod": "pods.", "inbox": "inboxes."}
ORGANIZATION_AND_POD = ("organization", "pod")
_checks = []


def drives(*operations):
    def add(function):
        _checks.append((operations[0], operations, function))
        return function
    return add


def at_levels(operation, levels=tuple(PREFIX)):
    def add(function):
        for level in levels:
            name = PREFIX[level] + operation
            _checks.append((name, (name,), lambda case, level=level: function(case, level)))
        return function
    return add


def run_checks(new_case, only=()):
    """{operation: "pass" or the reason}, of all checks; an operation of several checks passes when each does."""
    results = {}
    for name, operations, function in _checks:
        if only and not any(one in name for one in only):
            continue
        begun, case = time.monotonic(), new_case()
        try:
            function(case)
            missing = [operation for operation in operations if operation not in case.answered]
            check(not missing, f"the check never called {', '.join(missing)}")
            verdict = "pass"
        except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
            verdict = reason(error)
        finally:
            case.close()
        say(f"{'ok  ' if verdict == 'pass' else 'FAIL'} {name:36} {time.monotonic() - begun:6.2f} s{'' if verdict == 'pass' else '  ' + verdict}")
        for operation in operations:
            if results.get(operation, "pass") == "pass":
                results[operation] = verdict
    return results


def reason(error):
    """What went wrong and where in the checks, in one line."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/compat/" in frame.filename]
    place = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    if hasattr(error, "status_code"):
        text = f"HTTP {error.status_code} {scenario.short(getattr(error, 'body', None) or getattr(error, 'detail', ''))}"
    else:
        text = f"{type(error).__name__}: {error}"
    return re.sub(r"\s+", " ", text)[:600] + place


def conclude(column, operations, hosted, results, record_in=None, whole=True, vendor="AgentMail", excuse="hosted only", compared_with=None):
    """Prints the summary, records it or holds it against what is recorded, and fails if anything is not as it must be."""
    unknown = [name for name in [*results, *hosted] if name not in operations]
    missing = [name for name in operations if name not in results and name not in hosted] if whole else []
    failed = [name for name, verdict in results.items() if verdict != "pass"]
    cells = {name: cell(results.get(name), hosted.get(name), excuse) for name in operations}
    if record_in:
        record(record_in, vendor, column, cells)
    passed = len(results) - len(failed)
    if missing:
        say("neither driven nor excused:", *missing)
    if unknown:
        say("not an operation of this client:", *unknown)
    if failed:
        say("failed:", *failed)
    say(f"{column}: {passed} of {len(results)} operations pass, {len(hosted)} {excuse}, {len(missing)} not covered")
    if failed or missing or unknown:
        raise Failure(f"{len(failed)} failed, {len(missing)} not covered, {len(unknown)} unknown")
    if compared_with:
        recorded = {name: row[column] for name, row in tables(compared_with).get(vendor, {}).items() if row.get(column, "-") != "-"}
        other = sorted(name for name in {*recorded, *cells} if recorded.get(name) != cells.get(name))
        check(not other, f"{os.path.basename(compared_with)} has another outcome for {other[:20]}: record it anew")


def cell(verdict, reason, excuse="hosted only"):
    if verdict is None:
        return f"{excuse}: {reason}" if reason else "not driven"
    return "pass" if verdict == "pass" else "**fails**"


HEAD = """# What the vendors' clients are seen to do with this server

Each operation of the real packages against a running server: made by `--record` of `tests/compat/python_sdk.py`, `node_sdk.py` and
`inkbox_sdk.py`. "hosted only" and "not mail" name what a self-hosted mail server leaves out; those are called all the same, and must
answer as the README says. `-`: this client has no such operation.
"""


def tables(path):
    """{vendor: {operation: {column: text}}} of what is recorded."""
    found, vendor, columns = {}, "AgentMail", None
    if os.path.exists(path):
        with open(path) as file:
            for line in file:
                if line.startswith("## "):
                    vendor, columns = line[3:].strip(), None
                elif line.startswith("|"):
                    words = [word.strip() for word in line.strip().strip("|").split("|")]
                    if columns is None:
                        columns = words[1:]
                    elif not words[0].startswith("---"):
                        found.setdefault(vendor, {})[words[0].strip("`")] = dict(zip(columns, words[1:]))
    return found


def record(path, vendor, column, cells):
    """Puts one client's column into its vendor's table, beside those of the others."""
    every = tables(path)
    table = every.setdefault(vendor, {})
    for row in table.values():
        row.pop(column, None)
    for operation, text in cells.items():
        table.setdefault(operation, {})[column] = text
    with open(path, "w") as file:
        file.write(HEAD)
        for name, rows in sorted(every.items()):
            file.write(f"\n## {name}\n\n" + section({operation: row for operation, row in rows.items() if any(text != "-" for text in row.values())}))


def section(rows):
    columns = sorted({name for row in rows.values() for name in row}, reverse=True)
    counts = {name: [row.get(name, "-") for row in rows.values()] for name in columns}
    summary = "; ".join(f"{name}: {texts.count('pass')} pass, {texts.count('**fails**')} fail" for name, texts in counts.items())
    lines = [summary + ".", "", "| operation | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    lines += [f"| `{operation}` | " + " | ".join(row.get(name, "-") for name in columns) + " |" for operation, row in sorted(rows.items())]
    return "\n".join(lines) + "\n"


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
TIMES = ("timestamp", "expires_at", "send_at", "event_at", "created_at", "updated_at", "used_at", "received_timestamp", "sent_timestamp")


def well_formed(answer, path="$"):
    """What holds of every JSON answer: times are UTC with `Z`, `count` counts the page, and labels are a set."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in TIMES and value is not None:
                check(isinstance(value, str) and TIME.match(value), f"{path}.{name} is not a time in UTC: {value!r}")
            if name == "labels":
                check(len(value) == len(set(value)), f"{path}.labels has doubles: {value}")
            well_formed(value, f"{path}.{name}")
        arrays = [value for value in answer.values() if isinstance(value, list)]
        if path == "$" and "count" in answer and len(arrays) == 1:
            check(answer["count"] == len(arrays[0]), f"count is {answer['count']}, and there are {len(arrays[0])}")
    elif isinstance(answer, list):
        for index, value in enumerate(answer):
            well_formed(value, f"{path}[{index}]")


def load(text):
    return json.loads(text) if text else None
