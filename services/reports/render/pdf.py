"""PDF by Typst: one template, the fonts beside it, nothing from the system; the same document gives the same bytes."""

from functools import lru_cache
from pathlib import Path

import typst

from services.reports.domain.documents import Chart, Document

HERE = Path(__file__).parent
TEMPLATE = HERE.parent / "templates" / "document.typ"
CHART = HERE.parent / "templates" / "chart.typ"
PIXELS_PER_INCH = 160


@lru_cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[HERE / "fonts"]
    )


def pdf(document: Document) -> bytes:
    """A document as PDF."""
    return _compiled(TEMPLATE, "pdf", document)


def chart_png(chart: Chart) -> bytes:
    """A chart as a picture, for formats that cannot draw it."""
    return _compiled(CHART, "png", chart)


def _compiled(template: Path, form: str, value: Document | Chart) -> bytes:
    compiler = typst.Compiler(
        template, root=template.parent, font_paths=_fonts(), ignore_system_fonts=True
    )
    made = compiler.compile(
        format="png" if form == "png" else "pdf",
        ppi=PIXELS_PER_INCH,
        sys_inputs={"document": value.model_dump_json()},
        timestamp=0,
    )
    if not isinstance(made, bytes):
        raise TypeError("one document in, one file out")
    return made
