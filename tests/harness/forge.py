# SPDX-License-Identifier: Apache-2.0
"""Certificates that Holdfast did not issue: by an authority of the test's own, or with the issuing key itself."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def make_key():
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def issuer_of(device):
    """The certificate behind the device's own."""
    end = b"-----END CERTIFICATE-----\n"
    return x509.load_pem_x509_certificate(device.certificate.read_bytes().split(end)[1] + end)


def make_authority(text="Another Issuing CA"):
    """(certificate, key) of an authority that signs itself."""
    key, now = make_key(), datetime.datetime.utcnow()
    made = (x509.CertificateBuilder().subject_name(name_of(text)).issuer_name(name_of(text)).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=365))
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False).sign(key, hashes.SHA256()))
    return made, key


def forge(device, issuer, issuer_key, begins_h=-1, ends_h=1):
    """Writes a certificate for the device's id, signed by the issuer; hours are counted from now."""
    key, now = make_key(), datetime.datetime.utcnow()
    hours = lambda count: now + datetime.timedelta(hours=count)
    leaf = (x509.CertificateBuilder().subject_name(name_of(device.name)).issuer_name(issuer.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(hours(begins_h)).not_valid_after(hours(ends_h))
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.KeyUsage(True, *[False] * 8), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
            .add_extension(x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(f"urn:holdfast:device:{device.name}")]), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(issuer_key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    device.certificate.write_bytes(leaf.public_bytes(pem) + issuer.public_bytes(pem))
    device.key.write_bytes(key_pem(key))
    return device
