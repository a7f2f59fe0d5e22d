#!/usr/bin/env python3
"""`postroom serve` as a sysadmin meets it: check-config, a start from a file, reload of the certificate, a clean stop.

Mistakes in the configuration are all told at once; the first operator key is in a file of mode 0600; SIGHUP takes a new
certificate for new connections; SIGTERM ends with 0 while a client is connected; passwords are refused without TLS, and
a second process on the same data folder is refused.
"""

import imaplib
import os
import resource
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import api
import scenario
from scenario import check, command, equal, spawn, wait_until
from server import binary, free_base_port


class Serve:
    """A server started from a configuration file, with the little that `api` and the checks below need."""

    def __init__(self):
        self.folder = scenario.temp_folder("serve")
        self.base = free_base_port()
        self.data = os.path.join(self.folder, "data")
        self.config = os.path.join(self.folder, "postroom.toml")
        self.certificate("first")
        self.ready = {"api": f"http://127.0.0.1:{self.base + 80}"}
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"""hostname = "mail.example.test"
domains = ["example.test", "example.net"]
data_dir = "{self.data}"
[listen]
smtp_in = ["127.0.0.1:{self.base + 25}"]
imap = ["127.0.0.1:{self.base + 143}"]
imaps = ["127.0.0.1:{self.base + 993}"]
http = ["127.0.0.1:{self.base + 80}"]
[tls]
certificate = "{self.folder}/cert.pem"
key = "{self.folder}/key.pem"
[dns]
verify = false
[store]
min_free = "1 MiB"
""")

    def certificate(self, name):
        command(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                 "-keyout", f"{self.folder}/key.pem", "-out", f"{self.folder}/cert.pem", "-subj", f"/CN={name}"])

    def start(self):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = spawn([binary(), "serve", "--config", self.config], stdout=subprocess.DEVNULL, stderr=self.log)
        wait_until(self.is_ready, "/readyz to be 200", 60)

    def is_ready(self):
        check(self.process.poll() is None, "serve ended before it was ready: " + open(self.log.name, encoding="utf-8").read()[-2000:])
        try:
            return api.request(self, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    def served_name(self):
        """The certificate that IMAP over TLS shows now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.base + 993), timeout=10) as tcp, context.wrap_socket(tcp) as tls:
            return tls.getpeercert(binary_form=True)

    def talk(self, offset, *lines):
        """Sends lines in clear and returns everything said until each is answered."""
        with socket.create_connection(("127.0.0.1", self.base + offset), timeout=10) as tcp:
            stream = tcp.makefile("rwb")
            said = [stream.readline()]
            for line in lines:
                stream.write(line)
                stream.flush()
                said.append(stream.readline())
            return said


def mistakes_are_told_at_once(server):
    bad = os.path.join(server.folder, "bad.toml")
    with open(bad, "w", encoding="ascii") as file:
        file.write('hostname = 7\n[listen]\nimap = ["x"]\n[limits]\nmesage = 1\n')
    told = command([binary(), "check-config", "--config", bad], expect=1).decode()
    for wanted in (":1: hostname", ":3: listen.imap", ":5: unknown key `limits.mesage`"):
        check(wanted in told, f"check-config says {told!r}, without {wanted!r}")
    command([binary(), "check-config", "--config", server.config])
    check(b'"version"' in command([binary(), "version", "--json"]), "version --json")


def certificates_are_looked_at(server):
    """What keeps clients away is an error, what may is a warning; each names its file."""
    said = command([binary(), "check-config", "--config", server.config]).decode()
    check(f"warning: {server.folder}/cert.pem is not for mail.example.test" in said, f"a certificate for another name: {said!r}")
    os.chmod(f"{server.folder}/key.pem", 0o644)
    said = command([binary(), "check-config", "--config", server.config]).decode()
    check(f"warning: {server.folder}/key.pem can be read by everybody" in said, f"a key for everybody: {said!r}")
    os.chmod(f"{server.folder}/key.pem", 0o600)
    with open(f"{server.folder}/key.pem", "rb") as file:
        key = file.read()
    server.certificate("other")
    with open(f"{server.folder}/key.pem", "wb") as file:
        file.write(key)
    for verb in ("check-config", "serve"):
        said = command([binary(), verb, "--config", server.config], expect=1).decode()
        check(f"{server.folder}/cert.pem and {server.folder}/key.pem cannot be used together" in said, f"{verb}, another key: {said!r}")
    check(not os.path.exists(os.path.join(server.data, "store")), "serve looks at the certificate before it opens the store")
    server.certificate("first")


def open_files(server):
    """The soft limit, low for the sake of programs that call select, becomes the hard one."""
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    equal(soft, hard, "soft limit of open files")


def who_is_it_from(server):
    """The log tells where a message came from, and who asks without a good key or password."""
    with smtplib.SMTP("127.0.0.1", server.base + 25, timeout=10) as smtp:
        smtp.sendmail("zoe@example.org", ["postmaster@example.test", "abuse@example.net"],
                      b"From: zoe@example.org\r\nMessage-ID: <one@example.org>\r\nSubject: x\r\n\r\nx\r\n")
    equal(api.request(server, "GET", "/v1/me", key="tk_wrong")[0], 401, "a wrong key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for user in ("Nobody@example.test", '"secret words"'):
        with imaplib.IMAP4_SSL("127.0.0.1", server.base + 993, ssl_context=context, timeout=10) as client:
            try:
                client.login(user, "wrong")
                check(False, "a wrong password")
            except imaplib.IMAP4.error:
                pass
    with open(server.log.name, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for wanted in (["accepted", "from=<zoe@example.org>", "recipients=2", "message_id=\"one@example.org\"", "peer=127.0.0.1"],
                   ["auth failed", 'user="nobody@example.test"', "peer=127.0.0.1"],
                   ["request", "code=401", "peer=127.0.0.1"]):
        check(any(all(part in line for part in wanted) for line in lines), f"no line with {wanted}: {lines[-12:]}")
    check(not any("secret words" in line for line in lines), "what is no address is not in the log: it may be a password")


def keys_and_doors(server):
    key_file = os.path.join(server.data, "operator-key")
    equal(stat.S_IMODE(os.stat(key_file).st_mode), 0o600, "mode of the operator key")
    with open(key_file, encoding="ascii") as file:
        server.ready["operator_key"] = file.read().strip()
    tenant = api.create_tenant(server, "Acme")
    status, made = api.request(server, "POST", "/v1/inboxes", {"username": "scout", "domain": "example.net"}, tenant)
    equal((status, made["imap"]["host"], made["imap"]["port"]), (201, "mail.example.test", 993), "what clients are told to dial")
    said = server.talk(143, b"a LOGIN scout@example.net x\r\n")
    check(b"LOGINDISABLED" in said[0] and said[1].startswith(b"a NO"), f"LOGIN in clear: {said}")
    said = server.talk(25, b"EHLO x\r\n")
    equal(said[0], b"220 mail.example.test ESMTP postroom\r\n", "greeting")
    for address, code in (("postmaster@example.net", b"250"), ("abuse@example.test", b"250"), ("nobody@example.net", b"550"), ("a@b.c", b"550")):
        said = server.talk(25, b"HELO x\r\n", b"MAIL FROM:<>\r\n", f"RCPT TO:<{address}>\r\n".encode())
        equal(said[3][:3], code, f"RCPT TO:<{address}> ({said[3]})")


def reload(server):
    before = server.served_name()
    server.certificate("second")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.served_name() != before, "the new certificate", 10)
    with open(f"{server.folder}/cert.pem", "w", encoding="ascii") as file:
        file.write("rubbish")
    now = server.served_name()
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "certificate stays" in open(server.log.name, encoding="utf-8").read(), "the bad certificate to be refused", 10)
    equal(server.served_name(), now, "the certificate after a bad one")


def stop(server):
    refused = command([binary(), "serve", "--config", server.config.replace(".toml", "-2.toml")], expect=1)
    check(b"postroom:" in refused, f"a second process: {refused!r}")
    with socket.create_connection(("127.0.0.1", server.base + 25), timeout=10) as idle:
        check(idle.recv(1000).startswith(b"220"), "greeting")
        server.process.send_signal(signal.SIGTERM)
        check(idle.recv(1000).startswith(b"421"), "an idle client is told")
    equal(server.process.wait(30), 0, "exit code after SIGTERM")


def without_space(server):
    """With next to nothing free, mail can be read all the same, after a restart too; that it is refused is said once."""
    with open(server.config, encoding="ascii") as file:
        text = file.read()
    with open(server.config, "w", encoding="ascii") as file:
        file.write(text.replace('min_free = "1 MiB"', 'min_free = "900000 GiB"'))
    server.certificate("third")
    server.start()
    ready = lambda: api.request(server, "GET", "/readyz")
    wait_until(lambda: ready()[1]["takesMail"] is False, "/readyz to say that no mail is taken", 20)
    status, shown = api.request(server, "GET", "/postroom/v1/postmaster", key=server.ready["operator_key"])
    equal(status, 200, f"reading without space: {shown}")
    said = server.talk(25, b"HELO x\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<abuse@example.test>\r\n", b"DATA\r\n", b"\r\n.\r\n")
    equal(said[-1][:3], b"452", f"mail without space ({said[-1]})")
    with open(server.log.name, encoding="utf-8") as file:
        told = [line for line in file if "store.min_free" in line]
    equal(len(told), 1, f"lines about it: {told}")
    server.process.send_signal(signal.SIGTERM)
    equal(server.process.wait(30), 0, "exit code after SIGTERM")


def second_configuration(server):
    """The same data folder with other ports."""
    with open(server.config, encoding="ascii") as file:
        text = file.read()
    for offset in (25, 80, 143, 993):
        text = text.replace(f":{server.base + offset}\"", ":0\"")
    text = text.replace(f'certificate = "{server.folder}/cert.pem"\nkey = "{server.folder}/key.pem"\n', "")
    with open(server.config.replace(".toml", "-2.toml"), "w", encoding="ascii") as file:
        file.write(text)


def run():
    server = Serve()
    second_configuration(server)
    mistakes_are_told_at_once(server)
    certificates_are_looked_at(server)
    server.start()
    keys_and_doors(server)
    open_files(server)
    who_is_it_from(server)
    reload(server)
    stop(server)
    without_space(server)
    command([binary(), "fsck", "--data", server.data])


scenario.main(run, 180)
