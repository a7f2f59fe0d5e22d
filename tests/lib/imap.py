"""A small IMAP client over TLS that keeps every response as octets, literals included.

It knows just enough to compare what the server stores with what the tests expect; the real clients are in ../clients.
"""

import re
import socket

from scenario import Failure, check

TIMEOUT = 30


class Refused(Failure):
    """A tagged NO or BAD."""


class Closed(ConnectionError):
    """The server closed the connection."""


class Imap:
    def __init__(self, server, user=None, password=None, timeout=TIMEOUT, tls=True):
        self.socket = socket.create_connection(server.address("imaps" if tls else "imap"), timeout)
        if tls:
            self.socket = server.tls().wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.buffer = bytearray()
        self.number = 0
        self.greeting = self.response()
        if user:
            self.command(f'LOGIN "{user}" "{password}"')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def fill(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise Closed(f"closed by the server after {bytes(self.buffer[-200:])!r}")
        self.buffer += piece

    def line(self):
        start = 0
        while (end := self.buffer.find(b"\r\n", start)) < 0:
            start = max(0, len(self.buffer) - 1)
            self.fill()
        line = bytes(self.buffer[:end])
        del self.buffer[:end + 2]
        return line

    def exactly(self, octets):
        while len(self.buffer) < octets:
            self.fill()
        data = bytes(self.buffer[:octets])
        del self.buffer[:octets]
        return data

    def response(self):
        """One response as a list: text, literal, text, literal, … text."""
        parts = [self.line()]
        while found := re.search(rb"\{(\d+)\}$", parts[-1]):
            parts += [self.exactly(int(found[1])), self.line()]
        return parts

    def start(self, text):
        self.number += 1
        tag = b"t%d" % self.number
        self.send(tag + b" " + (text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        return tag

    def finish(self, tag):
        """Everything up to the tagged response: (untagged responses, text of the tagged OK)."""
        untagged = []
        while True:
            response = self.response()
            if response[0].startswith(tag + b" "):
                status = response[0][len(tag) + 1:]
                if not status.startswith(b"OK"):
                    raise Refused(status.decode("utf-8", "replace"))
                return untagged, status
            untagged.append(response)

    def command(self, text):
        return self.finish(self.start(text))

    def refused(self, text):
        """The tagged NO or BAD to a command that must not succeed."""
        try:
            self.command(text)
        except Refused as refusal:
            return str(refusal)
        raise Failure(f"{text!r} was accepted")

    def append(self, mailbox, content, flags=""):
        """APPEND with a non-synchronizing literal; returns the tagged text."""
        return self.finish(self.start(b'APPEND "%s" (%s) {%d+}\r\n' % (mailbox.encode(), flags.encode(), len(content)) + content))[1]

    def select(self, mailbox="INBOX"):
        """SELECT; returns {"exists", "uidvalidity", "uidnext"}."""
        untagged, _ = self.command(f'SELECT "{mailbox}"')
        text = b"\n".join(response[0] for response in untagged)
        numbers = {"exists": rb"\* (\d+) EXISTS", "uidvalidity": rb"\[UIDVALIDITY (\d+)", "uidnext": rb"\[UIDNEXT (\d+)"}
        # Mail that comes meanwhile is told before the tagged OK, so the last EXISTS counts.
        found = {name: re.findall(pattern, text) for name, pattern in numbers.items()}
        check(all(found.values()), f"SELECT lacks one of EXISTS, UIDVALIDITY, UIDNEXT: {text!r}")
        return {name: int(matches[-1]) for name, matches in found.items()}

    def fetch(self, uids, item):
        """UID FETCH of one body item: {uid: (flags, octets)}, in the order of the answer."""
        untagged, _ = self.command(f"UID FETCH {uids} (UID FLAGS {item})")
        return dict(fetched(response) for response in untagged if re.match(rb"\* \d+ FETCH .*UID ", response[0]) and len(response) > 1)

    def body(self, uid):
        """BODY.PEEK[] of one message."""
        found = self.fetch(str(uid), "BODY.PEEK[]")
        check(uid in found, f"no message with UID {uid}")
        return found[uid][1]

    def uids(self):
        untagged, _ = self.command("UID SEARCH ALL")
        lines = [response[0] for response in untagged if response[0].startswith(b"* SEARCH")]
        return [int(word) for line in lines for word in line.split()[2:]]


def fetched(response):
    """(uid, (flags, literal)) of one FETCH response with one literal."""
    head = b" ".join(response[::2])
    uid, flags = re.search(rb"\bUID (\d+)", head), re.search(rb"FLAGS \(([^)]*)\)", head)
    check(uid and flags, f"FETCH without UID or FLAGS: {head!r}")
    return int(uid[1]), (frozenset(word.decode().lower() for word in flags[1].split()), response[1])
