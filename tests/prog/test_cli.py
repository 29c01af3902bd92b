#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command line against a scripted HTTPS server: what it asks, what it prints, how it ends.

  tests/prog/test_cli.py HOLDFAST      HOLDFAST is the program under test
"""
import hashlib
import http.server
import json
import os
import pathlib
import pty
import re
import select
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "holdfast"
TOKEN = "abcdefghijklmnopqrstuvwxyz234567"
DONE, REFUSED, USAGE, UNREACHED, NOT_SIGNED_IN, LOCAL = range(6)
DEVICE = {"id": "pump-1", "group": "north", "state": "active", "enrolled": "2026-01-01T00:00:00.000Z",
          "last_seen": None, "connected": True, "connected_since": "2026-01-01T00:00:00.000Z",
          "certificate": {"serial": "0a", "expires": "2026-01-02T00:00:00.000Z"}, "key": {"fingerprint": "ab" * 32}}
LATEST = {"values": [{"metric": "cpu.load", "time": "2026-01-01T00:00:00.000Z", "value": 0.25, "unit": None},
                     {"metric": "evil\x1b[31m", "time": "2026-01-01T00:00:00.000Z", "value": "\u009bx", "unit": "°C"}]}
DOCUMENTS = {"documents": {"inventory": {"time": "2026-01-01T00:00:00.000Z", "content": {
    "os": {"name": "Debian", "version": "12"}, "hardware": {"cores": 4, "memory": 2147483648}, "packages": [{}, {}]}}}}


SESSION = {"principal": {"kind": "device", "id": "pump-1"}, "client": "pump", "connected": True, "since": "2026-01-01T00:00:00.000Z",
           "peer": "192.0.2.7:1", "transport": "tls", "version": "5.0", "keep_alive_s": 60, "expiry_s": 7200, "subscriptions": 1,
           "queued": 3, "queued_bytes": 400, "under_way": 1, "dropped": 5, "messages_in": 6, "messages_out": 7}
MESSAGE = {"time": "2026-01-01T00:00:00.000Z", "topic": "a/b", "qos": 1, "retain": False, "expires": None,
           "payload": {"bytes": 4, "whole": True, "encoding": "text", "data": "21.5"},
           "properties": {"content_type": None, "response_topic": None, "correlation_data": None, "user": []}}


def event(number, severity="info"):
    return {"id": number, "time": "2026-01-01T00:00:00.000Z", "kind": "device.enrolled", "severity": severity,
            "device": "pump-1", "detail": {"reason": "why", "more": {"a": 1}}}


def certificate(folder, name):
    """A root that signs for itself and for 127.0.0.1."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return key, cert


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = {"method": self.command, "target": self.path, "headers": self.headers, "body": json.loads(body) if body else None}
        self.server.asked.append(asked)
        status, answer = self.server.script(asked)
        if isinstance(answer, bytes):  # a stream: it ends with the connection
            self.send_response(status)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer)
            self.close_connection = True
            return
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode() if answer is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that do not trust us hang up


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        key, cls.root = certificate(cls.folder, "server")
        cls.other_root = certificate(cls.folder, "other")[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cls.root, key)
        cls.server = Server(("127.0.0.1", 0), Handler)
        cls.server.socket = context.wrap_socket(cls.server.socket, server_side=True)
        cls.url = f"https://127.0.0.1:{cls.server.server_port}"
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        cls.temporary.cleanup()

    def setUp(self):
        self.session = self.folder / self.id() / "session.json"
        self.server.asked = []
        self.answers = {}
        self.server.script = self.script
        self.environment = {"HOLDFAST_SESSION_FILE": str(self.session), "PATH": os.environ["PATH"], "TZ": "UTC"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def script(self, asked):
        path = asked["target"].split("?")[0].removeprefix("/api/v1")
        answer = self.answers.get((asked["method"], path), (404, {"detail": "There is no such path."}))
        return answer.pop(0) if isinstance(answer, list) else answer

    def run_it(self, *words, text=None):
        return subprocess.run([PROGRAM, *words], input=text, capture_output=True, text=True, env=self.environment, timeout=60)

    def expect(self, code, *words, text=None, says=None):
        ran = self.run_it(*words, text=text)
        self.assertEqual(ran.returncode, code, f"{words}: {ran.stdout}{ran.stderr}")
        if says:
            self.assertIn(says, ran.stderr)
        return ran.stdout

    def sign_in(self):
        self.answers["POST", "/session"] = (200, {"operator": {"name": "ada"}, "token": TOKEN, "expires": "2036-01-01T00:00:00.000Z"})
        return self.expect(DONE, "sign-in", "--server", self.url + "/", "--ca", str(self.root), "--name", "ada", "--password-stdin",
                           text="secret words\n")

    def test_sign_in_keeps_the_session(self):
        self.assertIn("Signed in to " + self.url, self.sign_in())
        self.assertEqual(self.server.asked[0]["body"], {"name": "ada", "password": "secret words"})
        self.assertEqual(self.session.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.session.parent.stat().st_mode & 0o777, 0o700)
        kept = json.loads(self.session.read_text())
        self.assertEqual((kept["server"], kept["token"], kept["ca"]), (self.url, TOKEN, self.root.read_text()))

    def test_wrong_password(self):
        self.answers["POST", "/session"] = (401, {"detail": "The name or the password is wrong."})
        self.expect(REFUSED, "sign-in", "--server", self.url, "--ca", str(self.root), "--name", "ada", "--password-stdin", text="x",
                    says="The name or the password is wrong.")
        self.assertFalse(self.session.exists())

    def test_server_that_is_not_trusted(self):
        for trust in ([], ["--ca", str(self.other_root)]):
            self.expect(UNREACHED, "sign-in", "--server", self.url, *trust, "--name", "ada", "--password-stdin", text="x",
                        says="--ca-sha256")
        self.assertEqual(self.server.asked, [])

    def test_trust_by_hash(self):
        pem = self.root.read_text()
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
        self.answers["GET", "/ca.pem"] = (200, pem)
        self.answers["POST", "/session"] = (200, {"operator": {"name": "ada"}, "token": TOKEN, "expires": "2036-01-01T00:00:00.000Z"})
        sign_in = ["sign-in", "--server", self.url, "--name", "ada", "--password-stdin"]
        self.expect(UNREACHED, *sign_in, "--ca-sha256", "00" * 32, text="x", says="do not trust it")
        self.assertEqual([asked["method"] for asked in self.server.asked], ["GET"])
        self.expect(USAGE, *sign_in, "--ca-sha256", "abc", text="x", says="64 hexadecimal digits")
        self.expect(USAGE, *sign_in, "--ca-sha256", digest, "--ca", str(self.root), text="x", says="not both")
        self.answers["GET", "/ca.pem"] = (200, self.other_root.read_text())
        self.expect(UNREACHED, *sign_in, "--ca-sha256", digest, text="x", says="do not trust it")
        # OpenSSL also takes certificates under an older label: what stands beside the pinned one must not be trusted.
        self.answers["GET", "/ca.pem"] = (200, self.other_root.read_text().replace(" CERTIFICATE-", " X509 CERTIFICATE-") + pem)
        self.expect(DONE, *sign_in, "--ca-sha256", digest.upper(), text="x")
        self.assertEqual(json.loads(self.session.read_text())["ca"].strip(), pem.strip())

    def test_password_on_a_terminal_is_not_echoed(self):
        self.answers["POST", "/session"] = (200, {"operator": {"name": "ada"}, "token": TOKEN, "expires": "2036-01-01T00:00:00.000Z"})
        self.environment["HOLDFAST_CA"] = str(self.root)
        self.environment["HOLDFAST_SERVER"] = self.url
        child, terminal = pty.fork()
        if not child:
            os.execve(PROGRAM, [PROGRAM, "sign-in", "--name", "ada"], self.environment)
        seen = b""
        while b"Password of ada: " not in seen:
            seen += os.read(terminal, 1024)
        os.write(terminal, b"secret words\n")
        while select.select([terminal], [], [], 60)[0]:
            try:
                seen += os.read(terminal, 1024)
            except OSError:
                break
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), DONE, seen)
        os.close(terminal)
        self.assertNotIn(b"secret words", seen)
        self.assertEqual(self.server.asked[0]["body"]["password"], "secret words")

    def test_not_signed_in(self):
        for words in (["devices"], ["health"], ["sign-out"], ["events", "--follow"]):
            self.expect(NOT_SIGNED_IN, *words, says="not signed in")

    def test_session_that_has_ended(self):
        self.sign_in()
        self.answers["GET", "/devices"] = (401, {"detail": "Sign in first."})
        self.expect(NOT_SIGNED_IN, "devices", says="sign in again: holdfast sign-in --server " + self.url)

    def test_session_that_others_may_read(self):
        self.sign_in()
        self.session.chmod(0o640)
        self.expect(LOCAL, "devices", says="chmod 600")

    def test_session_of_another_server(self):
        self.sign_in()
        self.environment["HOLDFAST_SERVER"] = "https://other:8443"
        self.expect(NOT_SIGNED_IN, "devices", says="https://other:8443")

    def test_sign_out(self):
        self.sign_in()
        self.answers["DELETE", "/session"] = (503, {"detail": "Not now."})
        self.expect(REFUSED, "sign-out", says="Not now.")
        self.assertTrue(self.session.exists())
        self.answers["DELETE", "/session"] = (204, None)
        self.expect(DONE, "sign-out")
        self.assertEqual(self.server.asked[-1]["headers"]["Authorization"], "Bearer " + TOKEN)
        self.assertFalse(self.session.exists())

    def test_server_that_is_gone(self):
        self.sign_in()
        self.session.write_text(self.session.read_text().replace(str(self.server.server_port), "1"))
        self.expect(UNREACHED, "devices", says="no answer from https://127.0.0.1:1/")

    def test_devices(self):
        self.sign_in()
        self.answers["GET", "/devices"] = (200, {"devices": [DEVICE], "total": 2, "next": "pump-1"})
        shown = self.expect(DONE, "devices", "--search", "a b&c", "--connected=yes", "--limit", "1").splitlines()
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/devices?search=a%20b%26c&limit=1&connected=true")
        self.assertRegex(shown[0], r"^ID +GROUP +STATE +CONNECTED +LAST SEEN +CERTIFICATE$")
        self.assertRegex(shown[1], r"^pump-1 +north +active +yes +never +\d+ days ago$")
        self.assertEqual(shown[1].index("north"), shown[0].index("GROUP"))
        self.assertEqual(shown[2], "1 of 2 devices; there is more: --after pump-1")
        self.assertEqual(json.loads(self.expect(DONE, "devices", "--json"))["total"], 2)
        self.expect(DONE, "devices", "--after", "pump-1")
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/devices?after=pump-1")

    def test_device_show(self):
        self.sign_in()
        self.answers["GET", "/devices/pump-1"] = (200, DEVICE)
        self.answers["GET", "/devices/pump-1/latest"] = (200, LATEST)
        self.answers["GET", "/devices/pump-1/documents"] = (200, DOCUMENTS)
        shown = self.expect(DONE, "device", "show", "pump-1")
        for part in ("Debian 12", "4 cores, 2048 MiB memory", "2 installed", "cpu.load", "0.25", "2026-01-01 00:00:00"):
            self.assertIn(part, shown)
        whole = json.loads(self.expect(DONE, "device", "show", "--json", "pump-1"))
        self.assertEqual((whole["device"], whole["values"], whole["documents"]), (DEVICE, LATEST["values"], DOCUMENTS["documents"]))
        self.expect(REFUSED, "device", "show", "a/../b", says="There is no such path.")
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/devices/a%2F..%2Fb")

    def test_what_a_device_wrote_does_not_reach_the_terminal_as_control(self):
        self.sign_in()
        self.answers["GET", "/devices/pump-1/latest"] = (200, LATEST)
        shown = self.expect(DONE, "telemetry", "pump-1")
        self.assertIn("evil?[31m", shown)
        self.assertIn("?x", shown)
        self.assertFalse(re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown))

    def test_what_a_server_says_does_not_reach_the_terminal_as_control(self):
        self.sign_in()
        self.answers["GET", "/devices"] = (400, {"detail": "no\x1b[2Jway"})
        self.expect(REFUSED, "devices", says="no?[2Jway")

    def test_device_delete(self):
        self.sign_in()
        self.answers["DELETE", "/devices/pump-1"] = (204, None)
        self.expect(USAGE, "device", "delete", "pump-1", text="", says="--yes")
        self.assertEqual(len(self.server.asked), 1)
        self.assertEqual(self.expect(DONE, "device", "delete", "pump-1", "--yes"), "Deleted pump-1.\n")
        self.expect(REFUSED, "device", "delete", "pump-2", "--yes")

    def test_telemetry_over_time(self):
        self.sign_in()
        series = {"metric": "cpu.load", "points": [[1767225600000, 0.5], [1767225601000, 12345678901]], "next": "2026-01-01T00:00:02.000000Z"}
        self.answers["GET", "/devices/pump-1/series"] = (200, series)
        shown = self.expect(DONE, "telemetry", "pump-1", "--metric", "cpu.load", "--from", "2h", "--to", "2026-01-01T00:00:00Z")
        self.assertRegex(self.server.asked[-1]["target"], r"series\?metric=cpu.load&from=\d{13}&to=2026-01-01T00%3A00%3A00Z$")
        self.assertIn("2026-01-01 00:00:01  12345678901\n", shown)
        self.assertIn("--from 2026-01-01T00:00:02.000000Z", shown)
        self.expect(USAGE, "telemetry", "pump-1", "--limit", "3", says="--limit goes with --metric")

    def test_events(self):
        self.sign_in()
        self.answers["GET", "/events"] = (200, {"events": [event(2, "warning"), event(1)], "next": None})
        shown = self.expect(DONE, "events", "--severity", "info", "--device", "pump-1").splitlines()
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/events?device=pump-1&severity=info")
        self.assertRegex(shown[1], r"^2026-01-01 00:00:00 +warning +device.enrolled +pump-1 +reason=why more={\"a\":1}$")

    def follow(self, *words):
        def stream(*numbers):
            return b"".join(b"id: %d\nevent: device.enrolled\ndata: %s\n\n" % (n, json.dumps(event(n)).encode()) for n in numbers)
        self.sign_in()
        self.answers["GET", "/events"] = (200, {"events": [event(4), event(3)], "next": 3})
        self.answers["GET", "/events/stream"] = [(200, stream(5, 6) + b"id: 7\ndata: cut"), (200, stream(7)),
                                                 (400, {"detail": "That is enough."})]
        return self.expect(REFUSED, "events", "--follow", "--kind", "device.enrolled", *words, says="That is enough.")

    def test_following_goes_on_where_it_was_cut(self):
        shown = [json.loads(line)["id"] for line in self.follow("--json").splitlines()]
        self.assertEqual(shown, [3, 4, 5, 6, 7])
        streams = [asked for asked in self.server.asked if "stream" in asked["target"]]
        self.assertEqual([asked["headers"]["Last-Event-ID"] for asked in streams], ["4", "6", "7"])
        self.assertEqual(streams[0]["target"], "/api/v1/events/stream?kind=device.enrolled")

    def test_following_for_people(self):
        lines = self.follow().splitlines()
        self.assertEqual(len(lines), 5)
        self.assertRegex(lines[4], r"^2026-01-01 00:00:00  info +device.enrolled +pump-1 +reason=why more={\"a\":1}$")

    def test_sessions(self):
        self.sign_in()
        self.answers["GET", "/sessions"] = (200, {"sessions": [SESSION, {**SESSION, "client": "evil\x1b[31m", "since": None,
                                                  "principal": {"kind": "anonymous", "id": ""}, "connected": False, "peer": None}],
                                                  "total": 3, "next": "device:pump-1:cHVtcA"})
        shown = self.expect(DONE, "sessions", "list", "--search", "a b", "--connected", "no", "--limit", "2").splitlines()
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/sessions?search=a%20b&limit=2&connected=false")
        self.assertRegex(shown[0], r"^CLIENT +PRINCIPAL +CONNECTED +SINCE +PEER +WATCHES +QUEUED +DROPPED$")
        self.assertRegex(shown[1], r"^pump +device pump-1 +yes +\d+ days ago +192.0.2.7:1 +1 +3 +5$")
        self.assertRegex(shown[2], r"^evil\?\[31m +anonymous +no +- +- +1 +3 +5$")
        self.assertEqual(shown[3], "2 of 3 sessions; there is more: --after device:pump-1:cHVtcA")
        self.assertEqual(json.loads(self.expect(DONE, "sessions", "list", "--json"))["total"], 3)
        self.expect(USAGE, "sessions", "list", "--connected", "maybe", says="--connected is yes or no")

    def test_one_session(self):
        self.sign_in()
        self.answers["GET", "/sessions/one"] = (200, {**SESSION, "watches": [
            {"filter": "devices/pump-1/#", "qos": 1, "no_local": True, "as_published": False, "subscription_id": 7}]})
        shown = self.expect(DONE, "sessions", "show", "a/b", "--principal", "pump-1")
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/sessions/one?kind=device&principal=pump-1&client=a%2Fb")
        self.assertRegex(shown, r"Expires +2 h\n")
        self.assertRegex(shown, r"devices/pump-1/# +1 +yes +no +7\n")
        self.expect(DONE, "sessions", "show", "pump-1", "--json")
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/sessions/one?kind=device&principal=pump-1&client=pump-1")
        self.expect(DONE, "sessions", "show", "x", "--kind", "anonymous")
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/sessions/one?kind=anonymous&client=x")
        self.answers["GET", "/sessions/one"] = (404, {"detail": "There is no session with the client identifier 'x'."})
        self.expect(REFUSED, "sessions", "show", "x", says="There is no session with the client identifier 'x'.")

    def test_kicking(self):
        self.sign_in()
        self.answers["DELETE", "/sessions/one"] = (204, None)
        self.assertEqual(self.expect(DONE, "sessions", "kick", "pump-1"), "Ended the connection of pump-1.\n")
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/sessions/one?kind=device&principal=pump-1&client=pump-1")
        asked = len(self.server.asked)
        self.expect(USAGE, "sessions", "kick", "pump-1", "--state", text="", says="--yes")
        self.assertEqual(len(self.server.asked), asked)
        self.assertEqual(self.expect(DONE, "sessions", "kick", "c\x07", "--kind", "operator", "--principal", "ada", "--state", "--yes"),
                         "Ended the session of c?.\n")
        self.assertEqual(self.server.asked[-1]["target"],
                         "/api/v1/sessions/one?kind=operator&principal=ada&client=c%07&state=true")

    def tail(self, *words, code=DONE, says=None):
        def stream(*messages):
            return b":\n\n" + b"".join(b"event: message\ndata: %s\n\n" % json.dumps(m).encode() for m in messages)
        binary = {**MESSAGE, "retain": True, "payload": {"bytes": 99999, "whole": False, "encoding": "base64", "data": "/wA="}}
        evil = {**MESSAGE, "payload": {"bytes": 9, "whole": True, "encoding": "text", "data": "x\n\x1b[31m" + "y" * 200000}}
        self.sign_in()
        self.answers["GET", "/tail"] = [(200, stream(MESSAGE, binary) + b"event: skipped\ndata: {\"messages\":12}\n\n"),
                                        (200, stream(evil, MESSAGE, MESSAGE)), (403, {"detail": "It may not."})]
        return self.expect(code, "tail", "a/#", *words, says=says)

    def test_tail_ends_after_a_count(self):
        lines = self.tail("--count", "4").splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[0], "2026-01-01 00:00:00  a/b  qos 1  21.5")
        self.assertEqual(lines[1], "2026-01-01 00:00:00  a/b  qos 1, retained  base64:/wA= ...")
        self.assertTrue(lines[2].startswith("2026-01-01 00:00:00  a/b  qos 1  x??[31myyy"))
        self.assertEqual(self.server.asked[-1]["target"], "/api/v1/tail?filter=a%2F%23")
        for count in ("0", "-1", "many", ""):
            self.expect(USAGE, "tail", "a", "--count=" + count, says="--count is a whole number")

    def test_tail_says_what_is_missing(self):
        self.tail(code=REFUSED, says="12 messages were left out")
        self.tail(code=REFUSED, says="what passes until it stands again is not shown")
        self.tail(code=REFUSED, says="It may not.")

    def test_tail_as_json(self):
        lines = [json.loads(line) for line in self.tail("--count", "5", "--json").splitlines()]
        self.assertEqual(lines[0], MESSAGE)
        self.assertEqual(lines[2], {"skipped": {"messages": 12}})
        self.assertEqual(len(lines), 6)

    def test_drain(self):
        self.sign_in()
        off = {"drains": False, "reference": None, "per_second": 100}
        self.answers["GET", "/drain"] = (200, off)
        self.assertEqual(self.expect(DONE, "drain"), "Clients are let in.\n")
        self.answers["PUT", "/drain"] = (200, {"drains": True, "reference": "b:8883", "per_second": 7})
        self.assertEqual(self.expect(DONE, "drain", "on", "--reference", "b:8883", "--per-second", "7"),
                         "Clients are sent away, 7 a second on each event loop, to b:8883.\n")
        self.assertEqual(self.server.asked[-1]["body"], {"drains": True, "reference": "b:8883", "per_second": 7})
        self.expect(DONE, "drain", "on", "--per-second", "fast", "--json")
        self.assertEqual(self.server.asked[-1]["body"], {"drains": True, "per_second": "fast"})
        self.answers["PUT", "/drain"] = (200, off)
        self.assertEqual(self.expect(DONE, "drain", "off"), "Clients are let in.\n")
        self.assertEqual(self.server.asked[-1]["body"], {"drains": False})
        self.answers["PUT", "/drain"] = (400, {"detail": "per_second must be 1 to 100000"})
        self.expect(REFUSED, "drain", "on", says="per_second must be 1")
        self.expect(USAGE, "drain", "in", says="takes no argument")

    def test_tokens(self):
        self.sign_in()
        made = {"id": "0123456789abcdef", "token": TOKEN, "group": "north", "uses": 2, "expires": "2036-01-01T00:00:00.000Z",
                "command": "echo x | holdfast-agent enrol"}
        self.answers["POST", "/tokens"] = (201, made)
        shown = self.expect(DONE, "token", "create", "--group", "north", "--uses", "2", "--minutes", "many")
        self.assertEqual(self.server.asked[-1]["body"], {"group": "north", "uses": 2, "minutes": "many"})
        self.assertIn("  echo x | holdfast-agent enrol\n", shown)
        token = {"id": "0123456789abcdef", "group": "north", "uses_left": 1, "uses_total": 2, "made": "2026-01-01T00:00:00.000Z",
                 "made_by": "ada", "expires": "2036-01-01T00:00:00.000Z"}
        self.answers["GET", "/tokens"] = (200, {"tokens": [token]})
        self.assertRegex(self.expect(DONE, "token", "list"), r"0123456789abcdef +north +1 of 2 +ada +\d+ days ago +in \d+ days")
        self.answers["DELETE", "/tokens/0123456789abcdef"] = (204, None)
        self.expect(DONE, "token", "delete", "0123456789abcdef")

    def test_health(self):
        self.sign_in()
        health = {"status": "ok", "version": "0.1.0", "started": "2026-01-01T00:00:00.000Z", "uptime_s": 7200,
                  "store": {"status": "ok", "detail": "Well."}, "devices": 3, "numbers": {"connections": 1},
                  "latencies": {}}
        self.answers["GET", "/health"] = (200, health)
        self.assertRegex(self.expect(DONE, "health"), r"up +2 h")
        self.answers["GET", "/health"] = (200, {**health, "status": "degraded"})
        self.expect(REFUSED, "health", "--json")

    def test_command_line(self):
        rows = [
            ([], "a command is missing"), (["devicez"], "did you mean 'devices'?"), (["xyzzy"], "see: holdfast --help"),
            (["devices", "--serch", "x"], "--serch; did you mean --search?"), (["devices", "--limit"], "--limit wants a value"),
            (["devices", "--zzz"], "see: holdfast devices --help"), (["devices", "--limit", "1", "--limit=2"], "given twice"),
            (["device", "show"], "wants an argument"), (["device", "show", "a", "b"], "'b' is too many"), (["health", "x"], "no argument"),
            (["token", "create", "--group"], "wants a value"), (["device", "delete", "a", "--yes=1"], "takes no value"),
            (["sign-in", "--name", "a", "--server", "http://h"], "https://"), (["sign-in", "--server", "https://h"], "--name NAME"),
            (["sign-in", "--server", "https://h/path", "--name", "a"], "nothing more"),
        ]
        for words, says in rows:
            with self.subTest(words):
                self.expect(USAGE, *words, says=says)

    def test_help(self):
        everything = self.expect(DONE, "--help")
        for words in re.findall(r"^  ([a-z-]+(?: [a-z]+)?) (?:[A-Z]+)? +[A-Z]", everything, re.M):
            with self.subTest(words):
                self.assertIn("Exit codes: 0 done", self.expect(DONE, *words.split(), "--help"))
        self.assertRegex(self.expect(DONE, "--version"), r"^holdfast \d+\.\d+\.\d+\n$")

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            ran = subprocess.run([PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.assertEqual(ran.returncode, LOCAL)
        self.assertIn("standard output", ran.stderr)


if __name__ == "__main__":
    unittest.main()
