"""A name server on loopback for tests: TXT, A and PTR from a table, and misbehaviour by name.

Names that begin with `silent.` get no answer, `garbage.` random octets, `loop.` a CNAME to themselves.
"""

import os
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "TXT": 16}


class NameServer:
    """Serves `{(name, type): text}` over UDP until the process ends."""

    def __init__(self, records):
        self.records = {(name.lower(), TYPES[kind]): text for (name, kind), text in records.items()}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.asked = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            answer = self.answer(query)
            if answer is not None:
                self.socket.sendto(answer, client)

    def answer(self, query):
        name, end = read_name(query)
        kind = struct.unpack(">H", query[end:end + 2])[0]
        self.asked.append(name)
        if "silent." in name:
            return None
        if "garbage." in name:
            return query[:2] + os.urandom(200)
        question = query[12:end + 4]
        found = self.data(name, kind, query[12:end])
        code = 0 if found or any(known == name for known, _ in self.records) else 3
        header = query[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, 1 if found else 0, 0, 0)
        return header + question + (b"\xc0\x0c" + struct.pack(">HHIH", found[0], 1, 60, len(found[1])) + found[1] if found else b"")

    def data(self, name, kind, wire_name):
        if "loop." in name:
            return TYPES["CNAME"], wire_name
        text = self.records.get((name, kind))
        if text is None:
            return None
        if kind == TYPES["A"]:
            return kind, socket.inet_aton(text)
        if kind == TYPES["PTR"]:
            return kind, b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"
        pieces = [text[at:at + 255].encode() for at in range(0, len(text), 255)]
        return kind, b"".join(bytes([len(piece)]) + piece for piece in pieces)


def read_name(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace").lower())
        at += 1 + query[at]
    return ".".join(labels), at + 1
