"""A web server on loopback that keeps what is posted to it: the receiving side of webhooks."""

import errno
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scenario import wait_until


def listening(port, handler):
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None


@dataclass
class Post:
    path: str
    headers: dict
    body: bytes


class Receiver:
    """Answers 204, or what `answers` holds first; on any port, or on one that is waited for while another test has it."""

    def __init__(self, answers=(), port=0):
        self.posts, self.answers, self.lock = [], list(answers), threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802 - the name is the library's
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with receiver.lock:
                    receiver.posts.append(Post(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                    status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = wait_until(lambda: listening(port, Handler), f"port {port}", 60, 0.2)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def at(self, path):
        with self.lock:
            return [post for post in self.posts if post.path == path]

    def first(self, path, seconds=20):
        return wait_until(lambda: self.at(path), f"a post to {path}", seconds)[0]
