"""What every scenario script shares: checks that say what was wrong, waits with a deadline, a clean end.

A script defines `run()` and ends with `scenario.main(run)`. Temporary folders and child processes made through
this module are gone when the script ends, however it ends; nothing is looked up or ended by name.
"""

import argparse
import atexit
import datetime
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import shown


class Failure(Exception):
    """The server did something else than it must."""


def check(truth, message):
    if not truth:
        raise Failure(message)


def equal(got, expected, what):
    if got != expected:
        raise Failure(f"{what}: expected {short(expected)}, got {short(got)}")


def short(value, limit=400):
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def say(*words):
    print(*words, flush=True)


def wait_until(question, what, seconds=20, pause=0.02):
    """Asks until the answer is true and returns it; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s for: {what}")
        time.sleep(pause)


def temp_folder(name):
    """A folder that is removed at the end, unless POSTROOM_KEEP is set."""
    folder = tempfile.mkdtemp(prefix=f"postroom-{name}-")
    if not os.environ.get("POSTROOM_KEEP"):
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_children = []


def spawn(command, **options):
    """Popen; whatever is still running at the end is killed, by its own handle."""
    child = subprocess.Popen(command, **options)
    _children.append(child)
    return child


@atexit.register
def _end_children():
    for child in _children:
        if child.poll() is None:
            child.kill()
            child.wait()


def command(words, seconds=60, expect=0, **options):
    """Runs a program to its end and returns its output (both streams, bytes); fails on another exit code."""
    options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
    if options["stdin"] is None:
        del options["stdin"]
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, **options)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{words[0]} did not end within {seconds} s; so far: {short(late.output)}") from late
    shown.note(done.stdout)
    if expect is not None and done.returncode != expect:
        text = done.stdout.decode("utf-8", "replace")[-3000:]
        raise Failure(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{text}")
    return done.stdout


def threads(functions, seconds):
    """Runs the functions side by side and passes the first exception on; fails if one is not done in time."""
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread
            errors.append(error)

    running = [threading.Thread(target=guarded, args=(f,), daemon=True) for f in functions]
    end = time.monotonic() + seconds
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(max(0, end - time.monotonic()))
        check(not thread.is_alive() or errors, f"a worker was not done after {seconds} s")
    if errors:
        raise errors[0]


def record(path, name, text):
    """Puts a line `- name: date, commit, text` in a file of results, in place of an earlier one of that name."""
    git = subprocess.run(["git", "-C", os.path.dirname(path), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    text = f"{datetime.date.today()}, commit {git.stdout.strip() or 'unknown'}, {text}"
    lines = []
    if os.path.exists(path):
        with open(path) as file:
            lines = [line for line in file.read().splitlines() if not line.startswith(f"- {name}:")]
    with open(path, "w") as file:
        file.write("\n".join(lines + [f"- {name}: {text}"]) + "\n")


def options(*extra):
    """Command line of a scenario: `--seed`, and what the script adds as (name, default, help)."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--seed", type=int, default=None, help="makes the random choices repeat")
    for name, default, text in extra:
        if default is False:
            parser.add_argument(name, action="store_true", help=text)
        else:
            parser.add_argument(name, type=type(default), default=default, help=text)
    chosen = parser.parse_args()
    chosen.seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(1 << 32)
    random.seed(chosen.seed)
    say(f"seed {chosen.seed}")
    return chosen


def main(run, seconds=600):
    """Runs a scenario: exit code 0, or 1 with the reason; never longer than `seconds`."""

    def overdue(*_):
        raise Failure(f"the scenario was not done after {seconds} s")

    def stopped(*_):
        sys.exit(143)

    signal.signal(signal.SIGALRM, overdue)
    signal.signal(signal.SIGTERM, stopped)
    signal.alarm(seconds)
    try:
        run()
        say("ok")
    except Failure as failure:
        traceback.print_exc(limit=-4)
        say(f"FAILED: {failure}")
        sys.exit(1)
