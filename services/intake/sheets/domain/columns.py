"""Which column of a sheet means what: Vietnamese headers recognised, and corrected by people where they are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.intake.domain.names import bare
from services.intake.portal.domain.dialects import (
    DialectError,
    Read,
    Value,
    agency,
    dossier_code,
    instant,
    one_of,
    procedure_code,
    text,
    yes_or_no,
)
from services.intake.portal.domain.messages import Fault, Message
from services.intake.portal.domain.national import HAPPENED, message_of

HEADER_ROWS = 30
"""So many rows a title may stand above the headers."""
LEAST_RECOGNISED, LEAST_OF_WORDS = 3, 2
"""So many known headers make a row the row of headers; fewer are enough when there are only words in it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field that a sheet may hold."""

    field: str
    headers: tuple[str, ...]
    """Headers without diacritics."""
    required: bool = False


COLUMNS = (
    Column(
        "dossier",
        ("ma ho so", "so ho so", "ma so ho so", "so bien nhan", "ma hs", "so hs", "mahoso"),
        required=True,
    ),
    Column(
        "procedure",
        ("ma thu tuc", "ma tthc", "ma thu tuc hanh chinh", "mathutuc", "matthc"),
        required=True,
    ),
    Column(
        "agency",
        ("don vi xu ly", "don vi", "co quan xu ly", "co quan thuc hien", "co quan giai quyet",
         "don vi giai quyet", "don vi thuc hien", "co quan", "donvixuly"),
    ),
    Column(
        "status",
        ("trang thai", "trang thai ho so", "tinh trang", "tinh trang ho so", "trangthaihoso"),
        required=True,
    ),
    Column(
        "channel",
        ("hinh thuc nop", "kenh tiep nhan", "kenh thuc hien", "hinh thuc tiep nhan",
         "hinh thuc nop ho so", "kenh nop", "kenhthuchien"),
    ),
    Column("submitted_at", ("ngay nop", "ngay nop ho so", "ngaynophoso")),
    Column(
        "received_at",
        ("ngay tiep nhan", "ngay nhan", "thoi gian tiep nhan", "ngay tiep nhan ho so",
         "ngaytiepnhan"),
        required=True,
    ),
    Column(
        "due_at",
        ("ngay hen tra", "han tra", "ngay hen tra ket qua", "han xu ly", "han giai quyet",
         "thoi han giai quyet", "hen tra", "ngayhentra"),
    ),
    Column(
        "finished_at",
        ("ngay ket thuc xu ly", "ngay co ket qua", "ngay hoan thanh", "ngay giai quyet xong",
         "ngayketthucxuly"),
    ),
    Column(
        "returned_at",
        ("ngay tra", "ngay tra ket qua", "thoi gian tra ket qua", "ngaytra"),
    ),
    Column(
        "paid_online",
        ("thanh toan truc tuyen", "duoc thanh toan truc tuyen", "hinh thuc thanh toan"),
    ),
    Column(
        "digitised",
        ("so hoa", "so hoa thanh phan", "so hoa thanh phan ho so", "ho so so hoa",
         "ho so co thanh phan so hoa"),
    ),
    Column(
        "satisfaction",
        ("muc do hai long", "danh gia", "danh gia hai long", "ket qua danh gia"),
    ),
)  # fmt: skip
BY_FIELD = {column.field: column for column in COLUMNS}
_BY_HEADER = {header: column.field for column in COLUMNS for header in column.headers}

STATUSES: dict[str, Value] = {
    "moi dang ky": "registered", "cho tiep nhan": "registered", "moi nop": "registered",
    "da tiep nhan": "accepted", "moi tiep nhan": "accepted", "duoc tiep nhan": "accepted",
    "khong tiep nhan": "refused", "tu choi": "refused", "khong duoc tiep nhan": "refused",
    "dang xu ly": "processing", "dang giai quyet": "processing",
    "yeu cau bo sung": "supplement", "cho bo sung": "supplement",
    "yeu cau bo sung giay to": "supplement", "dung cho bo sung": "supplement",
    "yeu cau thuc hien nghia vu tai chinh": "payment_due", "cho thanh toan": "payment_due",
    "cong dan yeu cau rut": "withdrawn", "rut ho so": "withdrawn", "da rut": "withdrawn",
    "dung xu ly": "suspended", "tam dung": "suspended",
    "da xu ly xong": "finished", "da co ket qua": "finished", "cho tra ket qua": "finished",
    "da giai quyet": "finished", "hoan thanh": "finished",
    "da tra ket qua": "returned", "da tra": "returned",
    **{str(n): name for n, name in enumerate(
        ("registered", "accepted", "refused", "processing", "supplement", "payment_due",
         "withdrawn", "suspended", "finished", "returned"), 1)},
}  # fmt: skip
CHANNELS: dict[str, Value] = {
    "truc tuyen": "online", "online": "online", "qua mang": "online", "2": "online",
    "truc tiep": "counter", "tai quay": "counter", "tai bo phan mot cua": "counter",
    "1": "counter", "buu chinh": "post", "buu chinh cong ich": "post", "buu dien": "post",
    "3": "post",
}  # fmt: skip
PAID: dict[str, Value] = {
    "truc tuyen": True, "co": True, "da thanh toan truc tuyen": True, "1": True, "2": True,
    "x": True, "true": True, "khong": False, "tien mat": False, "truc tiep": False,
    "chua": False, "0": False, "3": False, "false": False, "mien phi": None,
}  # fmt: skip
SATISFACTION: dict[str, Value] = {
    "rat hai long": "very_satisfied",
    "hai long": "satisfied",
    "binh thuong": "satisfied",
    "khong hai long": "dissatisfied",
    "chua danh gia": None,
}


def _said(table: dict[str, Value]) -> Read:
    read = one_of(table)
    return lambda value: read(bare(text(value)))


READERS: dict[str, Read] = {
    "dossier": dossier_code,
    "procedure": procedure_code,
    "agency": agency,
    "status": _said(STATUSES),
    "channel": _said(CHANNELS),
    "submitted_at": instant,
    "received_at": instant,
    "due_at": instant,
    "finished_at": instant,
    "returned_at": instant,
    "paid_online": _said(PAID),
    "digitised": lambda value: yes_or_no(bare(text(value))),
    "satisfaction": _said(SATISFACTION),
}
Mapped = Mapping[str, int]
"""Field -> number of its column, from 0."""


def recognised(headers: Sequence[object], corrected: Mapping[str, str]) -> dict[str, int]:
    """What the columns mean; `corrected`: header without diacritics -> field, as people said; empty: none."""
    found: dict[str, int] = {}
    for number, header in enumerate(headers):
        plain = plain_header(header)
        field = corrected.get(plain, _BY_HEADER.get(plain, ""))
        if field and field not in found:
            found[field] = number
    return found


def plain_header(header: object) -> str:
    """A header without diacritics, line breaks and notes in brackets."""
    try:
        words = text(header)
    except DialectError:
        return ""
    return bare(words.partition("(")[0].replace("*", " ").replace(":", " "))[:100]


def find_headers(
    rows: Sequence[Sequence[object]], corrected: Mapping[str, str]
) -> tuple[int, dict[str, int]]:
    """(number of the row with the headers, what its columns mean) among the first rows; the best one."""
    best: tuple[int, dict[str, int]] = (0, {})
    for number, row in enumerate(rows):
        found = recognised(row, corrected)
        if len(found) > len(best[1]):
            best = number, found
    return best


def are_headers(cells: Sequence[object], mapped: Mapped) -> bool:
    """Whether a row is surely the row of headers: only that is kept and shown, for any other may name people."""
    has_figures = any(letter.isdigit() for cell in cells for letter in str(cell or ""))
    return len(mapped) >= (LEAST_RECOGNISED if has_figures else LEAST_OF_WORDS)


def lacking(mapped: Mapped, unit: str | None) -> list[str]:
    """Required fields without a column; the agency is required unless the sheet is one unit's own."""
    wanted = [column.field for column in COLUMNS if column.required]
    if unit is None:
        wanted.append("agency")
    return [field for field in wanted if field not in mapped]


@dataclass(frozen=True, slots=True)
class CellFault:
    """What is wrong with one cell; never its content."""

    row: int
    """Counted from 1, as the sheet shows it."""
    column: int | None
    field: str
    code: str


def read_row(
    cells: Sequence[object], row: int, mapped: Mapped, unit: str | None, now: int
) -> Message | list[CellFault]:
    """The message of one row, or what is wrong with its cells."""
    found: dict[str, Value] = {}
    faults = []
    for field, number in mapped.items():
        try:
            found[field] = READERS[field](cells[number] if number < len(cells) else None)
        except DialectError as error:
            faults.append(CellFault(row, number, field, error.code))
    if found.get("status", "") is None:
        faults.append(CellFault(row, mapped["status"], "status", "missing"))
    if faults:
        return faults
    dossier = str(found.pop("dossier"))
    if unit is not None:
        found |= {"agency": None, "unit": unit}
    times = [time for name in HAPPENED if isinstance(time := found.get(name), int)]
    message = message_of(dossier, found, times, [], now)
    if isinstance(message, Fault):
        return [CellFault(row, mapped.get("received_at"), "received_at", message.code)]
    return message


def is_empty(cells: Sequence[object]) -> bool:
    """Whether a row says nothing: sheets often end in hundreds of them."""
    return all(cell is None or cell == "" for cell in cells)
