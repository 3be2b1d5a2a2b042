"""A signed copy of a document: added beside the others, shown as intact, and named when it is not."""

import hashlib
from pathlib import Path
from zipfile import ZipFile

import pytest

from services.reports.render.archive import Archive
from services.reports.render.docx import sample
from services.reports.render.pdf import pdf
from services.reports.render.signing import (
    SigningError,
    add_signed,
    signatures_in,
    unsigned_sha256,
)
from tests.support.certificates import PASSWORD, make_certificate

pytest.importorskip("pyhanko")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "package.zip"
    with path.open("wb") as target:
        archive = Archive(target)
        archive.add("02-to-trinh.pdf", pdf(sample()))
        archive.close()
    return path


def test_a_signed_copy_is_intact_and_of_the_packages_document(
    package: Path, certificate: Path
) -> None:
    assert list(signatures_in(package)) == []
    published = hashlib.sha256(package.read_bytes()).hexdigest()
    assert unsigned_sha256(package) == published
    assert add_signed(package, "02-to-trinh", certificate, PASSWORD) == "signed/02-to-trinh.pdf"
    assert hashlib.sha256(package.read_bytes()).hexdigest() != published
    assert unsigned_sha256(package) == published
    (line,) = signatures_in(package)
    assert "signature intact, of this package's document, by Common Name: Cơ quan mẫu" in line


def test_a_copy_that_was_changed_after_signing_is_broken(
    package: Path, certificate: Path
) -> None:
    add_signed(package, "02-to-trinh", certificate, PASSWORD)
    with ZipFile(package) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    at = (
        files["signed/02-to-trinh.pdf"].index(b"/Producer")
        if b"/Producer" in files["signed/02-to-trinh.pdf"]
        else 200
    )
    content = bytearray(files["signed/02-to-trinh.pdf"])
    content[at + 1] ^= 1
    with package.open("wb") as target:
        archive = Archive(target)
        for name, stored in (files | {"signed/02-to-trinh.pdf": bytes(content)}).items():
            archive.add(name, stored)
        archive.close()
    (line,) = signatures_in(package)
    assert "BROKEN" in line


def test_a_wrong_password_or_an_unknown_document_is_said(
    package: Path, certificate: Path
) -> None:
    with pytest.raises(SigningError, match="password"):
        add_signed(package, "02-to-trinh", certificate, "wrong")
    with pytest.raises(SigningError, match="has no"):
        add_signed(package, "99-none", certificate, PASSWORD)
