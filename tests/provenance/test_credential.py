"""What manifests are signed with."""

import datetime
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra.errors import BadSetting
from infra.settings import Settings
from pipelines.provenance.credential import BadCredential, local_credential, read_credential
from pipelines.provenance.deployment import DeploymentMarks
from tests.provenance.conftest import Make
from tests.provenance.test_manifest import read
from workers.marks import marks_of

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def write_credential(folder: Path, key, *, days: int = 30, other=None) -> tuple[Path, Path]:
    """Files of an operator's credential, from an authority of its own; `other`: the key that is written."""
    authority = ec.generate_private_key(ec.SECP256R1())
    root_name, name = (
        x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )
        for common in ("Example root", "Example studio")
    )
    root = _signed(root_name, root_name, authority.public_key(), authority, 365, leaf=False)
    leaf = _signed(name, root_name, key.public_key(), authority, days, leaf=True)
    certificates, written = folder / "chain.pem", folder / "own.key"
    certificates.write_bytes(leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM))
    written.write_bytes(
        (other or key).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    return certificates, written


def _signed(subject, issuer, public, authority, days: int, *, leaf: bool) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not leaf,
        crl_sign=not leaf,
        encipher_only=False,
        decipher_only=False,
    )
    own, issuers = (
        x509.SubjectKeyIdentifier.from_public_key(public),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
    )
    builder = (
        x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
        .not_valid_before(NOW - 40 * DAY)
        .not_valid_after(NOW + days * DAY)
        .add_extension(x509.BasicConstraints(ca=not leaf, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(own, critical=False)
        .add_extension(issuers, critical=False)
    )
    if leaf:
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purposes, critical=False)
    return builder.sign(authority, hashes.SHA256())


class TestLocalCredential:
    def test_it_is_made_once_and_is_private(self, tmp_path: Path) -> None:
        first = local_credential(tmp_path / "home" / "credential")
        again = local_credential(tmp_path / "home" / "credential")

        assert first == again
        folder = tmp_path / "home" / "credential"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
        assert [each.name for each in folder.parent.iterdir()] == ["credential"]
        assert "PRIVATE" not in repr(first)

    def test_processes_that_start_together_get_the_same(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: local_credential(tmp_path / "credential"), range(8)))
        assert len(set(made)) == 1


class TestOperatorsCredential:
    @pytest.mark.parametrize(
        ("key", "algorithm"),
        [
            (ec.generate_private_key(ec.SECP256R1()), "es256"),
            (ec.generate_private_key(ec.SECP384R1()), "es384"),
            (rsa.generate_private_key(65537, 2048), "ps256"),
        ],
        ids=["P-256", "P-384", "RSA"],
    )
    def test_files_are_signed_with_it(self, make: Make, tmp_path: Path, key, algorithm: str) -> None:
        credential = read_credential(*write_credential(tmp_path, key))
        store = read(make("png", DeploymentMarks(None, credential)), credential.root)

        assert credential.algorithm == algorithm
        assert store["validation_state"] == "Trusted"
        assert (
            store["manifests"][store["active_manifest"]]["signature_info"]["common_name"] == "Example studio"
        )

    def test_one_that_cannot_be_used_is_refused_with_the_reason(self, tmp_path: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        with pytest.raises(BadCredential, match="not valid today"):
            read_credential(*write_credential(tmp_path, key, days=-1))
        with pytest.raises(BadCredential, match="not that of the first certificate"):
            read_credential(*write_credential(tmp_path, key, other=ec.generate_private_key(ec.SECP256R1())))
        with pytest.raises(BadCredential, match="none of those"):
            read_credential(*write_credential(tmp_path, ec.generate_private_key(ec.SECP256K1())))
        with pytest.raises(BadCredential, match="No such file"):
            read_credential(tmp_path / "none", tmp_path / "none")
        (tmp_path / "own.key").write_text("no key")
        with pytest.raises(BadCredential, match="cannot be read as PEM"):
            read_credential(tmp_path / "chain.pem", tmp_path / "own.key")


class TestSettings:
    def test_all_marks_are_on_by_default(self, tmp_path: Path) -> None:
        marks = marks_of(Settings(home=tmp_path))
        assert marks.number == 0
        assert marks.credential == local_credential(tmp_path / "credential")

    def test_each_can_be_turned_off(self, tmp_path: Path) -> None:
        assert marks_of(Settings(home=tmp_path, watermark=False, c2pa=False)) == DeploymentMarks(None, None)
        assert not list(tmp_path.iterdir())

    def test_a_credential_that_cannot_be_used_stops_the_start(self, tmp_path: Path) -> None:
        settings = Settings(home=tmp_path, c2pa_certificates=tmp_path / "a.pem", c2pa_key=tmp_path / "b.pem")
        with pytest.raises(BadSetting, match="cannot be signed"):
            marks_of(settings)

    def test_certificates_come_with_their_key(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="together"):
            Settings(home=tmp_path, c2pa_key=tmp_path / "b.pem")
