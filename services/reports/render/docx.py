"""DOCX that officials can edit: a template of the office, filled in with docxtpl."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from docx.document import Document as Docx
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.oxml.text.paragraph import CT_P
from docx.shared import Mm
from docx.table import Table as DocxTable
from docxtpl import DocxTemplate, InlineImage, RichText
from jinja2 import Environment, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from services.reports.domain.documents import (
    Bar,
    Chart,
    Column,
    Document,
    Heading,
    Paragraph,
    Signer,
    Table,
)
from services.reports.render.archive import settled
from services.reports.render.pdf import chart_png

SHIPPED = Path(__file__).parent.parent / "templates" / "document.docx"
VARIABLES = {
    *(
        "superior",
        "issuer",
        "number",
        "place_date",
        "title",
        "summary",
        "authority",
        "provisional",
        "opening",
    ),
    *("addressed_to", "bases", "blocks", "recipients", "signer", "first_signer"),
}
"""What a template may use."""
_GRID = "Table Grid"
_WIDTH_MM = {False: 165, True: 252}
_ALIGN = {"right": WD_ALIGN_PARAGRAPH.RIGHT, "center": WD_ALIGN_PARAGRAPH.CENTER}
_CELL_SIZE = 24
"""Half points."""


class TemplateUnfitError(ValueError):
    """An uploaded template cannot be used; says why."""

    def __init__(self, code: str, names: Iterable[str] = ()) -> None:
        self.code, self.names = code, sorted(names)
        super().__init__(f"{code}: {', '.join(self.names)}" if self.names else code)


@lru_cache
def _environment() -> Environment:
    """Templates come from people: a sandbox keeps them from anything but filling in words."""
    return SandboxedEnvironment(autoescape=True)


@lru_cache
def shipped() -> bytes:
    """The template that comes with the program."""
    return SHIPPED.read_bytes()


def docx(document: Document, moment: datetime, template: bytes | None = None) -> bytes:
    """A document as DOCX; the same document, moment and template give the same bytes."""
    filled = DocxTemplate(BytesIO(template or shipped()))
    filled.render(_context(filled, document), _environment(), autoescape=True)
    made = filled.docx
    if made is None:
        raise TemplateUnfitError("unreadable")
    _fit_tables(made, document)
    _keep_with_signature(made)
    if document.landscape:
        _turn(made)
    target = BytesIO()
    filled.save(target)
    return settled(target.getvalue(), moment)


def check(template: bytes) -> None:
    """Try a template with sample data.

    Raises:
        TemplateUnfitError: it cannot be read, asks for something unknown, or does not render.
    """
    try:
        unknown = DocxTemplate(BytesIO(template)).get_undeclared_template_variables(
            _environment()
        )
    except TemplateError as error:
        raise TemplateUnfitError("syntax", [str(error)[:200]]) from error
    except (
        Exception
    ) as error:  # the file comes from people, and python-docx raises what it likes
        raise TemplateUnfitError("unreadable") from error
    if unknown - VARIABLES:
        raise TemplateUnfitError("unknown_variables", unknown - VARIABLES)
    try:
        made = docx(sample(), datetime(2024, 1, 5, tzinfo=None), template)  # noqa: DTZ001 - only a stamp
        DocxTemplate(BytesIO(made)).get_docx()
    except Exception as error:
        raise TemplateUnfitError("does_not_render", [str(error)[:200]]) from error


def sample() -> Document:
    """One of everything that a document may hold."""
    return Document(
        slug="mau",
        title="TỜ TRÌNH",
        summary="Về việc thử mẫu văn bản",
        superior="CƠ QUAN CHỦ QUẢN",
        issuer="CƠ QUAN BAN HÀNH",
        number="Số: 01/TTr-MAU",
        place_date="Nơi mẫu, ngày 05 tháng 01 năm 2024",
        authority="THỦ TRƯỞNG CƠ QUAN MẪU",
        bases=["Căn cứ văn bản mẫu."],
        addressed_to="Người nhận mẫu",
        opening="QUYẾT ĐỊNH:",
        blocks=[
            Heading(text="I. Mục mẫu"),
            Paragraph(text="Đoạn văn mẫu."),
            Table(
                columns=[Column(title="Cột", width=50), Column(title="Số", width=50)],
                rows=[["a", "1"]],
            ),
            Chart(title="Biểu đồ mẫu", bars=[Bar(label="a", value=1, text="1")], full=2),
        ],
        recipients=["Lưu: VT"],
        signers=[Signer(capacity="THỦ TRƯỞNG", name="Người Ký Mẫu")],
        provisional=True,
    )


def _context(filled: DocxTemplate, document: Document) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: getattr(document, name) for name in document.__class__.model_fields
    }
    signers = document.signers or [Signer(capacity="")]
    recipients = [
        f"{who}{'.' if n == len(document.recipients) else ';'}"
        for n, who in enumerate(document.recipients, start=1)
    ]
    return fields | {
        "blocks": [_block(filled, block) for block in document.blocks],
        "recipients": recipients,
        "signer": signers[-1],
        "first_signer": signers[0] if len(signers) > 1 else None,
    }


def _block(filled: DocxTemplate, block: Any) -> dict[str, Any]:  # noqa: ANN401 - any kind of block
    match block:
        case Paragraph():
            words = RichText(
                block.text, bold=block.style == "bold", italic=block.style == "italic"
            )
            return {"kind": "paragraph", "words": words}
        case Chart():
            picture = InlineImage(filled, BytesIO(chart_png(block)), width=Mm(165))
            return {"kind": "chart", "picture": picture}
        case Table():
            last = len(block.rows) - block.totals
            rows = [
                [RichText(cell, bold=n >= last, size=_CELL_SIZE) for cell in row]
                for n, row in enumerate(block.rows)
            ]
            return {"kind": "table", "columns": block.columns, "rows": rows}
        case _:
            return {"kind": "heading", "text": block.text}


def _fit_tables(made: Docx, document: Document) -> None:
    """Widths, alignment and page breaks of the body's tables, which a template cannot know."""
    found = [
        table for table in made.tables if table.style is not None and table.style.name == _GRID
    ]
    wanted = [block for block in document.blocks if isinstance(block, Table)]
    if len(found) != len(wanted):
        return  # a template with tables of its own; its maker decides
    for table, block in zip(found, wanted, strict=True):
        _fit(table, block, _WIDTH_MM[document.landscape])


def _fit(table: DocxTable, block: Table, whole: int) -> None:
    shares = sum(column.width for column in block.columns)
    widths = [Mm(whole * column.width / shares) for column in block.columns]
    table.autofit = False
    for place, width in zip(table._tbl.tblGrid.findall(qn("w:gridCol")), widths, strict=False):  # noqa: SLF001
        place.set(qn("w:w"), str(width.twips))
    before = table._tbl.getprevious()  # noqa: SLF001
    if isinstance(before, CT_P):
        before.get_or_add_pPr().keepNext_val = True
    rows = table._tbl.tr_lst  # noqa: SLF001 - by way of the API rows take quadratic time
    for number, row in enumerate(rows):
        together = block.whole and number + 1 < len(rows)
        for cell, column, width in zip(row.tc_lst, block.columns, widths, strict=False):
            cell.width = width
            align = WD_ALIGN_PARAGRAPH.CENTER if number == 0 else _ALIGN.get(column.align)
            for paragraph in cell.p_lst:
                if align is not None:
                    paragraph.alignment = align
                if together:
                    paragraph.get_or_add_pPr().keepNext_val = True


def _keep_with_signature(made: Docx) -> None:
    """A signature never stands alone on a page: the last lines of the body go with it."""
    for paragraph in made.paragraphs[-3:]:
        paragraph.paragraph_format.keep_with_next = True


def _turn(made: Docx) -> None:
    section = made.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = section.page_height, section.page_width
