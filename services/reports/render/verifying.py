"""Checks a package by itself: every byte against the manifest, then standings and awards derived anew from its data."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from services.reports.domain.awards import derive
from services.reports.domain.decisions import in_force
from services.reports.domain.figures import Figures, SortKey, candidates_of, figures_of
from services.reports.domain.record import Record, has_frozen_evidence
from services.reports.domain.recount import recount
from services.reports.render.data import FROZEN, PLAN, RECORD, data_files, record_from
from services.reports.render.package import (
    MANIFEST,
    WORKBOOK,
    all_rendered,
    sha256,
    software,
)
from services.reports.render.xlsx import xlsx

SIGNED = "signed/"
"""Signed copies are added beside the files that the manifest names."""


class NotAPackageError(ValueError):
    """The file is no package at all."""


def manifest_of(path: Path) -> dict[str, Any]:
    """The manifest of a package.

    Raises:
        NotAPackageError: it cannot be read.
    """
    try:
        with ZipFile(path) as opened:
            content: dict[str, Any] = json.loads(opened.read(MANIFEST))
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise NotAPackageError(f"{path} is no package: {error}") from error
    return content


def record_of(path: Path) -> Record:
    """The record inside a package.

    Raises:
        NotAPackageError: its data cannot be read.
    """
    try:
        with ZipFile(path) as opened:
            return record_from({name: opened.read(name) for name in (PLAN, FROZEN, RECORD)})
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise NotAPackageError(
            f"{path}: its data cannot be read: {str(error)[:200]}"
        ) from error


def differences(path: Path, key: SortKey) -> Iterator[str]:
    """What is wrong with a package, one sentence each; nothing when it is what it says.

    Raises:
        NotAPackageError: there is nothing to check.
    """
    manifest = manifest_of(path)
    found = list(_bytes(path, manifest))
    yield from found
    record = record_of(path)
    yield from _heads(record, manifest)
    yield from _awards(record)
    yield from _derived(path, record, manifest, key)


def _bytes(path: Path, manifest: dict[str, Any]) -> Iterator[str]:
    with ZipFile(path) as opened:
        there = set(opened.namelist())
        for file in manifest["files"]:
            name = file["name"]
            if name not in there:
                yield f"{name}: removed"
            elif sha256(_read(opened, name)) != file["sha256"]:
                yield f"{name}: changed"
    named = {file["name"] for file in manifest["files"]} | {MANIFEST}
    for name in sorted(there - named):
        if not name.startswith(SIGNED):
            yield f"{name}: added"


def _read(opened: ZipFile, name: str) -> bytes:
    """A file's content; one that the archive itself finds damaged is just not equal."""
    try:
        return opened.read(name)
    except Exception:  # noqa: BLE001 - zlib and zipfile raise whatever they like on damage
        return b""


def _heads(record: Record, manifest: dict[str, Any]) -> Iterator[str]:
    """What the manifest says of plan and journal, against the data."""
    frozen = record.frozen
    said = {
        "plan": manifest.get("plan"),
        "period": manifest.get("period"),
        "frozen": manifest.get("frozen"),
        "log": manifest.get("log"),
        "official": manifest.get("official"),
    }
    is_so = {
        "plan": {"id": record.plan.id, "version": record.plan.version},
        "period": frozen.period,
        "frozen": frozen.id,
        "log": {"packs": frozen.packs, "events": frozen.events, "sha256": frozen.log_sha256},
        "official": record.official,
    }
    yield from (
        f"manifest.json: {name} is not what the data say"
        for name in said
        if said[name] != is_so[name]
    )
    if not has_frozen_evidence(record):
        yield "data/record.json: the index of evidence is not the one that was frozen"
    if (record.plan.id, record.plan.version) != (frozen.plan, frozen.plan_version):
        yield "plan.json: not the version by which the period was frozen"


def _awards(record: Record) -> Iterator[str]:
    """Awards by the second opinion."""
    if not record.annual:
        return
    choices = in_force(record.decisions)
    for bloc in record.plan.blocs:
        candidates = candidates_of(record, bloc.code)
        outcome, again = derive(bloc, candidates, choices), recount(bloc, candidates, choices)
        places = {place.unit: place.award for place in outcome.places}
        if (places, outcome.money, outcome.individuals) != (
            again.places,
            again.money,
            again.individuals,
        ):
            yield f"{bloc.code}: awards differ when counted another way"


def _derived(
    path: Path, record: Record, manifest: dict[str, Any], key: SortKey
) -> Iterator[str]:
    """Everything built anew from the data, compared byte by byte: documents must say what the data say."""
    figures = figures_of(record, key)
    with ZipFile(path) as opened:
        there = set(opened.namelist())
        for name, content in _anew(figures, manifest):
            if name in there and _read(opened, name) != content:
                yield f"{name}: does not say what the frozen standings and the plan lead to"


def _anew(figures: Figures, manifest: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(name, content) as this program makes them; of another version only the data, of own templates no DOCX."""
    yield from data_files(figures).items()
    if manifest.get("software") != software():
        return
    yield WORKBOOK, xlsx(figures)
    own = bool(manifest.get("templates"))
    for files in all_rendered(figures, {}):
        for name, content in files:
            if not (own and name.endswith(".docx")):
                yield name, content
