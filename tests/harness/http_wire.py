# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 by hand: exactly the bytes that a test wants to send, and the answers as they lie on the wire."""
import json

from .mqtt_client import tls_socket


class WireAnswer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"


class Wire:
    """One connection. Answers come in the order of the requests."""

    def __init__(self, server, device=None, **options):
        self.stream, self.waiting = tls_socket(server, device, server.http_port, **options), b""
        self.host = f"localhost:{server.http_port}"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stream.close()

    def send(self, data):
        self.stream.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def request(self, method, path, *lines, body=b"", version="1.1"):
        head = "\r\n".join([f"{method} {path} HTTP/{version}", f"Host: {self.host}", *lines, "", ""])
        return self.send(head.encode() + body)

    def _more(self):
        try:
            piece = self.stream.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            piece = b""
        if not piece:
            raise ConnectionError("the server closed")
        self.waiting += piece

    def line(self):
        while b"\n" not in self.waiting:
            self._more()
        line, _, self.waiting = self.waiting.partition(b"\n")
        return line.rstrip(b"\r").decode()

    def take(self, count):
        while len(self.waiting) < count:
            self._more()
        data, self.waiting = self.waiting[:count], self.waiting[count:]
        return data

    def head(self):
        status, headers = self.line(), {}
        assert status.startswith("HTTP/1.1 "), status
        while line := self.line():
            name, _, value = line.partition(":")
            assert name.lower() not in headers or name.lower() == "set-cookie", f"{name} twice"
            headers[name.lower()] = value.strip()
        return int(status.split()[1]), headers

    def chunk(self):
        """The next piece of a chunked body; b"" is its end."""
        size = int(self.line(), 16)
        data = self.take(size)
        assert self.line() == ""
        return data

    def answer(self, method="GET"):
        status, headers = self.head()
        bodiless = method == "HEAD" or status in (204, 304) or status < 200
        return WireAnswer(status, headers, b"" if bodiless else self.take(int(headers["content-length"])))

    def ask(self, method, path, *lines, body=b""):
        return self.request(method, path, *lines, body=body).answer(method)

    def wait_closed(self):
        """What still came before the server closed."""
        try:
            while True:
                self._more()
        except ConnectionError:
            return self.waiting
