"""Debian's Postfix and Dovecot as a server to compare with: Postfix → LMTP → Dovecot (mdbox), on loopback, own folder.

What differs from the packages' defaults is what a load test from one address needs (ports, connection limits, the
documented login mode for many connections, hibernation of idle sessions); syncing to disk stays as it comes.
Packages: postfix dovecot-core dovecot-imapd dovecot-lmtpd. Root only, as both servers change users.
"""

import os
import pwd
import ssl
import subprocess
import time

from api import Inbox
from postfix import Postfix, listening
from scenario import command, spawn, temp_folder, wait_until
from server import free_base_port

DOMAIN, PASSWORD = "example.test", "Bench-pass-1"

DOVECOT = """
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{d}/cert.pem
ssl_key = <{d}/key.pem
mail_location = mdbox:~/mdbox
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {d}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={d}/mail/%n
}}
namespace inbox {{
  inbox = yes
}}
protocol imap {{
  mail_max_userip_connections = 5000
  imap_hibernate_timeout = 1s
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
  service_count = 0
  process_min_avail = 2
  client_limit = 5000
  vsz_limit = 1G
}}
service imap {{
  process_limit = 5000
  extra_groups = dovecot
  unix_listener imap-master {{
    user = dovecot
  }}
}}
service imap-hibernate {{
  client_limit = 5000
  unix_listener imap-hibernate {{
    mode = 0666
  }}
}}
service anvil {{
  client_limit = 15000
}}
service auth {{
  client_limit = 15000
  unix_listener auth-postfix {{
    mode = 0666
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
"""

MAIN_CF = """
myhostname = mail.{domain}
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{d}/mailboxes
virtual_transport = lmtp:unix:{d}/run/lmtp
default_transport = {transport}
message_size_limit = 60000000
smtpd_sasl_type = dovecot
smtpd_sasl_path = {d}/run/auth-postfix
smtpd_tls_cert_file = {d}/cert.pem
smtpd_tls_key_file = {d}/key.pem
smtpd_client_connection_count_limit = 0
"""
SUBMISSION = """{address} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_milters=unix:{d}/opendkim.sock
"""
OPENDKIM = """Domain example.test
Selector sel
KeyFile {d}/dkim.key
Mode s
Canonicalization relaxed/relaxed
Socket local:{d}/opendkim.sock
UMask 000
PidFile {d}/opendkim.pid
RequireSafeKeys no
"""


class Peer:
    """Has what bench/run needs of a server: addresses, TLS, inboxes, process ids."""

    name = "Postfix + Dovecot"

    def __init__(self, users, sink=None):
        """With `sink`, an address and port, it also takes submissions, signs them, and sends all mail there when `release`d."""
        self.sink = sink
        self.folder = d = temp_folder("peer")
        os.chmod(d, 0o755)
        self.base = free_base_port()
        self.inboxes = [Inbox("", f"u{n}@{DOMAIN}", PASSWORD, "") for n in range(users)]
        owner = pwd.getpwnam("nobody")
        for name in ("run", "state", "mail"):
            os.mkdir(os.path.join(d, name), 0o755)
        os.chown(d + "/mail", owner.pw_uid, owner.pw_gid)
        command(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-keyout",
                 d + "/key.pem", "-out", d + "/cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        self.write("passwd", "".join(f"{inbox.address}:{{PLAIN}}{PASSWORD}\n" for inbox in self.inboxes))
        self.write("mailboxes", "".join(f"{inbox.address} {inbox.address}\n" for inbox in self.inboxes))
        self.write("dovecot.conf", DOVECOT.format(d=d, uid=owner.pw_uid, gid=owner.pw_gid, imap=self.base + 143, imaps=self.base + 993))
        transport = f"smtp:[{sink[0]}]:{sink[1]}" if sink else "error:only local mail"
        main_cf = MAIN_CF.replace("{domain}", DOMAIN).replace("{transport}", transport) + ("defer_transports = smtp\n" if sink else "")
        self.postfix = Postfix(("127.0.0.1", self.base + 25), main_cf, folder=d)
        if sink:
            with open(d + "/postfix/master.cf", "a") as file:
                file.write(SUBMISSION.format(address=f"127.0.0.1:{self.base + 587}", d=d))
            command(["openssl", "genrsa", "-out", d + "/dkim.key", "2048"])
            os.chmod(d + "/dkim.key", 0o600)
            self.write("opendkim.conf", OPENDKIM.format(d=d))

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def __enter__(self):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.dovecot = spawn(["dovecot", "-F", "-c", self.folder + "/dovecot.conf"], **quiet)
        if self.sink:
            self.opendkim = spawn(["opendkim", "-f", "-x", self.folder + "/opendkim.conf"], **quiet)
            wait_until(lambda: os.path.exists(self.folder + "/opendkim.sock"), "opendkim to listen", 20)
        self.postfix.__enter__()
        wait_until(lambda: listening(self.address("imaps")), "Dovecot to listen", 20)
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.dovecot.terminate()
        self.postfix.__exit__()
        self.dovecot.wait(30)
        if self.sink:
            self.opendkim.terminate()
            self.opendkim.wait(30)

    def restart(self):
        """On the same data."""
        self.__exit__()
        self.__enter__()

    def address(self, service):
        return "127.0.0.1", self.base + {"smtp_in": 25, "submission": 587, "imaps": 993}[service]

    def tls(self):
        return ssl.create_default_context(cafile=self.folder + "/cert.pem")

    def roots(self):
        return [self.dovecot.pid, self.postfix.master(), *([self.opendkim.pid] if self.sink else [])]

    def release(self):
        """Lets the queue go."""
        command(["postconf", "-c", self.folder + "/postfix", "-e", "defer_transports="])
        command(["postfix", "-c", self.folder + "/postfix", "reload"])
        command(["postqueue", "-c", self.folder + "/postfix", "-f"])

    def hold(self):
        """Keeps the queue."""
        command(["postconf", "-c", self.folder + "/postfix", "-e", "defer_transports=smtp"])
        command(["postfix", "-c", self.folder + "/postfix", "reload"])

    def queued(self):
        """How many messages are in the queue."""
        folders = [os.path.join(self.folder, "queue", name) for name in ("maildrop", "incoming", "active", "deferred")]
        return sum(len(names) for folder in folders for _, _, names in os.walk(folder))
