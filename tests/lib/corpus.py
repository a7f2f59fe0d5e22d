"""Messages to send, made here: attachments, 8-bit text, long lines, dots at line starts, nested parts."""

import base64
import hashlib
import random
from email.message import EmailMessage
from email.policy import SMTP

FROM = "Zoë Outside <zoe@client.example.net>"
DATE = "Sat, 21 Nov 2026 10:00:00 +0000"


def plain(to, subject="Hello", text="Hello, agent.\n", unique=None):
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = FROM, to, subject
    message["Date"] = DATE
    message["Message-ID"] = f"<{unique or '%032x' % random.getrandbits(128)}@client.example.net>"
    message.set_content(text, cte="8bit")
    return message


def with_attachments(to, subject="Report with attachments"):
    """(message, {file name: content}): text and HTML, a binary file with all octets, a text file, a message."""
    message = plain(to, subject, "The report: Größe 7, naïve café, 日本語.\n..two dots\n.one dot\n.\nend\n")
    message.add_alternative("<p>The <b>report</b>: Größe 7</p>", subtype="html")
    files = {
        "report.pdf": bytes(range(256)) * 300 + b"\r\n.\r\n",
        "notes größe.txt": ("line with a . at the end.\n.starts with a dot\n" * 40).encode(),
    }
    message.add_attachment(files["report.pdf"], maintype="application", subtype="pdf", filename="report.pdf")
    message.add_attachment(files["notes größe.txt"], maintype="application", subtype="octet-stream", filename="notes größe.txt")
    message.add_attachment(plain("inner@client.example.net", "Inner", "An attached message.\n"))
    return message, files


def octets(message):
    """The message as it goes over the wire (CRLF)."""
    return message.as_bytes(policy=SMTP)


def samples(to):
    """(name, content) of messages that servers and clients like to damage; all are legal with 8BITMIME."""
    head = f"From: zoe@client.example.net\r\nTo: {to}\r\nDate: {DATE}\r\nMessage-ID: <%s@client.example.net>\r\nSubject: %s\r\n".encode()
    mime = b"MIME-Version: 1.0\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n"
    chance = random.Random(7)

    def one(name, content_type, encoding, body):
        return name, head.replace(b"%s", name.encode()) + mime % (content_type, encoding) + body

    noise = bytes(octet for octet in chance.randbytes(20000) if octet not in (0, 10, 13))
    lines = b"".join(noise[at:at + 900] + b"\r\n" for at in range(0, len(noise), 900))
    return [
        ("multipart", octets(with_attachments(to)[0])),
        one("dots", b"text/plain; charset=utf-8", b"8bit", b".\r\n..\r\n...\r\n.a\r\n\r\n.\r\nend\r\n"),
        one("eight-bit", b"text/plain; charset=iso-8859-1", b"8bit", bytes(range(128, 256)) + b"\r\n"),
        one("long-lines", b"text/plain", b"7bit", (b"x" * 998 + b"\r\n") * 50),
        one("binary-ish", b"application/octet-stream", b"8bit", lines),
        one("empty-body", b"text/plain", b"7bit", b""),
        one("trailing-space", b"text/plain", b"7bit", b"a \t\r\n \r\n\r\n\r\n"),
        one("base64", b"application/octet-stream", b"base64", base64.encodebytes(chance.randbytes(100000)).replace(b"\n", b"\r\n")),
        ("header-only", head.replace(b"%s", b"header-only")),
        ("long-header", head.replace(b"%s", b"long-header") + b"X-Long:" + b" word\r\n" * 4000 + b"\r\nbody\r\n"),
    ]


def unique_message(unique, size=2000):
    """Content with an `X-Unique` field, and in `X-Sum` the SHA-256 of the body that follows."""
    chance = random.Random(unique)
    body = b"".join(base64.b64encode(chance.randbytes(54)) + b"\r\n" for _ in range(max(1, size // 74)))
    return (f"From: s@client.example.net\r\nSubject: {unique}\r\nMessage-ID: <{unique}@client.example.net>\r\n"
            f"X-Unique: {unique}\r\nX-Sum: {hashlib.sha256(body).hexdigest()}\r\n\r\n").encode() + body


def unique_of(stored):
    """The `X-Unique` of stored content, whose body must have the sum that its header says; None if damaged."""
    header, _, body = stored.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in header.split(b"\r\n") if line.startswith((b"X-Unique: ", b"X-Sum: ")))
    if fields.get(b"X-Sum") != hashlib.sha256(body).hexdigest().encode():
        return None
    return fields[b"X-Unique"].decode()


def without_trace(stored, sent):
    """The trace fields the server put before what was sent; None if the rest differs by one octet."""
    sent = sent if sent.endswith(b"\r\n") else sent + b"\r\n"
    return stored[:-len(sent)] if stored.endswith(sent) else None
