"""Debian's Postfix and Dovecot as a server to compare with: Postfix → LMTP → Dovecot (mdbox), on loopback, own folder.

What differs from the packages' defaults is what a load test from one address needs (ports, connection limits, the
documented login mode for many connections, hibernation of idle sessions); syncing to disk stays as it comes.
Packages: postfix dovecot-core dovecot-imapd dovecot-lmtpd. Root only, as both servers change users.
"""

import os
import pwd
import signal
import socket
import ssl
import subprocess
import time

from api import Inbox
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
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
"""

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/postfix-data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {d}/postfix.log
maillog_file_prefixes = {d}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.{domain}
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{d}/mailboxes
virtual_transport = lmtp:unix:{d}/run/lmtp
default_transport = error:only local mail
message_size_limit = 60000000
"""


class Peer:
    """Has what bench/run needs of a server: addresses, TLS, inboxes, process ids."""

    name = "Postfix + Dovecot"

    def __init__(self, users):
        self.folder = d = temp_folder("peer")
        os.chmod(d, 0o755)
        self.base = free_base_port()
        self.inboxes = [Inbox("", f"u{n}@{DOMAIN}", PASSWORD, "") for n in range(users)]
        owner = pwd.getpwnam("nobody")
        for name in ("run", "state", "mail", "queue", "postfix-data", "postfix"):
            os.mkdir(os.path.join(d, name), 0o755)
        os.chown(d + "/mail", owner.pw_uid, owner.pw_gid)
        os.chown(d + "/postfix-data", pwd.getpwnam("postfix").pw_uid, -1)
        command(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-keyout",
                 d + "/key.pem", "-out", d + "/cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        self.write("passwd", "".join(f"{inbox.address}:{{PLAIN}}{PASSWORD}\n" for inbox in self.inboxes))
        self.write("mailboxes", "".join(f"{inbox.address} {inbox.address}\n" for inbox in self.inboxes))
        self.write("dovecot.conf", DOVECOT.format(d=d, uid=owner.pw_uid, gid=owner.pw_gid, imap=self.base + 143, imaps=self.base + 993))
        self.write("postfix/main.cf", MAIN_CF.format(d=d, domain=DOMAIN))
        self.write("postfix/master.cf", f"127.0.0.1:{self.base + 25} inet n - n - - smtpd\n" + "".join(unix_services()))

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def __enter__(self):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.dovecot = spawn(["dovecot", "-F", "-c", self.folder + "/dovecot.conf"], **quiet)
        self.postfix = spawn(["postfix", "-c", self.folder + "/postfix", "start-fg"], **quiet)
        wait_until(lambda: all(listening(self.address(service)) for service in ("smtp_in", "imaps")), "Postfix and Dovecot to listen", 20)
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.dovecot.terminate()
        os.kill(self.postfix_master(), signal.SIGTERM)  # a child of start-fg, which ends after it
        for process in (self.postfix, self.dovecot):
            process.wait(30)

    def address(self, service):
        return "127.0.0.1", self.base + {"smtp_in": 25, "imaps": 993}[service]

    def tls(self):
        return ssl.create_default_context(cafile=self.folder + "/cert.pem")

    def roots(self):
        return [self.dovecot.pid, self.postfix_master()]

    def postfix_master(self):
        with open(self.folder + "/queue/pid/master.pid") as file:
            return int(file.read())


def unix_services():
    """The services of Debian's master.cf that have no port, none of them chrooted."""
    with open("/etc/postfix/master.cf.proto") as file:
        for line in file:
            fields = line.split()
            if len(fields) > 7 and not line.startswith(("#", " ")) and fields[1].startswith("unix") and fields[7] != "pipe":
                fields[4] = "n"
                yield " ".join(fields) + "\n"


def listening(address):
    try:
        socket.create_connection(address, 1).close()
        return True
    except OSError:
        return False
