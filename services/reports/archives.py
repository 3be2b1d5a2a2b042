"""Built archives on this process's disk, so that one file of one can be shown without reading all of it again."""

import asyncio
import tempfile
from collections import OrderedDict
from pathlib import Path
from zipfile import ZipFile

from services.reports.application import NoSuchPackageError
from services.reports.domain.annual import annual_documents
from services.reports.domain.documents import Document
from services.reports.domain.figures import Figures, figures_of
from services.reports.domain.quarterly import quarterly_documents
from services.reports.domain.sheets import score_sheet
from services.reports.domain.workflow import Package
from services.reports.render.verifying import record_of
from services.reports.store import ReportsStore
from services.runtime.web.collation import vietnamese_key

KEPT = 4
SHEETS = "phieu-diem/"


class Archives:
    """The latest few, each read from the store once."""

    def __init__(self, store: ReportsStore) -> None:
        self._store = store
        self._folder = tempfile.TemporaryDirectory(prefix="thidua-packages-")
        self._known: OrderedDict[tuple[str, int], Path] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    def close(self) -> None:
        """Forget them."""
        self._folder.cleanup()

    async def path(self, package: Package) -> Path:
        """The archive that was built last.

        Raises:
            NoSuchPackageError: none was built yet.
        """
        wanted = package.id, package.build.done
        async with self._one_at_a_time:
            if wanted not in self._known:
                self._known[wanted] = await self._fetched(package)
            self._known.move_to_end(wanted)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)[1].unlink(missing_ok=True)
            return self._known[wanted]

    async def _fetched(self, package: Package) -> Path:
        path = Path(self._folder.name) / f"{len(self._known)}-{package.build.sha256}.zip"
        with path.open("wb") as target:
            async for chunk in self._store.archive(package.id, package.build.done):
                target.write(chunk)
        if path.stat().st_size == 0:
            raise NoSuchPackageError(package.id)
        return path

    async def names(self, package: Package) -> list[str]:
        """The files in it."""
        path = await self.path(package)
        with ZipFile(path) as opened:
            return opened.namelist()

    async def file(self, package: Package, name: str) -> bytes:
        """One file of it.

        Raises:
            NoSuchPackageError: there is no such file.
        """
        path = await self.path(package)
        try:
            with ZipFile(path) as opened:
                return opened.read(name)
        except KeyError:
            raise NoSuchPackageError(name) from None

    async def figures(self, package: Package) -> Figures:
        """The figures that the archive shows, from the data inside it."""
        path = await self.path(package)
        return await asyncio.to_thread(_figures, path)

    async def document(self, package: Package, slug: str) -> Document:
        """One document as it is before it has a format.

        Raises:
            NoSuchPackageError: there is no such document.
        """
        figures = await self.figures(package)
        found = await asyncio.to_thread(_document, figures, slug)
        if found is None:
            raise NoSuchPackageError(slug)
        return found


def _figures(path: Path) -> Figures:
    return figures_of(record_of(path), vietnamese_key)


def _document(figures: Figures, slug: str) -> Document | None:
    if slug.startswith(SHEETS) and figures.record.annual:
        code = slug.removeprefix(SHEETS)
        evidence = {one.unit: one for one in figures.record.evidence}
        for bloc in figures.blocs:
            for line in bloc.lines:
                if line.unit.code == code:
                    return score_sheet(figures, bloc, line, evidence.get(code))
        return None
    make = annual_documents if figures.record.annual else quarterly_documents
    return next((one for one in make(figures) if one.slug == slug), None)
