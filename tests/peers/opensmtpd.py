#!/usr/bin/env python3
"""OpenSMTPD takes mail from us and delivers mail to us. It is installed in a layer of its own, beside Postfix."""

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
table users { "zoe@peer.test" = "nobody" }
smtp max-message-size "60M"
listen on 127.0.0.2 port {port} hostname mail.peer.test
action "inbox" maildir "{d}/mail/zoe" virtual <users>
action "out" relay host "smtp+tls://127.0.0.1:{port}" tls no-verify src 127.0.0.2 helo "mail.peer.test"
match from any for domain "peer.test" action "inbox"
match from src 127.0.0.2 for domain "example.test" action "out"
match from local for domain "example.test" action "out"
"""


class Peer(Overlay):
    def __init__(self, port):
        self.address, folder = (peers.HOST, port), temp_folder("opensmtpd")
        os.chmod(folder, 0o755)
        owner = pwd.getpwnam("nobody")
        os.mkdir(folder + "/mail")
        os.chown(folder + "/mail", owner.pw_uid, owner.pw_gid)
        with open(folder + "/smtpd.conf", "w") as file:
            file.write(CONFIG.replace("{d}", folder).replace("{port}", str(port)))
        super().__init__("opensmtpd", ["/usr/sbin/smtpd", "-d", "-f", folder + "/smtpd.conf"], folder)

    def __enter__(self):
        super().__enter__()
        wait_until(self.up, "OpenSMTPD to listen", 120)
        return self

    def up(self):
        check(self.process.poll() is None, f"OpenSMTPD ended: {self.output()}")
        return listening(self.address)

    def mailbox(self):
        return self.shared + "/mail/zoe"


# Debian 12's build cannot use its private key with OpenSSL 3, so it takes mail without TLS; it sends with it.
scenario.main(lambda: peers.both_ways(Peer, tls=False), 400)
