# SPDX-License-Identifier: Apache-2.0
"""The REST API as a test's operator sees it, over Python's own HTTP and TLS."""
import http.client
import json
import ssl
import time
import urllib.parse

PASSWORD = "correct horse battery staple"
PATIENCE_S = 60


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


class Api:
    def __init__(self, url, ca, certificate=None, key=None):
        self.url = urllib.parse.urlsplit(url)
        self.context = ssl.create_default_context(cafile=ca)
        if certificate:
            self.context.load_cert_chain(certificate, key)
        self.token = None

    def connect(self):
        return http.client.HTTPSConnection(self.url.hostname, self.url.port, context=self.context, timeout=PATIENCE_S)

    def ask(self, method, path, body=None, headers=None):
        """One request on a connection of its own. A dict as body is sent as JSON."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path):
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def sign_in(self, name="ada", password=PASSWORD):
        answer = self.ask("POST", "/api/v1/session", {"name": name, "password": password})
        if answer.status == 200:
            self.token = answer.json["token"]
        return answer

    def make_token(self, group="lab", uses=100, minutes=60):
        answer = self.ask("POST", "/api/v1/tokens", {"group": group, "uses": uses, "minutes": minutes})
        assert answer.status == 201, answer
        return answer.json["token"]

    def events(self, **query):
        return self.get("/api/v1/events?" + urllib.parse.urlencode({"limit": 500, **query}))["events"]

    def wait_event(self, kind, device=None, after=0, patience_s=PATIENCE_S):
        """Waits for an event of the kind by listening to the live stream, from `after` on."""
        query = {"kind": kind, **({"device": device} if device else {})}
        connection = self.connect()
        headers = {"Authorization": f"Bearer {self.token}", "Last-Event-ID": str(after)}
        connection.request("GET", "/api/v1/events/stream?" + urllib.parse.urlencode(query), headers=headers)
        stream = connection.getresponse()
        assert stream.status == 200, stream.read()
        deadline = time.monotonic() + patience_s
        try:
            while time.monotonic() < deadline:
                line = stream.readline()
                if line.startswith(b"data:"):
                    return json.loads(line[5:])
        finally:
            connection.close()
        raise AssertionError(f"no event {kind} came")
