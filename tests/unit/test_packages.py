"""A package proves itself: same inputs, same bytes, the same numbers in every format, and every tampering is named."""

import json
import re
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import docx as python_docx
import openpyxl
import pytest
from docx.oxml.ns import qn
from pypdf import PdfReader

from contracts.evidence import UnitEvidence, index_hash
from contracts.packages import EvidencePosition
from contracts.plan import Plan
from services.reports.domain import vietnamese as vn
from services.reports.domain.annual import annual_documents
from services.reports.domain.documents import Column, Paragraph, Table
from services.reports.domain.figures import figures_of
from services.reports.domain.legal import decree_on
from services.reports.domain.record import Record
from services.reports.domain.sheets import score_sheet
from services.reports.render.archive import Archive
from services.reports.render.blank import TEMPLATE, template
from services.reports.render.docx import TemplateUnfitError, check, docx, sample
from services.reports.render.package import build, sha256
from services.reports.render.pdf import pdf
from services.reports.render.verifying import NotAPackageError, differences
from services.runtime.web.collation import vietnamese_key as key
from tests.support.packages import PLAN, frozen_period, nomination, record_of

FEW = frozenset(u.code for b in PLAN.blocs for u in PLAN.units_of(b.code)[:4])
SMALL = Plan.model_validate(
    PLAN.model_dump() | {"units": [u.model_dump() for u in PLAN.units if u.code in FEW]}
)
TOTALS = {"31393": 1_899_960, "31396": 1_799_999, "31399": 1_650_000, "31402": 1_950_000}


def small_record(plan: Plan = SMALL, **changes: Any) -> Record:
    return record_of(frozen_period("2023", plan, totals=TOTALS), plan, **changes)


def quarter_record(**changes: Any) -> Record:
    return record_of(frozen_period("2023-Q3", SMALL), SMALL, **changes)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("package") / "goi.zip"
    with path.open("wb") as target:
        build(small_record(), key, target)
    return path


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quarter") / "quy.zip"
    with path.open("wb") as target:
        build(quarter_record(), key, target)
    return path


def contents(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def rewritten(
    path: Path, target: Path, files: dict[str, bytes], *, honest: bool = False
) -> Path:
    """The package with other files; honest: the manifest names them with their right hashes."""
    if honest:
        manifest = json.loads(files["manifest.json"])
        manifest["files"] = [
            {"name": n, "sha256": sha256(c), "size": len(c)}
            for n, c in files.items()
            if n != "manifest.json"
        ]
        files = files | {"manifest.json": json.dumps(manifest).encode()}
    with target.open("wb") as opened:
        archive = Archive(opened)
        for name, content in files.items():
            archive.add(name, content)
        archive.close()
    return target


def test_the_same_record_gives_the_same_bytes(package: Path) -> None:
    again = BytesIO()
    build(small_record(), key, again)
    assert sha256(again.getvalue()) == sha256(package.read_bytes())


def test_an_untouched_package_is_identical(package: Path) -> None:
    assert list(differences(package, key)) == []


def test_a_changed_byte_and_a_removed_and_an_added_file_are_named(
    quarter: Path, tmp_path: Path
) -> None:
    files = contents(quarter)
    name = "02-to-trinh-bieu-duong.pdf"
    changed = files | {name: files[name].replace(b"1", b"2", 1)}
    assert list(differences(rewritten(quarter, tmp_path / "a.zip", changed), key)) == [
        f"{name}: changed",
        f"{name}: does not say what the frozen standings and the plan lead to",
    ]
    removed = {n: c for n, c in files.items() if n != name}
    assert list(differences(rewritten(quarter, tmp_path / "b.zip", removed), key)) == [
        f"{name}: removed"
    ]
    added = files | {"extra.txt": b""}
    assert list(differences(rewritten(quarter, tmp_path / "c.zip", added), key)) == [
        "extra.txt: added"
    ]


def test_a_changed_plan_is_named_even_when_the_manifest_was_made_to_fit(
    package: Path, tmp_path: Path
) -> None:
    files = contents(package)
    plan = json.loads(files["data/plan.json"])
    plan["blocs"][0]["awards"][0]["prize"]["money"] = 99_000_000
    forged = files | {
        "data/plan.json": json.dumps(
            plan, ensure_ascii=False, indent=1, sort_keys=True
        ).encode()
        + b"\n"
    }
    plain = list(differences(rewritten(package, tmp_path / "a.zip", forged), key))
    assert "data/plan.json: changed" in plain
    fitted = list(differences(rewritten(package, tmp_path / "b.zip", forged, honest=True), key))
    assert (
        "data/results.json: does not say what the frozen standings and the plan lead to"
        in fitted
    )
    assert any(line.startswith("05-du-thao-quyet-dinh.pdf") for line in fitted)


def test_a_file_that_is_no_package_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"nothing")
    with pytest.raises(NotAPackageError):
        list(differences(path, key))


def text_of(pdf_file: bytes) -> str:
    return " ".join(
        " ".join(page.extract_text() for page in PdfReader(BytesIO(pdf_file)).pages).split()
    )


def rows_of(docx_file: bytes) -> list[list[str]]:
    document = python_docx.Document(BytesIO(docx_file))
    return [
        [cell.text for cell in row.cells] for table in document.tables for row in table.rows
    ]


def summed(sheet: Any, formula: Any) -> Decimal:
    """Our few formulas, worked out: =SUM(a:b) and =a*b."""
    total = re.fullmatch(r"=SUM\((\w+):(\w+)\)", formula)
    if total:
        cells = [c for row in sheet[f"{total[1]}:{total[2]}"] for c in row]
        return sum((value(sheet, c.value) for c in cells), Decimal())
    left, right = formula[1:].split("*")
    return value(sheet, sheet[left].value) * value(sheet, sheet[right].value)


def value(sheet: Any, found: Any) -> Decimal:
    if isinstance(found, str) and found.startswith("="):
        return summed(sheet, found)
    return Decimal(str(found or 0))


def test_every_format_shows_the_same_numbers(package: Path) -> None:
    files = contents(package)
    results = json.loads(files["data/results.json"])
    frozen = {
        row["unit"]: row["points"] for row in json.loads(files["data/frozen.json"])["standings"]
    }
    book = openpyxl.load_workbook(BytesIO(files["bang-so-lieu.xlsx"]))
    report, table = (
        text_of(files["01-bao-cao-tong-hop.pdf"]),
        rows_of(files["01-bao-cao-tong-hop.docx"]),
    )
    for number, bloc in enumerate(results["blocs"]):
        sheet = book.worksheets[number]
        heads = [cell.value for cell in sheet[3]]
        for line, row in enumerate(bloc["rows"], start=4):
            shown = vn.points(frozen[row["unit"]])
            assert row["points"] == f"{frozen[row['unit']] / 10_000:.4f}"
            assert any(cells[:3] == [str(row["rank"]), row["name"], shown] for cells in table)
            assert f"{row['name']} {shown}" in report
            cell = sheet.cell(line, heads.index("Tổng điểm") + 1).value
            assert summed(sheet, cell) == Decimal(row["points"])
            sheet_pdf = text_of(files[f"phieu-diem/{row['unit']}.pdf"])
            assert f"Tổng điểm: {shown}" in sheet_pdf
            assert any(
                cells[1:2] == ["Cộng"] and shown in cells
                for cells in rows_of(files[f"phieu-diem/{row['unit']}.docx"])
            )
        money = sheet.cell(sheet.max_row, heads.index("Tiền thưởng") + 1).value
        assert summed(sheet, money) == bloc["money"]
    budget = book["Dự toán"]
    assert summed(budget, budget.cell(budget.max_row, 5).value) == results["money"]
    assert vn.money(results["money"]).replace("\xa0", " ") in text_of(
        files["06-du-toan-kinh-phi.pdf"]
    )
    assert results["blocs"][0]["rows"][0]["name"] == "Xã Bình Thành"


def test_a_quarter_names_the_product_of_each_locality_in_every_format(quarter: Path) -> None:
    files = contents(quarter)
    said = "Chợ không dùng tiền mặt; Bản đồ số & du lịch (chưa thẩm định)"
    assert said in text_of(files["01-bao-cao-quy.pdf"])
    table = rows_of(files["01-bao-cao-quy.docx"])
    assert ["Thị trấn Kinh Cùng", said] in [cells[:2] for cells in table]
    names = ["Chợ không dùng tiền mặt", "Bản đồ số & du lịch"]
    rows = json.loads(files["data/results.json"])["blocs"][0]["rows"]
    shown = {row["unit"]: [thing["name"] for thing in row["shown"]] for row in rows}
    assert shown == {"31393": names} | {u: [] for u in shown if u != "31393"}
    sheet = openpyxl.load_workbook(BytesIO(files["bang-so-lieu.xlsx"]))["Sản phẩm, mô hình"]
    assert [cell.value for cell in sheet["E"][3:]] == names
    assert list(differences(quarter, key)) == []


def test_another_index_of_evidence_than_the_frozen_one_is_named(tmp_path: Path) -> None:
    mine = [UnitEvidence(unit="31393", reviews={"2023-07:X5": "accepted"})]
    position = EvidencePosition(events=1, files=0, sha256=index_hash(mine))
    record = quarter_record(evidence=mine)
    frozen = record.frozen.model_copy(update={"evidence": position})
    path = tmp_path / "goi.zip"
    with path.open("wb") as target:
        build(record.model_copy(update={"frozen": frozen}), key, target)
    assert list(differences(path, key)) == []
    files = contents(path)
    forged = files["data/record.json"].replace(b'X5": "accepted"', b'X5": "rejected"')
    again = rewritten(
        path, tmp_path / "b.zip", files | {"data/record.json": forged}, honest=True
    )
    assert list(differences(again, key)) == [
        "data/record.json: the index of evidence is not the one that was frozen"
    ]


def test_a_total_just_below_a_threshold_is_never_shown_as_the_threshold(package: Path) -> None:
    report = text_of(contents(package)["01-bao-cao-tong-hop.pdf"])
    assert "Thị trấn Cây Dương 179,99" in report
    assert "180,00" not in report


def test_everything_is_marked_provisional_until_it_is_official() -> None:
    for official in (False, True):
        record = small_record(official=official)
        (letter,) = (
            d for d in annual_documents(figures_of(record, key)) if d.slug == "02-to-trinh"
        )
        words = text_of(pdf(letter))
        made = python_docx.Document(BytesIO(docx(letter, record.frozen.at)))
        header = made.sections[0].first_page_header.paragraphs[0].text
        assert ("Bản tạm tính" in words, header) == (
            (True, "TẠM TÍNH") if not official else (False, "")
        )


def test_the_layout_is_that_of_decree_30() -> None:
    record = small_record()
    (letter,) = (
        d for d in annual_documents(figures_of(record, key)) if d.slug == "02-to-trinh"
    )
    section = python_docx.Document(BytesIO(docx(letter, record.frozen.at))).sections[0]
    margins = (
        section.top_margin,
        section.bottom_margin,
        section.left_margin,
        section.right_margin,
    )
    assert [round(m.mm) for m in margins if m is not None] == [20, 20, 30, 15]
    words = text_of(pdf(letter))
    for expected in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "Độc lập - Tự do - Hạnh phúc",
        "Phụng Hiệp, ngày 09 tháng 01 năm 2024",
        "/TTr-VHTT",
        "98/2023/NĐ-CP",
        "./.",
        "Nơi nhận:",
        "- Lưu: VT.",
        "TRƯỞNG PHÒNG",
    ):
        assert expected in words
    reader = PdfReader(BytesIO(pdf(letter)))
    assert {
        font["/BaseFont"].split("+")[1][:15] for page in reader.pages for font in _fonts(page)
    } == {"LiberationSerif"}


def test_a_decision_names_its_authority_before_the_bases_and_the_proposal_last() -> None:
    record = record_of(frozen_period("2023"))
    documents = {d.slug: d for d in annual_documents(figures_of(record, key))}
    decision, letter = documents["05-du-thao-quyet-dinh"], documents["02-to-trinh"]
    parts = (
        "Về việc khen thưởng",
        "CHỦ TỊCH ỦY BAN NHÂN DÂN HUYỆN PHỤNG HIỆP",
        "Căn cứ Luật Thi đua",
        "Theo đề nghị của Trưởng phòng Văn hóa và Thông tin.",
        "QUYẾT ĐỊNH:",
        "Điều 1.",
        "- Như Điều 3;",
    )
    made = docx(decision, record.frozen.at)
    for words in (text_of(pdf(decision)), words_of(made)):
        places = [words.index(part) for part in parts]
        assert places == sorted(places)
    assert letter.recipients[0] == "Như trên"


def words_of(docx_file: bytes) -> str:
    """All text of a DOCX in the order of the page, tables included."""
    body = python_docx.Document(BytesIO(docx_file)).element.body
    return " ".join(
        "".join(t.text or "" for t in p.iter(qn("w:t"))) for p in body.iter(qn("w:p"))
    )


def test_a_short_table_stays_on_one_page_and_a_long_one_breaks_between_rows() -> None:
    columns = [Column(title="Đơn vị", width=50), Column(title="Thành tích", width=50)]
    short = Table(columns=columns, rows=[["Xã", "Chữ"]] * 24)
    assert short.whole
    assert not Table(columns=columns, rows=[["Xã", "Chữ"]] * 25).whole
    assert not Table(columns=columns, rows=[["Xã", "Chữ " * 300]]).whole
    document = sample().model_copy(
        update={"blocks": [Paragraph(text="Chữ đệm."), Paragraph(text="Chữ dẫn."), short]}
    )
    made = python_docx.Document(BytesIO(docx(document, small_record().frozen.at)))
    table = next(t for t in made.tables if t.style is not None and t.style.name == "Table Grid")
    kept = [row.cells[0].paragraphs[0].paragraph_format.keep_with_next for row in table.rows]
    assert kept == [True] * 24 + [None]


def _fonts(page: Any) -> list[Any]:
    return [font.get_object() for font in page["/Resources"]["/Font"].values()]


def test_people_stand_in_the_order_of_given_names() -> None:
    people = [
        nomination(n, name)
        for n, name in enumerate(
            ["Trần Văn Đông", "Nguyễn An", "Lê Thị Ấm", "Phan Dương", "Đỗ An"]
        )
    ]
    figures = figures_of(small_record(nominations=people), key)
    assert [p.name for p in figures.people] == [
        "Đỗ An",
        "Nguyễn An",
        "Lê Thị Ấm",
        "Phan Dương",
        "Trần Văn Đông",
    ]


@pytest.mark.parametrize(
    ("day", "decree"),
    [
        ("2023-12-31", "91/2017"),
        ("2024-01-01", "98/2023"),
        ("2025-06-30", "98/2023"),
        ("2025-07-01", "152/2025"),
    ],
)
def test_legal_bases_follow_the_documents_date(day: str, decree: str) -> None:
    from datetime import date  # noqa: PLC0415

    assert decree_on(date.fromisoformat(day)).startswith(decree)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "không"),
        (15, "mười lăm"),
        (21, "hai mươi mốt"),
        (105, "một trăm linh năm"),
        (26_000_000, "hai mươi sáu triệu"),
        (38_000_005, "ba mươi tám triệu không trăm linh năm"),
        (1_004_000_000, "một tỷ không trăm linh bốn triệu"),
        (2_155_000, "hai triệu một trăm năm mươi lăm nghìn"),
    ],
)
def test_numbers_are_written_in_words(number: int, words: str) -> None:
    assert vn.in_words(number) == words


def test_the_shipped_template_is_what_its_maker_makes() -> None:
    assert TEMPLATE.read_bytes() == template()
    check(TEMPLATE.read_bytes())


def test_an_uploaded_template_is_refused_with_the_names_it_asks_for(tmp_path: Path) -> None:
    made = python_docx.Document()
    made.add_paragraph("{{ title }} {{ nguoi_ky }} {{ so_hieu }}")
    made.save(str(tmp_path / "own.docx"))
    with pytest.raises(TemplateUnfitError) as refused:
        check((tmp_path / "own.docx").read_bytes())
    assert (refused.value.code, refused.value.names) == (
        "unknown_variables",
        ["nguoi_ky", "so_hieu"],
    )
    with pytest.raises(TemplateUnfitError) as refused:
        check(b"no file of words")
    assert refused.value.code == "unreadable"


def test_a_template_cannot_reach_beyond_its_words(tmp_path: Path) -> None:
    made = python_docx.Document()
    made.add_paragraph("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    made.save(str(tmp_path / "bad.docx"))
    with pytest.raises(TemplateUnfitError):
        check((tmp_path / "bad.docx").read_bytes())


def test_what_people_typed_stays_words_in_every_format() -> None:
    odd = '<b>&"</b> {{ 7*7 }} #set page() =1+1'
    figures = figures_of(small_record(nominations=[nomination(1, odd)]), key)
    (lists,) = (d for d in annual_documents(figures) if d.slug == "04-danh-sach-de-nghi")
    assert any(
        odd in cell for row in rows_of(docx(lists, figures.record.frozen.at)) for cell in row
    )
    assert "{{ 7*7 }} #set page() =1+1" in text_of(pdf(lists))


def test_a_score_sheet_says_what_does_not_apply() -> None:
    figures = figures_of(record_of(frozen_period("2023")), key)
    bloc = figures.blocs[1]
    line = next(
        line
        for line in bloc.lines
        if set(line.unit.traits) & {t for i in bloc.bloc.indicators for t in i.not_for}
    )
    words = text_of(pdf(score_sheet(figures, bloc, line, None)))
    assert "không áp dụng" in words
    assert "quy đổi theo thang 100" in words


@pytest.mark.parametrize(
    ("excluded", "people", "first"),
    [
        ((), 1, "Tặng giải thưởng cho 6 tập thể và Giấy khen cho 1 cá nhân có"),
        ((), 0, "Tặng giải thưởng cho 6 tập thể có"),
        (FEW, 1, "Tặng Giấy khen cho 1 cá nhân có"),
        (FEW, 0, "Không trao giải thưởng và Giấy khen trong"),
    ],
)
def test_a_draft_decision_gives_nothing_to_nobody(
    excluded: frozenset[str], people: int, first: str
) -> None:
    frozen = frozen_period("2023", SMALL, totals=TOTALS, excluded=tuple(excluded))
    record = record_of(
        frozen, SMALL, nominations=[nomination(n, "Lê Mẫu") for n in range(people)]
    )
    decision = next(d for d in annual_documents(figures_of(record, key)) if d.slug[:2] == "05")
    words = [block.text for block in decision.blocks if isinstance(block, Paragraph)]
    assert words[0].startswith(f"Điều 1. {first}")
    assert ("không kèm tiền thưởng" in " ".join(words)) == bool(excluded)
    assert " 0 " not in " ".join(words)
