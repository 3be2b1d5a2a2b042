"""PAdES signatures with pyHanko, where an office has a certificate: signed copies beside the files of a package."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, NamedTuple
from zipfile import ZipFile

from services.reports.render.archive import Archive, files_in
from services.reports.render.verifying import SIGNED

if TYPE_CHECKING:
    from pyhanko.sign.signers import SimpleSigner

FIELD = "ThiDua"


NEEDS_EXTRA = "signing needs an extra: pip install 'thidua[signing]'"


class SigningError(Exception):
    """A document cannot be signed, or a signature not be checked; says why."""

    def __init__(self, words: str, code: str = "no_signature") -> None:
        super().__init__(words)
        self.code = code


def _signer(certificate: Path, password: str) -> "SimpleSigner":
    try:
        from pyhanko.sign.signers import SimpleSigner  # noqa: PLC0415
    except ImportError:
        raise SigningError(NEEDS_EXTRA, "signing_missing") from None
    loaded: SimpleSigner | None = SimpleSigner.load_pkcs12(  # type: ignore[no-untyped-call]
        certificate, passphrase=password.encode()
    )
    if loaded is None:
        raise SigningError(f"{certificate} cannot be read with this password")
    return loaded


def signed_pdf(content: bytes, certificate: Path, password: str) -> bytes:
    """A PDF with a PAdES signature."""
    signer = _signer(certificate, password)
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415
    from pyhanko.sign import PdfSignatureMetadata, sign_pdf  # noqa: PLC0415
    from pyhanko.sign.fields import SigSeedSubFilter  # noqa: PLC0415

    meta = PdfSignatureMetadata(field_name=FIELD, subfilter=SigSeedSubFilter.PADES)
    out = sign_pdf(IncrementalPdfFileWriter(BytesIO(content)), meta, signer=signer)
    return bytes(out.getbuffer())


def add_signed(package: Path, name: str, certificate: Path, password: str) -> str:
    """Add a signed copy of a document to a package; returns its name in it."""
    wanted, target = f"{name}.pdf", f"{SIGNED}{name}.pdf"
    with ZipFile(package) as opened:
        if wanted not in opened.namelist():
            raise SigningError(f"{package} has no {wanted}")
        content = opened.read(wanted)
    made = signed_pdf(content, certificate, password)
    draft = package.with_suffix(".signing")
    with draft.open("wb") as opened_draft:
        archive = Archive(opened_draft)
        with package.open("rb") as source:
            for known, stored in files_in(source):
                if known != target:
                    archive.add(known, stored)
        archive.add(target, made)
        archive.close()
    draft.replace(package)
    return target


def unsigned_sha256(package: Path) -> str:
    """The hash of a package as it was published: without the signed copies that were added to it."""
    with ZipFile(package) as opened:
        added = any(name.startswith(SIGNED) for name in opened.namelist())
    if not added:
        with package.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    with package.open("rb") as source, TemporaryFile() as target:
        archive = Archive(target)
        for name, stored in files_in(source):
            if not name.startswith(SIGNED):
                archive.add(name, stored)
        archive.close()
        target.seek(0)
        return hashlib.file_digest(target, "sha256").hexdigest()


class SignedFile(NamedTuple):
    """What checking one signed copy of a package found."""

    sentence: str
    """Whose it is, whether it is intact, whether it is of the package's document."""
    faulty: bool
    """Not what could not be checked for want of the extra."""


def signatures_in(package: Path) -> Iterator[SignedFile]:
    """Every signed copy, checked."""
    with ZipFile(package) as opened:
        names = [name for name in opened.namelist() if name.startswith(SIGNED)]
        for name in names:
            original = name.removeprefix(SIGNED)
            there = opened.read(original) if original in opened.namelist() else b""
            yield _signature(name, opened.read(name), there)


def _signature(name: str, content: bytes, original: bytes) -> SignedFile:
    try:
        found = signature_of(content, original)
    except SigningError as error:
        if error.code == "signing_missing":
            return SignedFile(f"{name}: not checked: {error}", faulty=False)
        return SignedFile(f"{name}: no signature in it", faulty=True)
    state = "intact" if found.intact else "BROKEN"
    same = "of this package's document" if found.same else "of ANOTHER document"
    trust = "trusted" if found.trusted else "certificate not among the trusted ones"
    sentence = f"{name}: signature {state}, {same}, by {found.signer} ({trust})"
    return SignedFile(sentence, faulty=not (found.intact and found.same))


@dataclass(frozen=True, slots=True)
class Signature:
    """What checking a signed copy found."""

    signer: str
    """As the certificate names it."""
    intact: bool
    same: bool
    """The copy is the package's document with a signature added, and nothing else."""
    trusted: bool


def signature_of(content: bytes, original: bytes) -> Signature:
    """The signature of a copy of a document.

    Raises:
        SigningError: there is none, or nothing here can check one.
    """
    try:
        from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415
        from pyhanko.sign.validation import validate_pdf_signature  # noqa: PLC0415
        from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415
    except ImportError:
        raise SigningError(NEEDS_EXTRA, "signing_missing") from None
    logging.getLogger("pyhanko").setLevel(
        logging.CRITICAL
    )  # an unknown issuer is no error here
    try:
        found = PdfFileReader(BytesIO(content)).embedded_signatures
        status = (
            validate_pdf_signature(found[0], ValidationContext(trust_roots=[]))
            if found
            else None
        )
    except Exception as error:  # the file comes from people, and pyHanko raises what it likes
        raise SigningError(str(error), "no_signature") from error
    if status is None:
        raise SigningError("no signature in it", "no_signature")
    return Signature(
        signer=status.signing_cert.subject.human_friendly,
        intact=bool(status.intact and status.valid),
        same=bool(original) and content.startswith(original),
        trusted=bool(status.trusted),
    )
