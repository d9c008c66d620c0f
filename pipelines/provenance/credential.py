"""What manifests are signed with: a key, and the certificates that say whose it is.

An operator's own come from an authority that verifiers know. Where there are none, a deployment makes its
own: verifiers then see that the file is unchanged, but not who signed it.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CERTIFICATES, KEY = "certificates.pem", "key.pem"
"""Files of a local credential's folder."""

LOCAL_DAYS: Final = 3650
"""How long a local credential is good for: long, since nobody vouches for it anyhow."""

CURVES: Final = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


class BadCredential(Exception):
    """A key or its certificates cannot be used; the message says why."""


@dataclass(frozen=True)
class Credential:
    """A checked key with its certificates, the signer's first."""

    certificates: bytes
    """PEM."""
    key: bytes = field(repr=False)
    """PEM, PKCS 8, not encrypted."""
    algorithm: str
    """As C2PA names it: es256, es384, es512, ed25519 or ps256."""

    @property
    def root(self) -> bytes:
        """The last certificate, PEM: who trusts it trusts the signer."""
        return x509.load_pem_x509_certificates(self.certificates)[-1].public_bytes(Encoding.PEM)


def read_credential(certificates: Path, key: Path) -> Credential:
    """A credential from two PEM files; raises BadCredential."""
    try:
        chain = x509.load_pem_x509_certificates(certificates.read_bytes())
        private = load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise BadCredential(f"{error.filename}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise BadCredential(f"{certificates} or {key} cannot be read as PEM: {error}") from error
    _check(chain, private)
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in chain)
    return Credential(pem, _key_as_pem(private), _algorithm(private))


def local_credential(folder: Path) -> Credential:
    """The credential in this folder, made when there is none: by one process, whoever comes first."""
    if not folder.exists():
        _make(folder)
    return read_credential(folder / CERTIFICATES, folder / KEY)


def _check(chain: Sequence[x509.Certificate], private: PrivateKeyTypes) -> None:
    leaf, now = chain[0], datetime.now(UTC)
    if _public(leaf.public_key()) != _public(private.public_key()):
        raise BadCredential("the key is not that of the first certificate")
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        span = f"{leaf.not_valid_before_utc:%F} to {leaf.not_valid_after_utc:%F}"
        raise BadCredential(f"the first certificate is not valid today, but from {span}")


def _public(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


def _algorithm(private: PrivateKeyTypes) -> str:
    match private:
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case ec.EllipticCurvePrivateKey() if private.curve.name in CURVES:
            return CURVES[private.curve.name]
        case rsa.RSAPrivateKey():
            return "ps256"
    raise BadCredential("the key is none of those that C2PA knows: Ed25519, P-256, P-384, P-521, RSA")


def _key_as_pem(private: PrivateKeyTypes) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _make(folder: Path) -> None:
    """Write a new credential into a folder of its own, which then takes its place in one step."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as drafts:
        draft = Path(drafts) / "draft"
        draft.mkdir(mode=0o700)
        certificates, key = _new()
        (draft / CERTIFICATES).write_bytes(certificates)
        with open(os.open(draft / KEY, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(key)
        for name in (CERTIFICATES, KEY):
            with (draft / name).open("rb") as file:
                os.fsync(file.fileno())  # or a loss of power could leave an empty key behind the rename
        try:
            draft.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            # Another process was quicker; its credential is the one.


def _new() -> tuple[bytes, bytes]:
    """Certificates and key, as PEM. The root's key is thrown away: it signs this one certificate only."""
    root_key, key = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    root_name, name = _name("Local root, known to nobody"), _name("A local Atelier")
    root = (
        _certificate(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .sign(root_key, None)
    )
    signer = (
        _certificate(name, root_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
        .sign(root_key, None)
    )
    return b"".join(each.public_bytes(Encoding.PEM) for each in (signer, root)), _key_as_pem(key)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Atelier"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ed25519.Ed25519PublicKey
) -> x509.CertificateBuilder:
    yesterday = datetime.now(UTC) - timedelta(days=1)  # clocks differ
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(yesterday)
        .not_valid_after(yesterday + timedelta(days=LOCAL_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
