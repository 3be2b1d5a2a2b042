"""A signed copy of a document: added beside the others, shown as intact, and named when it is not."""

import hashlib
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from services.package_commands import commands
from services.reports.render.archive import Archive
from services.reports.render.docx import sample
from services.reports.render.package import build
from services.reports.render.pdf import pdf
from services.reports.render.signing import (
    SigningError,
    add_signed,
    signatures_in,
    unsigned_sha256,
)
from services.runtime.web.collation import vietnamese_key
from tests.support.certificates import PASSWORD, make_certificate
from tests.support.packages import PLAN, frozen_period, record_of

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


def tamper_with(package: Path, name: str) -> None:
    """Change one byte of a file in it."""
    with ZipFile(package) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    content = bytearray(files[name])
    content[content.index(b"/Producer") + 1 if b"/Producer" in content else 201] ^= 1
    with package.open("wb") as target:
        archive = Archive(target)
        for each, stored in (files | {name: bytes(content)}).items():
            archive.add(each, stored)
        archive.close()


def test_a_package_with_a_broken_signature_does_not_pass(
    tmp_path: Path, certificate: Path
) -> None:
    whole = tmp_path / "quy.zip"
    with whole.open("wb") as target:
        build(record_of(frozen_period("2023-Q3", PLAN), PLAN), vietnamese_key, target)
    name = "02-to-trinh-bieu-duong"
    add_signed(whole, name, certificate, PASSWORD)
    good = CliRunner().invoke(commands, ["verify", str(whole)])
    assert good.exit_code == 0
    assert "signature intact" in good.output
    assert "identical: 11 files" in good.output
    tamper_with(whole, f"signed/{name}.pdf")
    bad = CliRunner().invoke(commands, ["verify", str(whole)])
    assert bad.exit_code == 1
    assert "BROKEN" in bad.output
    assert "1 differences" in bad.output


def test_a_signed_copy_is_intact_and_of_the_packages_document(
    package: Path, certificate: Path
) -> None:
    assert list(signatures_in(package)) == []
    published = hashlib.sha256(package.read_bytes()).hexdigest()
    assert unsigned_sha256(package) == published
    assert add_signed(package, "02-to-trinh", certificate, PASSWORD) == "signed/02-to-trinh.pdf"
    assert hashlib.sha256(package.read_bytes()).hexdigest() != published
    assert unsigned_sha256(package) == published
    ((line, faulty),) = signatures_in(package)
    assert "signature intact, of this package's document, by Common Name: Cơ quan mẫu" in line
    assert not faulty


def test_a_copy_that_was_changed_after_signing_is_broken(
    package: Path, certificate: Path
) -> None:
    add_signed(package, "02-to-trinh", certificate, PASSWORD)
    tamper_with(package, "signed/02-to-trinh.pdf")
    ((line, faulty),) = signatures_in(package)
    assert "BROKEN" in line
    assert faulty


def test_a_wrong_password_or_an_unknown_document_is_said(
    package: Path, certificate: Path
) -> None:
    with pytest.raises(SigningError, match="password"):
        add_signed(package, "02-to-trinh", certificate, "wrong")
    with pytest.raises(SigningError, match="has no"):
        add_signed(package, "99-none", certificate, PASSWORD)
