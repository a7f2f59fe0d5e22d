"""Debian's Postfix on loopback in a folder of its own. Root only, as Postfix changes users. Package: postfix."""

import os
import pwd
import signal
import socket
import subprocess

from scenario import spawn, temp_folder, wait_until

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
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
"""


class Postfix:
    """One instance; `main_cf` is added to what every instance needs, `{d}` in it stands for the folder."""

    def __init__(self, address, main_cf, folder=None, options=""):
        self.address = address
        self.folder = d = folder or temp_folder("postfix")
        os.chmod(d, 0o755)
        for name in ("queue", "postfix-data", "postfix"):
            os.makedirs(os.path.join(d, name), 0o755, exist_ok=True)
        os.chown(d + "/postfix-data", pwd.getpwnam("postfix").pw_uid, -1)
        self.write("postfix/main.cf", (MAIN_CF + main_cf).replace("{d}", d))
        services = "".join(unix_services())
        self.write("postfix/master.cf", f"{address[0]}:{address[1]} inet n - n - - smtpd{options}\n{services}")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def __enter__(self):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = spawn(["postfix", "-c", self.folder + "/postfix", "start-fg"], **quiet)
        wait_until(lambda: listening(self.address), "Postfix to listen", 20)
        return self

    def __exit__(self, *_):
        os.kill(self.master(), signal.SIGTERM)  # a child of start-fg, which ends after it
        self.process.wait(30)

    def master(self):
        """The process id of its master, above all its processes."""
        with open(self.folder + "/queue/pid/master.pid") as file:
            return int(file.read())

    def log(self):
        with open(self.folder + "/postfix.log") as file:
            return file.read()


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
