"""Another mail server for tests: takes mail on loopback, counts it, and misbehaves as a script says.

A script is a function from the phase ("connect", "ehlo", "starttls", "tls", "mail", "rcpt", "data", "dot") and the session to what to do:
None for the usual reply, a text to reply with, or an action: `CLOSE`, `SILENT`, `ENDLESS` (a reply without end), `LONG` (a
line of 10 MB), and for "tls" `GARBAGE` (no handshake). What was taken is counted by Message-ID, also when the reply to it is then lost.
"""

import base64
import email
import socket
import ssl
import threading
import time

CLOSE, SILENT, ENDLESS, LONG, GARBAGE = "CLOSE", "SILENT", "ENDLESS", "LONG", "GARBAGE"


class Taken:
    """One message taken."""

    def __init__(self, sender, recipients, content, tls, peer):
        self.sender, self.recipients, self.content, self.tls, self.peer = sender, recipients, content, tls, peer
        self.message = email.message_from_bytes(content)
        self.id = (self.message["Message-ID"] or "").strip()


class Remote:
    """Serves until closed; `taken` grows. `tls` is an ssl context for STARTTLS, or for all connections with `implicit_tls`. With
    `login`, a user and a password, it takes mail after AUTH PLAIN alone, and `logins` has what came."""

    def __init__(self, address=("127.0.0.1", 0), script=None, tls=None, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 52428800"),
                 implicit_tls=False, login=None):
        self.implicit_tls, self.login, self.logins = implicit_tls, login, []
        self.listener = socket.create_server(address)
        self.address = self.listener.getsockname()
        self.script, self.tls, self.extensions = script or (lambda phase, session: None), tls, extensions
        self.taken, self.lock, self.connections, self.open = [], threading.Lock(), 0, True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.open:
            try:
                client, peer = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=Session(self, client, peer).run, daemon=True).start()

    def close(self):
        self.open = False
        self.listener.close()

    def ids(self):
        """How often each Message-ID was taken."""
        counts = {}
        with self.lock:
            for one in self.taken:
                counts[one.id] = counts.get(one.id, 0) + 1
        return counts


class Session:
    def __init__(self, remote, client, peer):
        self.remote, self.socket, self.peer, self.tls = remote, client, peer, False
        self.buffer, self.sender, self.recipients, self.verbs, self.is_in = b"", None, [], [], remote.login is None

    def run(self):
        self.socket.settimeout(120)
        try:
            if self.remote.implicit_tls:
                self.socket, self.tls = self.remote.tls.wrap_socket(self.socket, server_side=True), True
            if self.say(self.wish("connect"), "220 remote.example ESMTP"):
                while self.command(self.line()):
                    pass
        except (OSError, ValueError):
            pass
        finally:
            self.socket.close()

    def wish(self, phase):
        return self.remote.script(phase, self)

    def say(self, wish, usual):
        """Replies as the script wants; false when the session is over."""
        if wish == CLOSE:
            return False
        if wish == SILENT:
            while self.remote.open and self.socket.recv(65536):
                pass
            return False
        if wish in (ENDLESS, LONG):
            end = time.monotonic() + 60
            while time.monotonic() < end:
                self.socket.sendall(b"250-more\r\n" * 1000 if wish == ENDLESS else b"2" * 1_000_000)
            return False
        self.socket.sendall((wish or usual).encode() + b"\r\n")
        return (wish or usual)[:3] not in ("421", "221")

    def line(self):
        while b"\r\n" not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                raise OSError("closed")
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("utf-8", "replace")

    def command(self, line):
        verb = line.split(" ")[0].upper()
        self.verbs.append(line)
        if verb == "EHLO":
            offers = [*self.remote.extensions, *(["STARTTLS"] if self.remote.tls and not self.tls else [])]
            lines = ["remote.example", *offers, *(["AUTH PLAIN"] if self.remote.login and self.tls else [])]
            return self.say(self.wish("ehlo"), "\r\n".join(f"250{'-' if at + 1 < len(lines) else ' '}{text}" for at, text in enumerate(lines)))
        if verb == "STARTTLS":
            if not self.say(self.wish("starttls"), "220 go ahead"):
                return False
            if self.wish("tls") == GARBAGE:
                self.socket.recv(65536)
                self.socket.sendall(b"this is not TLS at all" * 50)
                return False
            self.socket = self.remote.tls.wrap_socket(self.socket, server_side=True)
            self.tls, self.buffer = True, b""
            return True
        if verb == "AUTH":
            told = tuple(base64.b64decode(line.split(" ")[2]).decode().split("\0")[1:])
            self.remote.logins.append(told)
            self.is_in = told == self.remote.login
            self.socket.sendall(b"235 2.7.0 OK\r\n" if self.is_in else b"535 5.7.8 " + line.encode() + b" is wrong\r\n")
            return True
        if verb == "MAIL" and not self.is_in:
            self.socket.sendall(b"530 5.7.0 Authentication required\r\n")
            return True
        if verb == "MAIL":
            self.sender, self.recipients = path(line), []
            return self.say(self.wish("mail"), "250 2.1.0 OK")
        if verb == "RCPT":
            self.recipients.append(path(line))
            wish = self.wish("rcpt")
            if wish and wish[:1] in "45":
                self.recipients.pop()
            return self.say(wish, "250 2.1.5 OK")
        if verb == "DATA":
            return self.data()
        if verb == "QUIT":
            self.socket.sendall(b"221 2.0.0 Bye\r\n")
            return False
        if verb in ("RSET", "NOOP"):
            self.socket.sendall(b"250 2.0.0 OK\r\n")
            return True
        self.socket.sendall(b"500 5.5.2 What?\r\n")
        return True

    def data(self):
        wish = None if self.recipients else "554 5.5.1 No valid recipients"
        wish = wish or self.wish("data")
        if not self.say(wish, "354 go on"):
            return False
        if wish and not wish.startswith("354"):
            return True
        content = self.content()
        wish = self.wish("dot")
        if wish is None or wish in (CLOSE, SILENT) or wish.startswith("2"):
            taken = Taken(self.sender, list(self.recipients), content, self.tls, self.peer)
            with self.remote.lock:
                self.remote.taken.append(taken)
        return self.say(wish, "250 2.0.0 taken")

    def content(self):
        lines = []
        while (line := self.raw_line()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def raw_line(self):
        while b"\r\n" not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                raise OSError("closed in the content")
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line + b"\r\n"


def path(line):
    return line[line.index("<") + 1:line.index(">")]


def tls_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
