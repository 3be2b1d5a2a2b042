"""A certificate that exists for a test only."""

from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

from services.runtime.clock import wall_now

PASSWORD = "sample"  # noqa: S105 - of a certificate made here
OWNER = "Cơ quan mẫu"


def make_certificate(folder: Path) -> Path:
    """A PKCS#12 file with a key and its own certificate."""
    key = rsa.generate_private_key(65_537, 2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, OWNER)])
    usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)  # noqa: FBT003
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(wall_now() - timedelta(days=1))
        .not_valid_after(wall_now() + timedelta(days=1))
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "key.p12"
    path.write_bytes(
        serialize_key_and_certificates(
            b"sample", key, made, None, BestAvailableEncryption(PASSWORD.encode())
        )
    )
    return path
