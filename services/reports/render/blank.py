"""Makes the DOCX template that is shipped: `python -m services.reports.render.blank`. An office may replace it.

Everything in braces is filled in by `docx.py`; tags that begin with `p`, `tr` or `tc` take their whole paragraph, row
or cell away with them.
"""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import docx
from docx.document import Document
from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.table import Table, _Cell
from docx.text.paragraph import Paragraph
from docx.text.run import Run

from services.reports.render.archive import settled

TEMPLATE = Path(__file__).parent.parent / "templates" / "document.docx"
FONT = "Times New Roman"
GRID = "Table Grid"
LEFT, CENTER = WD_ALIGN_PARAGRAPH.LEFT, WD_ALIGN_PARAGRAPH.CENTER
JUSTIFY = WD_ALIGN_PARAGRAPH.JUSTIFY
_MADE = datetime(2023, 6, 1, tzinfo=UTC)
_RED = RGBColor(0x9B, 0x1C, 0x1C)
_CELL_TWIPS = 68
NATION = "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"


def template() -> bytes:
    """The template by the layout of Decree 30/2020: A4, margins 20, 20, 30, 15 mm, head, body, signatures."""
    made = docx.Document()
    _page(made)
    _head(made)
    _body(made)
    _end(made)
    target = BytesIO()
    made.save(target)
    return settled(target.getvalue(), _MADE)


def _page(made: Document) -> None:
    section = made.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin = section.bottom_margin = Mm(20)
    section.left_margin, section.right_margin = Mm(30), Mm(15)
    section.header_distance = Mm(10)
    section.different_first_page_header_footer = True
    number = section.header.paragraphs[0]
    number.alignment = CENTER
    _field(number, "PAGE")
    _size(number.runs, 13)
    _provisional(section.header.add_paragraph())
    _provisional(section.first_page_header.paragraphs[0])
    normal = made.styles["Normal"]
    normal.font.name, normal.font.size = FONT, Pt(14)
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), FONT)
    normal.paragraph_format.space_after = Pt(0)


def _provisional(paragraph: Paragraph) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    run = paragraph.add_run("{% if provisional %}TẠM TÍNH{% endif %}")
    run.bold, run.font.size, run.font.color.rgb = True, Pt(10), _RED


def _field(paragraph: Paragraph, code: str) -> None:
    """A field that the reader's program fills in: the page number."""
    for kind, text in (("begin", None), (None, code), ("end", None)):
        run = paragraph.add_run()
        if kind is None:
            instruction = OxmlElement("w:instrText")
            instruction.text = text
            run._r.append(instruction)  # noqa: SLF001 - python-docx has no fields
        else:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
            run._r.append(mark)  # noqa: SLF001


def _size(runs: list[Run], points: int) -> None:
    for run in runs:
        run.font.size = Pt(points)


def _say(
    place: _Cell | Document,
    text: str,
    size: float,
    *,
    bold: bool = False,
    italic: bool = False,
    align: WD_ALIGN_PARAGRAPH = CENTER,
) -> Paragraph:
    """A paragraph in a cell or in the body; the first one of a cell is there already."""
    empty = isinstance(place, _Cell) and len(place.paragraphs) == 1 and not place.text
    paragraph = place.paragraphs[0] if empty else place.add_paragraph()
    paragraph.alignment = align
    run = paragraph.add_run(text)
    run.font.size, run.bold, run.italic = Pt(size), bold, italic
    return paragraph


def _rule(paragraph: Paragraph, left: float, right: float) -> None:
    """A short line beneath a paragraph: its lower border, drawn in from both sides (millimetres)."""
    paragraph.paragraph_format.left_indent = Mm(left)
    paragraph.paragraph_format.right_indent = Mm(right)
    paragraph.paragraph_format.line_spacing = Pt(3)
    borders, bottom = OxmlElement("w:pBdr"), OxmlElement("w:bottom")
    for name, value in (("val", "single"), ("sz", "6"), ("space", "1"), ("color", "auto")):
        bottom.set(qn(f"w:{name}"), value)
    borders.append(bottom)
    paragraph._p.get_or_add_pPr().append(borders)  # noqa: SLF001


def _layout(made: Document, *widths: float) -> Table:
    """A table without lines, of one row."""
    table: Table = made.add_table(1, len(widths))
    table.autofit = False
    _margins(table, 0)
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Mm(width)
    return table


def _margins(table: Table, twips: int) -> None:
    """How far the words of a cell stand from its sides."""
    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), str(twips))
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    table._tbl.tblPr.append(margins)  # noqa: SLF001


def _head(made: Document) -> None:
    table = _layout(made, 73, 92)
    left, right = table.rows[0].cells
    _say(left, "{%p if superior %}", 12)
    _say(left, "{{ superior }}", 12)
    _say(left, "{%p endif %}", 12)
    _say(left, "{{ issuer }}", 12, bold=True)
    _rule(_say(left, "", 2), 25, 25)
    _say(right, NATION, 12, bold=True)
    _say(right, "Độc lập - Tự do - Hạnh phúc", 13, bold=True)
    _rule(_say(right, "", 2), 17.5, 17.5)
    left, right = table.add_row().cells  # type: ignore[no-untyped-call]
    _say(left, "{{ number }}", 13).paragraph_format.space_before = Pt(6)
    _say(right, "{{ place_date }}", 13, italic=True).paragraph_format.space_before = Pt(6)
    _say(made, "{{ title }}", 14, bold=True).paragraph_format.space_before = Pt(12)
    summary = _say(made, "{{ summary }}", 14, bold=True).paragraph_format
    summary.left_indent = summary.right_indent = Mm(11)  # no single word on the second line
    _rule(_say(made, "", 2), 60, 60)
    _tag(made, "{%p if provisional %}")
    note = _say(made, "(Bản tạm tính, chưa phải kết quả chính thức)", 12, italic=True)
    note.paragraph_format.space_before = Pt(6)
    _tag(made, "{%p endif %}")


def _tag(made: Document, text: str) -> None:
    made.add_paragraph(text)


def _body(made: Document) -> None:
    _tag(made, "{%p if addressed_to %}")
    _say(made, "Kính gửi: {{ addressed_to }}", 14).paragraph_format.space_before = Pt(10)
    _tag(made, "{%p endif %}")
    _tag(made, "{%p if authority %}")
    _say(made, "{{ authority }}", 14, bold=True).paragraph_format.space_before = Pt(8)
    _tag(made, "{%p endif %}")
    _tag(made, "{%p for base in bases %}")
    _running(_say(made, "{{ base }}", 14, italic=True, align=JUSTIFY))
    _tag(made, "{%p endfor %}")
    _tag(made, "{%p if opening %}")
    _say(made, "{{ opening }}", 14, bold=True).paragraph_format.space_before = Pt(6)
    _tag(made, "{%p endif %}")
    _tag(made, "{%p for block in blocks %}")
    _tag(made, '{%p if block.kind == "heading" %}')
    heading = _say(made, "{{ block.text }}", 14, bold=True, align=LEFT)
    _running(heading)
    heading.paragraph_format.keep_with_next = True
    _tag(made, '{%p elif block.kind == "paragraph" %}')
    _running(_say(made, "{{r block.words }}", 14, align=JUSTIFY))
    _tag(made, '{%p elif block.kind == "chart" %}')
    _say(made, "{{ block.picture }}", 12)
    _tag(made, '{%p elif block.kind == "table" %}')
    _table(made)
    _tag(made, "{%p endif %}")
    _tag(made, "{%p endfor %}")


def _running(paragraph: Paragraph) -> None:
    paragraph.paragraph_format.first_line_indent = Mm(11)
    paragraph.paragraph_format.space_before = Pt(6)
    paragraph.paragraph_format.space_after = Pt(3)


def _table(made: Document) -> None:
    table = made.add_table(4, 3, style=GRID)
    _margins(table, _CELL_TWIPS)
    rows = (
        ("{%tc for column in block.columns %}", "{{ column.title }}", "{%tc endfor %}"),
        ("{%tr for row in block.rows %}", "", ""),
        ("{%tc for cell in row %}", "{{r cell }}", "{%tc endfor %}"),
        ("{%tr endfor %}", "", ""),
    )
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            if text:
                _say(cell, text, 12, bold=row is table.rows[0] or "title" in text, align=LEFT)
                cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
    head = OxmlElement("w:tblHeader")
    head.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(head)  # noqa: SLF001
    for row in table.rows:
        whole = OxmlElement("w:cantSplit")
        row._tr.get_or_add_trPr().append(whole)  # noqa: SLF001


def _end(made: Document) -> None:
    _say(made, "", 8)
    table = _layout(made, 82.5, 82.5)
    left, right = table.rows[0].cells
    _say(left, "{%p if recipients %}", 12, align=LEFT)
    _say(left, "Nơi nhận:", 12, bold=True, italic=True, align=LEFT)
    _say(left, "{%p for who in recipients %}", 11, align=LEFT)
    _say(left, "- {{ who }}", 11, align=LEFT)
    _say(left, "{%p endfor %}", 11, align=LEFT)
    _say(left, "{%p endif %}", 11, align=LEFT)
    _say(left, "{%p if first_signer %}", 13)
    _say(left, "{{ first_signer.capacity }}", 13, bold=True)
    _say(left, "\n\n\n", 13)
    _say(left, "{{ first_signer.name }}", 14, bold=True)
    _say(left, "{%p endif %}", 13)
    _say(left, "", 11, align=LEFT)
    _say(right, "{{ signer.capacity }}", 13, bold=True)
    _say(right, "\n\n\n", 13)
    _say(right, "{{ signer.name }}", 14, bold=True)
    whole = OxmlElement("w:cantSplit")
    table.rows[0]._tr.get_or_add_trPr().append(whole)  # noqa: SLF001


if __name__ == "__main__":
    TEMPLATE.write_bytes(template())
