"""A name server on loopback for tests: records from a table, over UDP and TCP, and misbehaviour by name.

Names that begin with `silent.` get no answer, `garbage.` random octets, `loop.` a CNAME to themselves, `broken.` and `_dns_error.` SERVFAIL.
"""

import os
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
UDP_OCTETS = 1232


class NameServer:
    """Serves `{(name, type): text or list of texts}` until the process ends. An MX is `"10 mail.example"`."""

    def __init__(self, records, host="127.0.0.1"):
        self.records = {}
        for (name, kind), texts in records.items():
            self.put(name, kind, texts)
        self.asked = []
        while True:  # one port number that is free for both
            self.tcp = socket.create_server((host, 0))
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.udp.bind(self.tcp.getsockname())
                break
            except OSError:
                self.tcp.close()
        self.address = "%s:%d" % self.tcp.getsockname()
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def put(self, name, kind, texts):
        """Adds or replaces the records of one name and type."""
        self.records[(name.lower().rstrip("."), TYPES[kind])] = [texts] if isinstance(texts, str) else list(texts)

    def serve_udp(self):
        while True:
            query, client = self.udp.recvfrom(4096)
            answer = self.answer(query, UDP_OCTETS)
            if answer is not None:
                self.udp.sendto(answer, client)

    def serve_tcp(self):
        while True:
            client, _ = self.tcp.accept()
            threading.Thread(target=self.converse, args=(client,), daemon=True).start()

    def converse(self, client):
        with client, client.makefile("rb") as lines:
            client.settimeout(30)
            try:
                while size := lines.read(2):
                    answer = self.answer(lines.read(struct.unpack(">H", size)[0]), 65535)
                    if answer is not None:
                        client.sendall(struct.pack(">H", len(answer)) + answer)
            except (OSError, struct.error):
                pass

    def answer(self, query, limit):
        name, end = read_name(query)
        kind = struct.unpack(">H", query[end:end + 2])[0]
        self.asked.append(name)
        if "silent." in name:
            return None
        if "garbage." in name:
            return query[:2] + os.urandom(200)
        question = query[12:end + 4]
        fails = "broken." in name or "_dns_error." in name
        found = [] if fails else self.data(name, kind, query[12:end])
        code = 2 if fails else 0 if found or any(known == name for known, _ in self.records) else 3
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for kind, data in found)
        truncated = 12 + len(question) + len(body) > limit
        flags = 0x8580 | code | (0x0200 if truncated else 0)
        header = query[:2] + struct.pack(">HHHHH", flags, 1, 0 if truncated else len(found), 0, 0)
        return header + question + (b"" if truncated else body)

    def data(self, name, kind, wire_name):
        """[(type, data)] for one question."""
        if "loop." in name:
            return [(TYPES["CNAME"], wire_name)]
        texts = self.records.get((name, kind))
        if texts is None and (aliases := self.records.get((name, TYPES["CNAME"]))):
            return [(TYPES["CNAME"], wire(aliases[0]))]
        return [(kind, encoded(kind, text)) for text in texts or []]


def encoded(kind, text):
    if kind == TYPES["A"]:
        return socket.inet_aton(text)
    if kind == TYPES["AAAA"]:
        return socket.inet_pton(socket.AF_INET6, text)
    if kind == TYPES["MX"]:
        preference, host = text.split()
        return struct.pack(">H", int(preference)) + wire(host)
    if kind == TYPES["TXT"]:
        octets = text.encode()
        pieces = [octets[at:at + 255] for at in range(0, len(octets), 255)] or [b""]
        return b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return wire(text)


def wire(name):
    labels = [label for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def read_name(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace").lower())
        at += 1 + query[at]
    return ".".join(labels), at + 1
