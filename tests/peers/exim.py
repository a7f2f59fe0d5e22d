#!/usr/bin/env python3
"""Debian's Exim takes mail from us and delivers mail to us. It is installed in a layer of its own, beside Postfix."""

import os
import pwd
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import peers
import scenario
from overlay import Overlay
from postfix import listening
from scenario import check, temp_folder, wait_until

CONFIG = """
primary_hostname = mail.peer.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.2
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
pid_file_path = {d}/exim.pid
domainlist local = peer.test
tls_advertise_hosts = *
tls_certificate = {d}/cert.pem
tls_privatekey = {d}/key.pem
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
never_users =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max_per_connection = 1000
smtp_accept_queue_per_connection = 1000
queue_run_max = 5
begin acl
rcpt:
  accept hosts = 127.0.0.2
  accept domains = +local
         local_parts = zoe
  deny message = 5.1.1 no such user
begin routers
zoe:
  driver = accept
  domains = +local
  local_parts = zoe
  transport = maildir
postroom:
  driver = manualroute
  domains = example.test
  transport = smtp
  route_list = * 127.0.0.1
  self = send
begin transports
maildir:
  driver = appendfile
  directory = {d}/mail/zoe
  maildir_format
  create_directory
  user = nobody
  group = nogroup
  return_path_add
smtp:
  driver = smtp
  port = {port}
  hosts_require_tls = *
  tls_verify_hosts =
  tls_try_verify_hosts =
  interface = 127.0.0.2
begin retry
* * F,1m,1s
begin rewrite
begin authenticators
"""


class Peer(Overlay):
    def __init__(self, port):
        self.address, folder = (peers.HOST, port), temp_folder("exim")
        os.chmod(folder, 0o755)
        owner = pwd.getpwnam("nobody")
        for name in ("spool", "log", "mail"):
            os.mkdir(os.path.join(folder, name))
            os.chmod(os.path.join(folder, name), 0o777)
        os.chown(folder + "/mail", owner.pw_uid, owner.pw_gid)
        peers.certificate(folder)
        os.chmod(folder + "/key.pem", 0o644)
        with open(folder + "/exim.conf", "w") as file:
            file.write(CONFIG.replace("{d}", folder).replace("{port}", str(port)))
        script = f"chmod 644 {folder}/exim.conf; cat {folder}/exim.conf > /etc/exim4/exim4.conf; exec /usr/sbin/exim4 -bdf -q2s"
        super().__init__("exim4-daemon-light", ["sh", "-c", script], folder)

    def __enter__(self):
        super().__enter__()
        wait_until(self.up, "Exim to listen", 120)
        return self

    def up(self):
        check(self.process.poll() is None, f"Exim ended: {self.output()}")
        return listening(self.address)

    def mailbox(self):
        return self.shared + "/mail/zoe"


scenario.main(lambda: peers.both_ways(Peer), 400)
