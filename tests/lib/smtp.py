"""A plain SMTP client that shows each reply, pipelines, and can stop at any octet."""

import socket

from scenario import check

TIMEOUT = 30


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3])
        self.text = b"\n".join(lines).decode("utf-8", "replace")

    def __repr__(self):
        return self.text


class Smtp:
    def __init__(self, address, timeout=TIMEOUT):
        self.socket = socket.create_connection(address, timeout)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        while b"\r\n" not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError(f"closed by the server after {self.buffer!r}")
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return Reply(lines)

    def expect(self, *codes):
        reply = self.reply()
        check(reply.code in codes, f"expected {codes}, got {reply}")
        return reply

    def command(self, line, *codes):
        self.send(line.encode() + b"\r\n")
        return self.expect(*codes) if codes else self.reply()

    def hello(self, name="client.example.net"):
        self.expect(220)
        return self.command(f"EHLO {name}", 250)

    def start_tls(self, context, host="127.0.0.1"):
        self.command("STARTTLS", 220)
        self.socket = context.wrap_socket(self.socket, server_hostname=host)
        self.buffer = b""

    def envelope(self, recipients, sender="sender@client.example.net", parameters=""):
        """Up to the 354, a command at a time."""
        self.command(f"MAIL FROM:<{sender}>{parameters}", 250)
        for one in recipients:
            self.command(f"RCPT TO:<{one}>", 250)
        self.command("DATA", 354)

    def deliver(self, recipients, content, sender="sender@client.example.net", parameters=""):
        """A whole transaction; returns the reply to the final dot."""
        self.envelope(recipients, sender, parameters)
        self.send(stuffed(content) + b".\r\n")
        return self.reply()


def stuffed(content):
    """Dot-stuffed content that ends in CRLF."""
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    content = content.replace(b"\r\n.", b"\r\n..")
    return b"." + content if content.startswith(b".") else content


def deliver(server, recipients, content, **options):
    """One message on a connection of its own, in clear; expects 250."""
    with Smtp(server.address("smtp_in")) as client:
        client.hello()
        reply = client.deliver(recipients, content, **options)
        check(reply.code == 250, f"final reply: {reply}")
        client.command("QUIT", 221)
