"""Builds a package: every document in every format, one at a time, into one archive with a manifest."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain
from typing import IO, Any

from services.reports.domain.annual import annual_documents
from services.reports.domain.documents import Document
from services.reports.domain.figures import Figures, SortKey, figures_of
from services.reports.domain.quarterly import quarterly_documents
from services.reports.domain.record import Record
from services.reports.domain.sheets import score_sheets
from services.reports.render import docx, pdf
from services.reports.render.archive import Archive
from services.reports.render.data import data_files, encoded
from services.reports.render.xlsx import xlsx

MANIFEST = "manifest.json"
WORKBOOK = "bang-so-lieu.xlsx"
FORMAT = 1
SHEETS_WITH_DOCX = 400
"""In larger competitions score sheets are PDF only: the workbook has their figures for whoever edits."""
ANY = "*"
Tell = Callable[[int, int], None]
Templates = Mapping[str, bytes]
"""Document (or `*`) -> the office's own template."""


def software() -> str:
    """The version of this program."""
    return version("thidua")


def sha256(content: bytes) -> str:
    """Its hash, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def documents(figures: Figures) -> Iterator[Document]:
    """All documents of a package."""
    if not figures.record.annual:
        return quarterly_documents(figures)
    return chain(annual_documents(figures), score_sheets(figures))


def how_many(figures: Figures) -> int:
    """About how many documents there will be, for progress."""
    units = sum(len(bloc.lines) for bloc in figures.blocs)
    return 8 + units if figures.record.annual else 3


@dataclass(slots=True)
class _Building:
    archive: Archive
    files: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, content: bytes) -> None:
        self.archive.add(name, content)
        self.files.append({"name": name, "sha256": sha256(content), "size": len(content)})


def template_for(slug: str, templates: Templates) -> bytes | None:
    """The office's template for a document; None: the shipped one."""
    return templates.get(slug) or templates.get(slug.partition("/")[0]) or templates.get(ANY)


def build(
    record: Record,
    key: SortKey,
    target: IO[bytes],
    templates: Templates | None = None,
    tell: Tell = lambda _done, _all: None,
) -> dict[str, Any]:
    """Write a whole package; returns its manifest. Same record and templates, same bytes."""
    figures = figures_of(record, key)
    given = templates or {}
    with closing(Archive(target)) as archive:
        building = _Building(archive)
        for name, content in data_files(figures).items():
            building.add(name, content)
        building.add(WORKBOOK, xlsx(figures))
        total = how_many(figures)
        for done, files in enumerate(all_rendered(figures, given)):
            for name, content in files:
                building.add(name, content)
            tell(done + 1, total)
        manifest = _manifest(record, building.files, given)
        archive.add(MANIFEST, encoded(manifest))
    return manifest


def all_rendered(figures: Figures, templates: Templates) -> Iterator[list[tuple[str, bytes]]]:
    """The files of each document, in order, one document at a time."""
    total = how_many(figures)
    for document in documents(figures):
        yield list(rendered(figures, document, templates, total))


def rendered(
    figures: Figures, document: Document, templates: Templates, total: int
) -> Iterator[tuple[str, bytes]]:
    """(name, content) of a document in each format."""
    moment = figures.record.frozen.at
    if total <= SHEETS_WITH_DOCX or "/" not in document.slug:
        template = template_for(document.slug, templates)
        yield f"{document.slug}.docx", docx.docx(document, moment, template)
    yield f"{document.slug}.pdf", pdf.pdf(document)


def _manifest(
    record: Record, files: list[dict[str, Any]], templates: Templates
) -> dict[str, Any]:
    frozen = record.frozen
    return {
        "format": FORMAT,
        "package": record.package,
        "plan": {"id": record.plan.id, "version": record.plan.version},
        "period": frozen.period,
        "frozen": frozen.id,
        "frozen_at": frozen.at.isoformat(),
        "official": record.official,
        "log": {"packs": frozen.packs, "events": frozen.events, "sha256": frozen.log_sha256},
        "software": software(),
        "templates": {name: sha256(content) for name, content in sorted(templates.items())},
        "files": files,
    }
