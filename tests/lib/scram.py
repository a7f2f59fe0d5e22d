"""SCRAM-SHA-256 as a client (RFC 5802, 7677), by hand: Python's mail libraries do not know it."""

import base64
import hashlib
import hmac
import secrets

from scenario import check, equal


class Scram:
    """One exchange: `first()`, then `final(server_first)`, then `proven(server_final)`; all texts, not base64."""

    def __init__(self, user, password):
        self.password, self.nonce = password, secrets.token_urlsafe(18)
        self.bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={self.nonce}"

    def first(self):
        return "n,," + self.bare

    def final(self, server_first):
        fields = dict(field.split("=", 1) for field in server_first.split(","))
        check(fields["r"].startswith(self.nonce) and int(fields["i"]) >= 4096, f"server-first: {server_first}")
        self.salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        final = f"c=biws,r={fields['r']}"
        self.signed = f"{self.bare},{server_first},{final}".encode()
        key = hmac.digest(self.salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), self.signed, "sha256")
        return f"{final},p={base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()}"

    def proven(self, server_final):
        """The server knows the password too."""
        signature = hmac.digest(hmac.digest(self.salted, b"Server Key", "sha256"), self.signed, "sha256")
        equal(server_final, "v=" + base64.b64encode(signature).decode(), "the server's proof")
