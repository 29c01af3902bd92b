#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The real holdfast-keeper: first start, second start, what it refuses, and its certificates under openssl's own eyes.

  test_keeper.py PATH-OF-HOLDFAST-KEEPER
"""
import os
import pathlib
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
ISSUE_DEVICE, ISSUE_SERVER = 1, 2
CHAIN, ISSUED, REFUSED = 1, 2, 3
DAY = 86400


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


class Keeper:
    """One run of the program, and the server's end of its channel."""

    def __init__(self, folder, *arguments, environment=None):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(60)
        # The leak check of a sanitizer build traces its own process, which the sandbox forbids.
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **(environment or {})}
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$0" "$@" 3<&{theirs.fileno()}', PROGRAM, "--folder", folder, *LANDLOCK, *arguments],
            pass_fds=[theirs.fileno()], env=environment, stderr=subprocess.PIPE)
        theirs.close()
        self.number = 0

    def take(self):
        packet = self.channel.recv(65536)
        if not packet:
            return None
        version, number, kind = struct.unpack(">BIB", packet[:6])
        assert version == 1
        return number, kind, packet[6:]

    def ask(self, kind, key, lifetime=DAY, device=b"pump-1"):
        self.number += 1
        name = bytes([len(device)]) + device if kind == ISSUE_DEVICE else b""
        self.channel.send(struct.pack(">BIB", 1, self.number, kind) + name + struct.pack(">IH", lifetime, len(key)) + key)
        number, kind, body = self.take()
        assert number == self.number
        if kind != ISSUED:
            return None
        serial = body[8]
        return body[11 + serial:]

    def end(self):
        self.channel.close()
        return self.process.wait(60), self.process.stderr.read().decode()


def public_key():
    key = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    return openssl("pkey", "-pubout", "-outform", "DER", data=key)


def has_landlock():
    """The kernel's ABI of Landlock by landlock_create_ruleset(NULL, 0, VERSION): 444 on every architecture."""
    import ctypes
    return ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1) > 0


LANDLOCK = [] if has_landlock() else ["--insecure-without-landlock"]


class KeeperTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name) / "keeper"

    def run_keeper(self, *arguments, environment=None):
        keeper = Keeper(self.folder, *arguments, environment=environment)
        self.addCleanup(keeper.process.stderr.close)
        self.addCleanup(keeper.channel.close)
        return keeper

    def ready(self, *arguments, environment=None):
        keeper = self.run_keeper(*arguments, environment=environment)
        first = keeper.take()
        self.assertIsNotNone(first, "the keeper is not ready")
        self.assertEqual(first[:2], (0, CHAIN))
        return keeper, first[2][2:]

    def refused(self, what, environment=None):
        keeper = self.run_keeper(environment=environment)
        self.assertIsNone(keeper.take())
        code, log = keeper.end()
        self.assertEqual(code, 1)
        self.assertIn(what, log)

    def first_start(self):
        keeper, chain = self.ready()
        self.assertEqual(keeper.end()[0], 0)
        return chain

    def test_first_start_writes_what_it_says(self):
        self.first_start()
        modes = {str(path.relative_to(self.folder)): stat.S_IMODE(path.stat().st_mode)
                 for path in self.folder.rglob("*") if path.is_file()}
        self.assertEqual(modes, {
            "issuing-key.pem": 0o600, "issuing.pem": 0o644, "root.pem": 0o644, "offline/root-key.pem": 0o600,
            "offline/root-passphrase": 0o600, "offline/README.txt": 0o644})
        openssl("pkey", "-in", self.folder / "offline/root-key.pem", "-noout",
                "-passin", f"file:{self.folder}/offline/root-passphrase")

    def test_second_start_needs_nothing_that_was_taken_offline(self):
        chain = self.first_start()
        for path in list((self.folder / "offline").iterdir()):
            path.unlink()
        (self.folder / "offline").rmdir()
        keeper, again = self.ready()
        self.assertEqual(chain, again)
        keeper.end()

    def test_certificates_are_strictly_valid(self):
        keeper, chain = self.ready("--names", "holdfast.example,localhost", "--addresses", "192.0.2.1,::1")
        device = keeper.ask(ISSUE_DEVICE, public_key())
        server = keeper.ask(ISSUE_SERVER, public_key())
        self.assertEqual(keeper.end()[0], 0)
        root, issuing = self.folder / "root.pem", self.folder / "issuing.pem"
        self.assertEqual(chain, issuing.read_bytes() + root.read_bytes())
        leaf = self.folder / "leaf.pem"
        for der, purpose, words in (
                (device, "sslclient", ("URI:urn:holdfast:device:pump-1", "TLS Web Client Authentication")),
                (server, "sslserver", ("DNS:holdfast.example, DNS:localhost, IP Address:192.0.2.1", "Server Auth"))):
            leaf.write_bytes(openssl("x509", "-inform", "DER", data=der))
            openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", root, "-untrusted", issuing, leaf)
            text = openssl("x509", "-in", leaf, "-noout", "-text").decode()
            for word in words:
                self.assertIn(word, text)
            self.assertIn("CA:FALSE", text)
        openssl("verify", "-x509_strict", "-CAfile", root, issuing, root)

    def test_answers_go_on_after_garbage(self):
        keeper, _ = self.ready()
        for packet in (b"garbage", b"\x01" * 1024, b"x" * 60000):
            keeper.channel.send(packet)
            self.assertEqual(keeper.take(), (0, REFUSED, b"\x01"))
        self.assertIsNone(keeper.ask(ISSUE_DEVICE, b"no key"))
        self.assertIsNone(keeper.ask(ISSUE_DEVICE, public_key(), lifetime=0))
        self.assertIsNotNone(keeper.ask(ISSUE_DEVICE, public_key()))
        self.assertEqual(keeper.end()[0], 0)

    def test_it_is_sandboxed_and_leaves_no_core(self):
        keeper, _ = self.ready()
        about = dict(line.split(":\t", 1) for line in
                     pathlib.Path(f"/proc/{keeper.process.pid}/status").read_text().splitlines() if ":\t" in line)
        self.assertEqual(about["Seccomp"], "2")
        self.assertEqual(about["NoNewPrivs"], "1")
        self.assertEqual(int(about["CapEff"], 16), 0)
        limits = pathlib.Path(f"/proc/{keeper.process.pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        self.assertEqual(core.split()[4:6], ["0", "0"])
        keeper.end()

    def test_a_key_that_others_may_read_is_refused(self):
        self.first_start()
        (self.folder / "issuing-key.pem").chmod(0o640)
        self.refused("chmod 600")

    def test_a_key_behind_a_link_is_refused(self):
        self.first_start()
        key = self.folder / "issuing-key.pem"
        key.rename(self.folder / "elsewhere.pem")
        key.symlink_to("elsewhere.pem")
        self.refused("plain file")

    def test_a_lost_part_is_never_replaced(self):
        for name in ("issuing-key.pem", "issuing.pem", "root.pem"):
            with self.subTest(name):
                self.first_start()
                (self.folder / name).unlink()
                before = sorted(self.folder.rglob("*"))
                self.refused(name)
                self.assertEqual(before, sorted(self.folder.rglob("*")))
                for path in sorted(self.folder.rglob("*"), reverse=True):
                    path.rmdir() if path.is_dir() else path.unlink()

    def test_an_unfinished_first_start_begins_again(self):
        first = self.first_start()
        (self.folder / "unfinished").touch()
        (self.folder / "issuing.pem").unlink()
        keeper, again = self.ready()
        self.assertNotEqual(first, again)
        self.assertFalse((self.folder / "unfinished").exists())
        keeper.end()

    def test_a_passphrase_of_ones_own(self):
        passphrase = pathlib.Path(self.temporary.name) / "passphrase"
        environment = {"HOLDFAST_ROOT_PASSPHRASE_FILE": str(passphrase)}
        passphrase.write_text("a passphrase of my own\n")
        passphrase.chmod(0o644)
        self.refused("chmod 600", environment)
        passphrase.chmod(0o600)
        self.ready(environment=environment)[0].end()
        self.assertFalse((self.folder / "offline/root-passphrase").exists())
        openssl("pkey", "-in", self.folder / "offline/root-key.pem", "-noout", "-passin", "pass:a passphrase of my own")

    def test_a_short_passphrase(self):
        passphrase = pathlib.Path(self.temporary.name) / "passphrase"
        passphrase.write_text("too short\n")
        passphrase.chmod(0o600)
        self.refused("16 bytes", {"HOLDFAST_ROOT_PASSPHRASE_FILE": str(passphrase)})

    def test_wrong_arguments_and_no_channel(self):
        run = lambda *arguments: subprocess.run([PROGRAM, *arguments], capture_output=True, close_fds=True)
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run("--folder").returncode, 2)
        self.assertEqual(run("--folder", self.folder, "more").returncode, 2)
        self.assertIn(b"usage:", run("--nonsense").stderr)
        alone = run("--folder", self.folder)
        self.assertEqual(alone.returncode, 1)
        self.assertIn(b"holdfastd starts this program", alone.stderr)
        self.assertFalse(self.folder.exists())


if __name__ == "__main__":
    unittest.main()
