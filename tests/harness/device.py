# SPDX-License-Identifier: Apache-2.0
"""A device of a test's own: a key, a certificate by EST with curl and openssl alone, and the mosquitto clients."""
import base64
import pathlib
import subprocess


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=60, **options)


class Device:
    def __init__(self, folder, name, server):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name, self.server = name, server
        self.key = self.folder / f"{name}.key"
        self.certificate = self.folder / f"{name}.pem"

    def make_key(self, curve="prime256v1"):
        made = run("openssl", "ecparam", "-name", curve, "-genkey", "-noout", "-out", self.key)
        assert made.returncode == 0, made.stderr
        return self

    def request(self, name=None):
        """A PKCS#10 request for the name, base64."""
        made = run("openssl", "req", "-new", "-key", self.key, "-subj", f"/CN={name or self.name}", "-outform", "DER")
        assert made.returncode == 0, made.stderr
        return base64.encodebytes(made.stdout)

    def est(self, operation, body, token=None, certificate=False):
        """(status, body) of an EST operation, with curl. The token goes in on standard input, not as an argument."""
        config = [f'url = "{self.server.url}/.well-known/est/{operation}"', f'cacert = "{self.server.ca}"',
                  'header = "Content-Type: application/pkcs10"', 'header = "Content-Transfer-Encoding: base64"']
        if token is not None:
            config.append(f'user = "device:{token}"')
        if certificate:
            config += [f'cert = "{self.certificate}"', f'key = "{self.key}"']
        asked = self.folder / "request.b64"
        asked.write_bytes(body)
        config.append(f'data-binary = "@{asked}"')
        done = run("curl", "-s", "-w", "\n%{http_code}", "-K", "-", input="\n".join(config).encode())
        assert done.returncode == 0, done
        text, _, status = done.stdout.rpartition(b"\n")
        return int(status), text

    def keep(self, pkcs7):
        """Writes the certificate of an EST answer with the chain behind it."""
        leaf = run("openssl", "pkcs7", "-inform", "DER", "-print_certs", input=base64.b64decode(pkcs7)).stdout
        chain = run("curl", "-s", "--cacert", self.server.ca, f"{self.server.url}/.well-known/est/cacerts").stdout
        rest = run("openssl", "pkcs7", "-inform", "DER", "-print_certs", input=base64.b64decode(chain)).stdout
        self.certificate.write_bytes(leaf + rest)
        return self

    def enrol(self, token=None):
        self.make_key()
        status, body = self.est("simpleenroll", self.request(), token or self.server.api.make_token())
        assert status == 200, (status, body)
        return self.keep(body)

    def mosquitto(self, program, *words, version="5"):
        """The command line of mosquitto_pub or mosquitto_sub as this device."""
        return [program, "-h", "localhost", "-p", str(self.server.mqtt_port), "--cafile", str(self.server.ca), "--cert",
                str(self.certificate), "--key", str(self.key), "-V", version, *map(str, words)]

    def publish(self, topic, payload, qos=1, version="5"):
        return run(*self.mosquitto("mosquitto_pub", "-t", topic, "-q", qos, "-m", payload, "-d", version=version), text=True)
