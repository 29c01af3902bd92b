# SPDX-License-Identifier: Apache-2.0
"""Revocation lists as an operator makes them: with `openssl ca`, by the issuing key or by an authority of the test's own."""
import os
import pathlib

from .device import run

CONFIG = """[ca]
default_ca = issuing
[issuing]
dir = {folder}
database = {folder}/index.txt
crlnumber = {folder}/crlnumber
certificate = {certificate}
private_key = {key}
default_md = sha256
default_crl_hours = 1
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid
"""


class Lists:
    """Puts its list to where the server looks."""

    def __init__(self, folder, server, certificate, key):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.place = server.data / "server" / "crl.pem"
        self.config = self.folder / "ca.conf"
        self.config.write_text(CONFIG.format(folder=self.folder, certificate=certificate, key=key))
        (self.folder / "index.txt").write_text("")
        (self.folder / "crlnumber").write_text("01\n")

    def _ca(self, *words):
        done = run("openssl", "ca", "-config", self.config, *words)
        assert done.returncode == 0, done

    def revoke(self, device):
        self._ca("-revoke", device.certificate)
        return self

    def publish(self, *words):
        made = self.folder / "crl.pem"
        self._ca("-gencrl", "-out", made, *words)
        return self.put(made.read_bytes())

    def put(self, content):
        """As a whole, as an operator should."""
        draft = self.place.with_name("crl.pem.draft")
        draft.write_bytes(content)
        draft.chmod(0o644)
        os.replace(draft, self.place)
        return self
