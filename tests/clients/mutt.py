#!/usr/bin/env python3
"""mutt and neomutt in batch mode (keys pushed, a pseudo-terminal nobody looks at): reads, flags, copies out, saves, deletes."""

import mailbox
import os
import pty
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import scenario
from fixture import filled_inbox, stored_contents
from imap import Imap
from scenario import check, equal, say, spawn, wait_until
from server import Server

CONFIG = """
set imap_user="{user}" imap_pass="{password}"
set ssl_ca_certificates_file="{ca}" ssl_force_tls=yes ssl_starttls=yes ssl_verify_host=yes
set folder="{url}" spoolfile="{url}/INBOX" mbox_type=mbox
set header_cache="" message_cachedir="" record="" sort=mailbox-order
set confirmappend=no confirmcreate=no delete=yes quit=yes move=no wait_key=no save_empty=yes timeout=5 sleep_time=0
set beep=no use_envelope_from=no mail_check=0
"""


def mutt(program, server, config, keys):
    """Runs mutt until it quits by itself."""
    own, other = pty.openpty()
    process = spawn([program, "-n", "-F", config, "-e", f'push "{keys}<quit>"'], stdin=other, stdout=other, stderr=other,
                    env={**os.environ, "TERM": "vt100", "HOME": server.folder, "LINES": "24", "COLUMNS": "80"})
    os.close(other)
    os.set_blocking(own, False)
    screen = b""

    def ended():
        nonlocal screen
        try:
            screen += os.read(own, 65536)
        except (BlockingIOError, OSError):
            pass
        return process.poll() is not None

    try:
        wait_until(ended, f"{program} to quit", 40)
    except scenario.Failure:
        say("its screen:", screen[-2000:])
        raise
    os.close(own)
    check(process.returncode == 0, f"{program} ended with {process.returncode}: {screen[-2000:]!r}")


def one_run(program, server, name, url):
    name = f"{program}-{name}"
    inbox, contents = filled_inbox(server, name)
    config = os.path.join(server.folder, name + ".muttrc")
    copies = os.path.join(server.folder, name + ".mbox")
    with open(config, "w") as file:
        file.write(CONFIG.format(user=inbox.address, password=inbox.password, ca=server.ready["ca"], url=url))
    mutt(program, server, config,
         f"<tag-pattern>~A<enter><tag-prefix><copy-message>{copies}<enter><untag-pattern>~A<enter>"
         "<first-entry><flag-message><search>~s dots<enter><save-message>=Archive<enter>"
         "<search>~s long-lines<enter><delete-message><sync-mailbox>")

    box = mailbox.mbox(copies, create=False)
    subjects = [message["Subject"] for message in box]
    equal(len(subjects), len(contents), "messages copied out")
    parts = {part.get_filename(): part.get_payload(decode=True) for part in box[0].walk() if part.get_filename()}
    equal(parts["report.pdf"], bytes(range(256)) * 300 + b"\r\n.\r\n", "the attachment read by mutt")
    equal(len(stored_contents(server, inbox)), len(contents) - 2, "messages left in INBOX")
    check(any(b"Subject: dots" in text for text in stored_contents(server, inbox, "Archive")), "the saved message is not in Archive")
    with Imap(server, inbox.address, inbox.password) as session:
        session.select()
        flags = {uid: marks for uid, (marks, _) in session.fetch("1:*", "BODY.PEEK[HEADER]").items()}
        check("\\flagged" in flags[1], f"the first message is not flagged: {flags[1]}")


def run():
    with Server() as server:
        for program in ("mutt", "neomutt"):
            one_run(program, server, "tls", f"imaps://localhost:{server.address('imaps')[1]}")
            one_run(program, server, "starttls", f"imap://localhost:{server.address('imap')[1]}")


if __name__ == "__main__":
    scenario.main(run, 120)
