#!/usr/bin/env python3
"""postroom as a unit of systemd: the unit files, the sockets that are passed, and what the service manager is told.

`systemd-analyze` finds nothing wrong with the units and gives the service an exposure of 1.0 at most. Started by
`systemd-socket-activate`, the server takes each socket by its name, in any order; it says READY=1, WATCHDOG=1 in time,
RELOADING=1, STOPPING=1, and how far a replay is. Secrets come as credentials. There is no systemd in the test's container:
the service itself is not run under its restrictions here.
"""

import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import scenario
from scenario import check, command, equal, spawn, wait_until
from server import binary, free_base_port

UNITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "systemd")
OFFSETS = {"http": 80, "smtp_in": 25, "https": 443, "imaps": 993, "submission": 587, "imap": 143, "submissions": 465}


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.heard = []

    def lines(self):
        """Everything heard so far, as (seconds, line)."""
        while True:
            try:
                told = self.socket.recv(65536).decode()
            except BlockingIOError:
                return self.heard
            self.heard += [(time.monotonic(), line) for line in told.splitlines()]

    def times(self, start):
        return [at for at, line in self.lines() if line.startswith(start)]

    def wait(self, start, count=1, seconds=60):
        return wait_until(lambda: len(self.times(start)) >= count and self.times(start), f"{count} × {start}", seconds)


class Unit:
    """A server with its configuration, certificate and credentials, started with sockets or without."""

    def __init__(self):
        self.folder = scenario.temp_folder("systemd")
        self.base = free_base_port()
        self.manager = Manager(self.folder)
        self.credentials = os.path.join(self.folder, "credentials")
        os.mkdir(self.credentials, 0o700)
        self.certificate("first")
        with open(os.path.join(self.credentials, "smarthost-password"), "w", encoding="ascii") as file:
            file.write("hunter2\n")
        self.config = os.path.join(self.folder, "postroom.toml")
        self.log = os.path.join(self.folder, "log")
        # Ports of the configuration that nobody may open: the sockets passed win.
        listen = "".join(f'{name} = ["192.0.2.1:{port}"]\n' for port, name in enumerate(OFFSETS, 1))
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"""hostname = "mail.example.test"
data_dir = "{self.folder}/data"
[listen]
{listen}[tls]
certificate = "tls-certificate"
key = "tls-key"
[dns]
verify = false
[store]
min_free = "1 MiB"
[[outbound.route]]
host = "smarthost.example"
user = "me"
password_file = "smarthost-password"
""")

    def certificate(self, name):
        command(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                 "-keyout", f"{self.credentials}/tls-key", "-out", f"{self.credentials}/tls-certificate", "-subj", f"/CN={name}"])

    def environment(self, **more):
        return {"NOTIFY_SOCKET": self.manager.path, "CREDENTIALS_DIRECTORY": self.credentials, "WATCHDOG_USEC": "1500000",
                "POSTROOM_BOOT_ID": "one", "RUST_LOG": "info", **more}

    def activate(self, names, fdname=None, **more):
        """Starts it as systemd would, with a socket for each name; the first connection begins the server. `fdname` is the
        one name of all sockets, as those of one unit have it."""
        words = ["systemd-socket-activate", f"--fdname={fdname or ':'.join(names)}"]
        words += [f"--listen=127.0.0.1:{self.base + OFFSETS.get(name, 999)}" for name in names]
        words += [f"--setenv={name}={value}" for name, value in self.environment(**more).items()]
        with open(self.log, "ab") as log:
            self.process = spawn([*words, binary(), "serve", "--config", self.config], stdout=log, stderr=log)
        port = self.base + OFFSETS.get(names[0], 999)
        wait_until(lambda: self.can_connect(port), "the activator to listen", 20)

    @staticmethod
    def can_connect(port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return True
        except OSError:
            return False

    def connect(self, name):
        return socket.create_connection(("127.0.0.1", self.base + OFFSETS[name]), timeout=10)

    def tls(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(self.connect(name))

    def log_text(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()


def units_are_sound(folder):
    """The units as they are, but for the path of the binary and a user that is there."""
    units = os.path.join(folder, "units")
    shutil.copytree(UNITS, units)
    service = os.path.join(units, "postroom.service")
    with open(service, encoding="ascii") as file:
        text = file.read()
    equal(re.findall("^ExecStart=(.*)$", text, re.M), ["/usr/bin/postroom serve --config /etc/postroom/postroom.toml"], "ExecStart")
    check("\nEnvironment=POSTROOM_BOOT_ID=%b\n" in text and "\nExecReload=kill -HUP $MAINPID\n" in text, "boot id and reload")
    with open(os.path.join(units, "postroom.socket"), encoding="ascii") as file:
        ports = re.findall("^ListenStream=(.*)$", file.read(), re.M)
    equal(sorted(ports), sorted(["25", "465", "587", "143", "993", "127.0.0.1:8080", "443"]), "ports")
    check("\nSockets=postroom.socket\n" in text, "the service does not know its sockets")
    with open(service, "w", encoding="ascii") as file:
        file.write(text.replace("/usr/bin/postroom", os.path.abspath(binary())))
    said = command(["systemd-analyze", "verify", "--man=no", service, os.path.join(units, "postroom.socket")])
    equal(said, b"", "systemd-analyze verify")
    said = command(["systemd-analyze", "security", "--offline=true", "--no-pager", service]).decode()
    exposure = float(re.search(r"Overall exposure level for postroom.service: ([0-9.]+)", said)[1])
    check(exposure <= 1.0, f"exposure {exposure}:\n{said}")


def sockets_by_name(unit):
    unit.activate(list(OFFSETS))
    unit.manager.wait("READY=1")
    for name, greeting in (("smtp_in", b"220 "), ("submission", b"220 "), ("imap", b"* OK ")):
        with unit.connect(name) as tcp:
            said = tcp.makefile("rb").readline()
            check(said.startswith(greeting), f"{name}: {said!r}")
    for name, greeting in (("submissions", b"220 "), ("imaps", b"* OK ")):
        with unit.tls(name) as tls:
            said = tls.makefile("rb").readline()
            check(said.startswith(greeting), f"{name}: {said!r}")
    with unit.connect("submission") as tcp:
        stream = tcp.makefile("rwb")
        stream.readline()
        stream.write(b"MAIL FROM:<a@example.test>\r\n")
        stream.flush()
        check(stream.readline().startswith(b"5"), "the submission port takes mail from nobody")
    equal(status_of(unit, "http"), 200, "HTTP")
    equal(status_of(unit, "https"), 200, "HTTPS")


def status_of(unit, name):
    asked = http.client.HTTPConnection("127.0.0.1", unit.base + OFFSETS[name], timeout=10)
    asked.sock = unit.tls(name) if name == "https" else unit.connect(name)
    asked.request("GET", "/readyz")
    status = asked.getresponse().status
    asked.close()
    return status


def sockets_by_port(unit):
    """As `postroom.socket` passes them: all with one name, told apart by the ports of the configuration."""
    with open(unit.config, encoding="ascii") as file:
        text = file.read()
    for name, offset in OFFSETS.items():
        text = re.sub(rf'(?m)^{name} = \["192.0.2.1:\d+"\]$', f'{name} = ["192.0.2.1:{unit.base + offset}"]', text)
    with open(unit.config, "w", encoding="ascii") as file:
        file.write(text)
    before = len(unit.manager.times("READY=1"))
    unit.activate(list(OFFSETS), fdname=":".join(["postroom.socket"] * len(OFFSETS)))
    unit.manager.wait("READY=1", before + 1)
    for name, greeting in (("smtp_in", b"220 "), ("submission", b"220 "), ("imap", b"* OK ")):
        with unit.connect(name) as tcp:
            check(tcp.makefile("rb").readline().startswith(greeting), f"{name} by its port")
    for name, greeting in (("submissions", b"220 "), ("imaps", b"* OK ")):
        with unit.tls(name) as tls:
            check(tls.makefile("rb").readline().startswith(greeting), f"{name} by its port")
    equal((status_of(unit, "http"), status_of(unit, "https")), (200, 200), "HTTP and HTTPS by their ports")
    unit.process.send_signal(signal.SIGTERM)
    equal(unit.process.wait(30), 0, "exit code")


def watchdog_reload_stop(unit):
    before = unit.manager.wait("WATCHDOG=1", 4, 10)
    longest = max(later - sooner for sooner, later in zip(before, before[1:]))
    check(longest < 1.5, f"{longest:.1f} s without a sign of life, with a limit of 1.5 s")
    shown = unit.tls("https").getpeercert(binary_form=True)
    unit.certificate("second")
    unit.process.send_signal(signal.SIGHUP)
    unit.manager.wait("READY=1", 2, 20)
    lines = [line for _, line in unit.manager.lines()]
    at = lines.index("RELOADING=1")
    check(lines[at + 1].startswith("MONOTONIC_USEC=") and "READY=1" in lines[at:], f"reload: {lines[at:]}")
    check(unit.tls("https").getpeercert(binary_form=True) != shown, "HTTPS has the old certificate")
    check(unit.tls("imaps").getpeercert(binary_form=True) != shown, "IMAP has the old certificate")
    with unit.connect("smtp_in") as idle:
        idle.recv(1000)
        unit.process.send_signal(signal.SIGTERM)
        check(idle.recv(1000).startswith(b"421"), "an idle client is told")
    equal(unit.process.wait(30), 0, "exit code")
    check(unit.manager.times("STOPPING=1"), "STOPPING=1")


def a_replay_asks_for_time(unit):
    """After a kill and a restart of the machine (another boot id) the whole journal is replayed."""
    unit.activate(list(OFFSETS))
    unit.manager.wait("READY=1", 3)
    unit.process.kill()
    unit.process.wait()
    before = len(unit.manager.times("EXTEND_TIMEOUT_USEC="))
    unit.activate(list(OFFSETS), POSTROOM_BOOT_ID="two")
    unit.manager.wait("READY=1", 4)
    check(len(unit.manager.times("EXTEND_TIMEOUT_USEC=")) > before, "no time was asked for")
    check(unit.manager.times("STATUS=replaying the journal: "), "how far it is")
    unit.process.send_signal(signal.SIGTERM)
    equal(unit.process.wait(30), 0, "exit code")


def mistakes_are_named(unit):
    unit.activate(["pop3"])
    check(unit.process.wait(30) != 0, "a socket that nobody takes was passed over")
    check("`pop3`" in unit.log_text(), f"the log does not name it: {unit.log_text()[-500:]}")
    environment = {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"}
    told = subprocess.run([binary(), "check-config", "--config", unit.config], env=environment, capture_output=True, text=True, check=False)
    check(told.returncode == 1 and "CREDENTIALS_DIRECTORY" in told.stderr, f"check-config without credentials: {told}")
    environment["CREDENTIALS_DIRECTORY"] = unit.credentials
    command([binary(), "check-config", "--config", unit.config], env=environment)
    os.unlink(os.path.join(unit.credentials, "smarthost-password"))
    told = command([binary(), "check-config", "--config", unit.config], expect=1, env=environment)
    check(b"smarthost-password" in told and b"hunter2" not in unit.log_text().encode(), f"a missing secret: {told!r}")


def run():
    unit = Unit()
    units_are_sound(unit.folder)
    sockets_by_name(unit)
    watchdog_reload_stop(unit)
    a_replay_asks_for_time(unit)
    sockets_by_port(unit)
    mistakes_are_named(unit)


scenario.main(run, 240)
