#!/usr/bin/env python3
"""Debian's Postfix takes mail from us and delivers mail to us."""

import os
import pwd
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import peers
import scenario
from postfix import Postfix
from scenario import temp_folder

MAIN_CF = """
myhostname = mail.peer.test
mydestination =
mynetworks = 127.0.0.2/32
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_cert_file = {d}/cert.pem
smtpd_tls_key_file = {d}/key.pem
smtpd_tls_security_level = may
smtp_tls_security_level = encrypt
smtp_bind_address = 127.0.0.2
virtual_mailbox_domains = peer.test
virtual_mailbox_maps = texthash:{d}/mailboxes
virtual_mailbox_base = {d}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
transport_maps = texthash:{d}/transport
"""


class Peer(Postfix):
    def mailbox(self):
        return self.folder + "/mail/zoe"


def start(port):
    folder, owner = temp_folder("postfix"), pwd.getpwnam("nobody")
    os.mkdir(folder + "/mail")
    os.chown(folder + "/mail", owner.pw_uid, owner.pw_gid)
    peers.certificate(folder)
    main_cf = MAIN_CF.replace("{uid}", str(owner.pw_uid)).replace("{gid}", str(owner.pw_gid))
    postfix = Peer((peers.HOST, port), main_cf, folder=folder)
    postfix.write("mailboxes", "zoe@peer.test zoe/\n")
    postfix.write("transport", f"example.test smtp:[127.0.0.1]:{port}\n")
    return postfix


scenario.main(lambda: peers.both_ways(start), 250)
