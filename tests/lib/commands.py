"""The client commands of the real binary, with a key."""

import json
import os
import signal
import subprocess

import shown
from scenario import check, command, equal, spawn
from server import binary

DONE, FAILED, USAGE, NOT_FOUND, KEY, LATE = range(6)


class Cli:
    """Runs commands against a server; the key is one of its ready line, or any other."""

    def __init__(self, server, key):
        self.server = server
        self.key = server.ready.get(key, key)

    def environment(self):
        return {**os.environ, "POSTROOM_URL": self.server.ready["api"], "POSTROOM_API_KEY": self.key}

    def text(self, *words, expect=DONE, **options):
        """What people see."""
        return command([binary(), *words], env=self.environment(), expect=expect, **options).decode()

    def json(self, *words, **options):
        """What scripts see: one object."""
        answer = json.loads(self.text(*words, "--json", **options))
        check(isinstance(answer, dict), f"{words}: one object, not {answer!r}")
        return answer

    def refused(self, expect, told, *words):
        """It ends with that code, says why on standard error, and nothing on standard output."""
        done = subprocess.run([binary(), *words], env=self.environment(), capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        shown.note(done.stdout + done.stderr)
        equal(done.returncode, expect, f"exit code of {words}: {done.stderr.decode()}")
        equal(done.stdout, b"", f"standard output of {words}")
        check(told in done.stderr.decode(), f"{words}: {told!r} is not in {done.stderr.decode()!r}")

    def octets(self, *words):
        """Standard output alone, as it is."""
        done = subprocess.run([binary(), *words], env=self.environment(), capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        equal((done.returncode, done.stderr), (DONE, b""), f"end of {words}")
        return done.stdout

    def start(self, *words):
        """A command that goes on, its output to be read line by line."""
        return Running([binary(), *words], self.environment())


class Running:
    """A command that has not ended yet."""

    def __init__(self, words, environment):
        self.process = spawn(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def line(self):
        """The next line; the scenario's own limit of time is the end of waiting."""
        return self.process.stdout.readline().decode()

    def interrupt(self):
        """Ctrl-C; what it printed on standard error and its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self):
        _, errors = self.process.communicate(timeout=20)
        shown.note(errors)
        return self.process.returncode, errors.decode()
