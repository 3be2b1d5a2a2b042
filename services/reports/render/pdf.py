"""PDF by Typst: one template, the fonts beside it, nothing from the system; the same document gives the same bytes."""

import threading
from functools import lru_cache
from pathlib import Path

import typst

from services.reports.domain.documents import Chart, Document

HERE = Path(__file__).parent
TEMPLATE = HERE.parent / "templates" / "document.typ"
CHART = HERE.parent / "templates" / "chart.typ"
PIXELS_PER_INCH = 160
_one_at_a_time = threading.Lock()


@lru_cache
def _compiler(template: Path) -> typst.Compiler:
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
    with _one_at_a_time:  # a compiler keeps its inputs between calls
        made = _compiler(template).compile(
            format="png" if form == "png" else "pdf",
            ppi=PIXELS_PER_INCH,
            sys_inputs={"document": value.model_dump_json()},
            timestamp=0,
        )
    if not isinstance(made, bytes):
        raise TypeError("one document in, one file out")
    return made
