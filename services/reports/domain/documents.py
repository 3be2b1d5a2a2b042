"""What a document is before it has a format: head, bases, blocks, signatures. All formats show the same one."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, computed_field

from contracts.plan import Documents, Office, Plan
from services.reports.domain import vietnamese as vn
from services.reports.domain.decisions import Value
from services.reports.domain.figures import Figures, Line
from services.reports.domain.legal import legal_bases

NATION = "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"
MOTTO = "Độc lập - Tự do - Hạnh phúc"
PROVISIONAL = "TẠM TÍNH"
AS_ABOVE = "Như trên"
ROWS_SHOWN = 300
"""Rows of a table in a document; the workbook and the data have all of them."""
WHOLE_LINES, LINE_CHARACTERS = 24, 80
"""A table of so many lines is kept on one page; about so many characters of 12 points fit beside each other."""
Align = Literal["left", "right", "center"]


class Column(Value):
    """One column; widths are shares of the page."""

    title: str
    width: int
    align: Align = "left"


class Paragraph(Value):
    """Running text."""

    kind: Literal["paragraph"] = "paragraph"
    text: str
    style: Literal["body", "bold", "italic"] = "body"


class Heading(Value):
    """A numbered heading of the body."""

    kind: Literal["heading"] = "heading"
    text: str
    level: int = 1


class Table(Value):
    """Rows under repeated column heads; the last `totals` rows are sums."""

    kind: Literal["table"] = "table"
    columns: list[Column]
    rows: list[list[str]]
    totals: int = 0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def whole(self) -> bool:
        """Short enough to stand on one page: it is not broken."""
        shares = sum(column.width for column in self.columns)
        room = [max(1, LINE_CHARACTERS * column.width // shares) for column in self.columns]
        lines = sum(
            max(-(-len(cell) // width) for cell, width in zip(row, room, strict=True))
            for row in self.rows[: WHOLE_LINES + 1]
        )
        return lines <= WHOLE_LINES


class Bar(Value):
    """One bar of a chart."""

    label: str
    value: int
    text: str


class Chart(Value):
    """Bars under each other, against a full length."""

    kind: Literal["chart"] = "chart"
    title: str
    bars: list[Bar]
    full: int


Block = Annotated[Paragraph | Heading | Table | Chart, Field(discriminator="kind")]


class Signer(Value):
    """One signature: in which capacity, and by whom (blank: left for a pen)."""

    capacity: str
    name: str = ""


class Document(Value):
    """One document of a package."""

    slug: str
    """Its file name."""
    title: str
    """Its kind: `TỜ TRÌNH`."""
    summary: str
    superior: str = ""
    issuer: str
    number: str
    place_date: str
    authority: str = ""
    """Of a decision, whose it is, above the bases: `CHỦ TỊCH ỦY BAN NHÂN DÂN …`."""
    bases: list[str] = Field(default_factory=list)
    """Each with its final mark."""
    addressed_to: str = ""
    opening: str = ""
    """Between the bases and the body: `QUYẾT ĐỊNH:`."""
    blocks: list[Block]
    recipients: list[str] = Field(default_factory=list)
    signers: list[Signer] = Field(default_factory=list)
    provisional: bool = False
    landscape: bool = False


def documents_of(plan: Plan) -> Documents:
    """Who issues this plan's documents."""
    if plan.documents is not None:
        return plan.documents
    authority = plan.authority.vi.upper()
    office = Office(name=authority, abbreviation="UBND", signs_as="THỦ TRƯỞNG ĐƠN VỊ")
    return Documents(place="…", standing=office, chair=office, addressed_to=plan.authority.vi)


def place_date(place: str, day: date) -> str:
    """`Phụng Hiệp, ngày 05 tháng 01 năm 2024`."""
    return f"{place}, {vn.long_date(day)}"


def numbered(number: str, code: str, office: Office) -> str:
    """`Số: 15/TTr-VHTT`; without a number a space for a pen."""
    return f"Số: {number or '        '}/{code}-{office.abbreviation}"


def with_marks(bases: list[str]) -> list[str]:
    """Each base ends with a semicolon, the last one with a full stop."""
    return [f"{base}{'.' if n == len(bases) else ';'}" for n, base in enumerate(bases, start=1)]


def bases_of(figures: Figures, proposed_by: str = "") -> list[str]:
    """The legal bases on the document's day, the plan itself, and who proposes a decision."""
    record = figures.record
    plan = record.plan
    own = (
        f"Căn cứ Kế hoạch số {plan.decision} của {plan.authority.vi} về {_lower(plan.title.vi)}"
    )
    proposal = [f"Theo đề nghị của {proposed_by}"] if proposed_by else []
    return with_marks([*legal_bases(record.dated), own, *proposal])


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def paragraph(text: str, style: Literal["body", "bold", "italic"] = "body") -> Paragraph:
    """A paragraph."""
    return Paragraph(text=text, style=style)


def new_document(  # noqa: PLR0913 - a document has that many parts
    figures: Figures,
    slug: str,
    code: str,
    title: str,
    summary: str,
    blocks: list[Block],
    *,
    bases: bool = False,
    by_chair: bool = False,
    addressed: bool = False,
    authority: str = "",
    proposed_by: str = "",
    opening: str = "",
    landscape: bool = False,
    signers: list[Signer] | None = None,
) -> Document:
    """A document of the standing office, or of the chair; the last paragraph ends with `./.`."""
    record = figures.record
    shared = documents_of(record.plan)
    office = shared.chair if by_chair else shared.standing
    name = record.signatures.chair if by_chair else record.signatures.head
    return Document(
        slug=slug,
        title=title,
        summary=summary,
        superior=office.superior,
        issuer=office.name,
        number=numbered(record.signatures.numbers.get(slug, ""), code, office) if code else "",
        place_date=place_date(shared.place, record.dated),
        authority=authority,
        bases=bases_of(figures, proposed_by) if bases else [],
        addressed_to=shared.addressed_to if addressed else "",
        opening=opening,
        blocks=_ended(blocks),
        recipients=_recipients(shared, blocks) if code and not signers else [],
        signers=signers or [Signer(capacity=office.signs_as, name=name)],
        provisional=not record.official,
        landscape=landscape,
    )


def _recipients(shared: Documents, blocks: list[Block]) -> list[str]:
    """Whom it goes to; of a decision `Như Điều 3` (its last article) instead of `Như trên`."""
    articles = [
        b.text for b in blocks if isinstance(b, Paragraph) and b.text.startswith("Điều ")
    ]
    last = f"Như {articles[-1].partition('.')[0]}" if articles else AS_ABOVE
    return [last if who == AS_ABOVE else who for who in [*shared.recipients, "Lưu: VT"]]


def running_name(plan: Plan, name: str) -> str:
    """An office's name from the capitals of a document's head to running text: as the plan's units write it."""
    name = " ".join(name.split())
    if not name.isupper():
        return name
    known = (unit.name.vi for unit in plan.units)
    return next((one for one in known if one.upper() == name), name.capitalize())


def _ended(blocks: list[Block]) -> list[Block]:
    """The body of a document ends with `./.`."""
    last = blocks[-1] if blocks else None
    if not isinstance(last, Paragraph):
        return blocks
    text = last.text.removesuffix(".") + "./."
    return [*blocks[:-1], last.model_copy(update={"text": text})]


def cut(rows: list[list[str]]) -> list[list[str]]:
    """At most so many rows as a document shows."""
    return rows[:ROWS_SHOWN]


def award_words(line: Line) -> str:
    """What a unit gets, or why not."""
    if line.award is not None:
        return line.award.name.vi
    return "Không xét thi đua" if line.place is None else vn.DASH
