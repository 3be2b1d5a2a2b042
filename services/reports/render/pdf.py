"""PDF by Typst: one template, the fonts beside it, nothing from the system; the same document gives the same bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from queue import LifoQueue

import typst

from services.reports.domain.documents import Chart, Document

HERE = Path(__file__).parent
TEMPLATE = HERE.parent / "templates" / "document.typ"
CHART = HERE.parent / "templates" / "chart.typ"
PIXELS_PER_INCH = 160
AT_ONCE = 1
"""So many documents are drawn at the same time; the compiler leaves the interpreter alone meanwhile."""


@lru_cache
def _compilers(template: Path) -> LifoQueue[typst.Compiler | None]:  # noqa: ARG001 - the key of the cache
    """Idle compilers of a template; those that nobody needed yet are not made yet."""
    idle: LifoQueue[typst.Compiler | None] = LifoQueue()
    for _ in range(AT_ONCE):
        idle.put(None)
    return idle


@contextmanager
def _compiler(template: Path) -> Iterator[typst.Compiler]:
    """One for oneself: a compiler keeps its inputs between calls."""
    idle = _compilers(template)
    compiler = idle.get()
    try:
        compiler = compiler or _new_compiler(template)
        yield compiler
    finally:
        idle.put(compiler)


def _new_compiler(template: Path) -> typst.Compiler:
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[HERE / "fonts"]
    )
    return typst.Compiler(
        template, root=template.parent, font_paths=fonts, ignore_system_fonts=True
    )


def pdf(document: Document) -> bytes:
    """A document as PDF."""
    return _compiled(TEMPLATE, "pdf", document)


def chart_png(chart: Chart) -> bytes:
    """A chart as a picture, for formats that cannot draw it."""
    return _compiled(CHART, "png", chart)


def _compiled(template: Path, form: str, value: Document | Chart) -> bytes:
    with _compiler(template) as compiler:
        made = compiler.compile(
            format="png" if form == "png" else "pdf",
            ppi=PIXELS_PER_INCH,
            sys_inputs={"document": value.model_dump_json()},
            timestamp=0,
        )
    if not isinstance(made, bytes):
        raise TypeError("one document in, one file out")
    return made
