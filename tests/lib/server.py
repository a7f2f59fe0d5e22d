"""Starts and stops the real binary: `postroom dev --json --data DIR --base-port N`, on loopback only.

The binary is $POSTROOM_BIN, else the newest build in the shared target folder. A server stopped by `stop()` must
exit with 0 and must have printed its ready line and nothing else on stdout.
"""

import itertools
import json
import os
import random
import select
import signal
import socket
import ssl
import subprocess
import time
import urllib.request

import shown
from scenario import Failure, check, command, equal, spawn, temp_folder, wait_until

OFFSETS = {"smtp_in": 25, "api": 80, "imap": 143, "submissions": 465, "submission": 587, "imaps": 993}


def target_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("CARGO_TARGET_DIR") or os.path.join(cache, "postroom", "target")


def binary():
    given = os.environ.get("POSTROOM_BIN")
    built = [given] if given else [os.path.join(target_folder(), p, "postroom") for p in ("release", "debug")]
    found = [path for path in built if os.path.exists(path)]
    check(found, f"no postroom binary at {' or '.join(built)}: build it, or set POSTROOM_BIN")
    return max(found, key=os.path.getmtime)


def free_base_port():
    """A base whose six ports are free now; below the range from which clients' own ports are taken."""
    chance = random.SystemRandom()
    for _ in range(200):
        base = chance.randrange(10000, 31000)
        sockets = []
        try:
            for offset in OFFSETS.values():
                sockets.append(socket.socket())
                sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sockets[-1].bind(("127.0.0.1", base + offset))
            return base
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise Failure("no six free ports found")


_numbers = itertools.count(1)


class Server:
    """One server process at a time on one data folder."""

    def __init__(self, data=None, env=None, log_level="info", domain=None, base=None):
        self.folder = temp_folder("server")
        self.data = data or os.path.join(self.folder, "data")
        self.base = base or free_base_port()
        self.domain = ["--domain", domain] if domain else []
        self.log_path = shown.log_path(self.folder, next(_numbers))
        self.env = {"RUST_LOG": log_level, **(env or {})}
        self.process = None
        self.ready = None

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, kind, *_):
        if self.process and self.process.poll() is None:
            if kind is None:
                self.stop()
            else:
                self.kill()
        if kind is not None:
            print("--- end of the server's log:\n" + self.log_tail(), flush=True)

    def launch(self, env=None, words=None):
        """Starts the process and does not wait for it to be ready."""
        words = words or ["dev", "--json", "--data", self.data, "--base-port", str(self.base), *self.domain]
        with open(self.log_path, "ab") as log:
            self.process = spawn([binary(), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                 env={**os.environ, **self.env, **(env or {})})

    def restart_as_serve(self, limits="", dns=None, outbound="", host="127.0.0.1", outbound_port=None):
        """Stops `dev` and goes on with `serve --config` on the same folder and ports, with the limits of a real server.

        `dns` is the address of a name server to verify and to send mail with; `outbound` is text for that section; the
        mail ports are on `host`. Mail to other servers goes to `outbound_port`, by default that of our own `smtp_in`, so that
        two servers with the same base port on two addresses of loopback find each other.
        """
        self.stop()
        outbound = f"port = {outbound_port or self.base + OFFSETS['smtp_in']}\n{outbound}"
        self.config = self.write_config(limits, dns, outbound, host)
        command([binary(), "check-config", "--config", self.config])
        self.relaunch()

    def relaunch(self):
        """Starts `serve` again, after `restart_as_serve` and a stop or kill."""
        self.launch(words=["serve", "--config", self.config])
        wait_until(self.answers, "serve to be ready", 60)

    def write_config(self, limits, dns, outbound, host):
        for name in ("smtp_in", "submission", "submissions", "imap", "imaps"):
            self.ready[name] = f"{host}:{self.base + OFFSETS[name]}"
        listen = "".join(f'{name} = ["{self.ready[name]}"]\n' for name in ("smtp_in", "submission", "submissions", "imap", "imaps"))
        certificate, key = (os.path.join(self.data, "certs", name) for name in ("server.pem", "server.key"))
        domain, path = self.ready["domain"], os.path.join(self.folder, "postroom.toml")
        with open(path, "w") as file:
            file.write(f'''hostname = "mail.{domain}"
domains = ["{domain}"]
data_dir = "{self.data}"
[listen]
{listen}http = ["{self.ready["api"].removeprefix("http://")}"]
[tls]
certificate = "{certificate}"
key = "{key}"
[dns]
{f'servers = ["{dns}"]' if dns else "verify = false"}
[outbound]
private_targets = true
source_addresses = ["{host}"]
{outbound}
[limits]
{limits}
''')
        return path

    def answers(self):
        check(self.alive(), f"the server ended; log:\n{self.log_tail()}")
        try:
            with urllib.request.urlopen(self.ready["api"] + "/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def start(self, seconds=60, env=None):
        self.launch(env)
        return self.wait_ready(seconds)

    def wait_ready(self, seconds=60):
        end, line = time.monotonic() + seconds, b""
        pipe = self.process.stdout.fileno()
        readable = select.poll()  # long runs have more descriptors than select() takes
        readable.register(pipe, select.POLLIN)
        while not line.endswith(b"\n"):
            check(time.monotonic() < end, f"no ready line within {seconds} s; log:\n{self.log_tail()}")
            if readable.poll(100):
                piece = os.read(pipe, 65536)
                if not piece:
                    code = self.process.wait(10)
                    raise Failure(f"the server ended with {code} before it was ready; log:\n{self.log_tail()}")
                line += piece
        shown.note(line)
        self.ready = json.loads(line)
        check(self.ready.get("ready") is True, f"not a ready line: {line!r}")
        return self

    def stop(self, seconds=20):
        """SIGTERM; the server must drain and exit with 0."""
        self.process.send_signal(signal.SIGTERM)
        equal(self.wait_exit(seconds), 0, "exit code after SIGTERM")
        equal(self.process.stdout.read(), b"", "stdout after the ready line")

    def kill(self):
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()

    def wait_exit(self, seconds=20):
        wait_until(lambda: self.process.poll() is not None, "the server to exit", seconds)
        return self.process.returncode

    def alive(self):
        return self.process.poll() is None

    def log_tail(self, octets=3000):
        try:
            with open(self.log_path, "rb") as log:
                return log.read()[-octets:].decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def log_text(self):
        return self.log_tail(1 << 30)

    def address(self, service):
        """(host, port) of smtp_in, submission, submissions, imap or imaps, from the ready line."""
        host, port = self.ready[service].rsplit(":", 1)
        return host, int(port)

    def tls(self):
        """A context that trusts this server's authority and nothing else."""
        context = ssl.create_default_context(cafile=self.ready["ca"])
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def resident_octets(self):
        return memory(self.process.pid, "VmRSS")

    def peak_octets(self):
        return memory(self.process.pid, "VmHWM")

    def reset_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def fsck(self):
        """The offline check of the data folder: no problems, or a failure that names them."""
        check(not (self.process and self.alive()), "fsck needs a stopped server")
        output = command([binary(), "fsck", "--data", self.data, "--json"], seconds=300, expect=None)
        lines = [line for line in output.splitlines() if line.startswith(b"{\"") and b"\"problems\"" in line]
        check(lines, f"fsck printed no report: {output[-2000:]!r}")
        report = json.loads(lines[-1])
        check(report["ok"] and not report["problems"], f"fsck: {report['problems'][:20]}")


def memory(pid, field):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise Failure(f"no {field} for process {pid}")
