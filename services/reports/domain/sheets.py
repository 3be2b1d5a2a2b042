"""The score sheet of one unit: every indicator with its figure, its points, its evidence."""

from collections.abc import Iterator

from contracts.evidence import UnitEvidence
from contracts.plan import Indicator
from services.reports.domain import vietnamese as vn
from services.reports.domain.documents import (
    Block,
    Column,
    Document,
    Heading,
    Table,
    award_words,
    new_document,
    paragraph,
)
from services.reports.domain.figures import BlocFigures, Figures, Line

FILES_SHOWN = 60


def score_sheets(figures: Figures) -> Iterator[Document]:
    """One for each unit, one at a time."""
    evidence = {one.unit: one for one in figures.record.evidence}
    for bloc in figures.blocs:
        for line in bloc.lines:
            yield score_sheet(figures, bloc, line, evidence.get(line.unit.code))


def score_sheet(
    figures: Figures, bloc: BlocFigures, line: Line, evidence: UnitEvidence | None
) -> Document:
    """A unit's sheet."""
    blocks: list[Block] = [
        paragraph(
            f"Tổng điểm: {vn.points(line.row.points)}/{bloc.bloc.scale}; đã thẩm định: "
            f"{vn.points(line.row.verified_points)}. Xếp hạng {line.rank}/{len(bloc.lines)}. "
            f"Kết quả: {award_words(line)}."
        ),
        *_exclusions(bloc, line),
        _indicators(bloc, line, evidence),
        *_notes(bloc, line),
        *_files(evidence),
    ]
    return new_document(
        figures,
        f"phieu-diem/{line.unit.code}",
        "",
        "PHIẾU ĐIỂM",
        f"{line.name}, {vn.period(figures.record.frozen.period)}",
        blocks,
    )


def _exclusions(bloc: BlocFigures, line: Line) -> list[Block]:
    names = {rule.code: rule.name.vi for rule in bloc.bloc.exclusions}
    return [
        paragraph(
            f"Không xét thi đua: {names.get(one.rule, one.rule)}, {vn.period(one.month)} "
            f"({one.count}). Điểm không thay đổi.",
            "bold",
        )
        for one in line.exclusions
    ]


def _indicators(bloc: BlocFigures, line: Line, evidence: UnitEvidence | None) -> Table:
    files: dict[str, int] = {}
    for one in evidence.files if evidence is not None else ():
        files[one.indicator] = files.get(one.indicator, 0) + 1
    rows = [_row(line, indicator, files) for indicator in bloc.bloc.indicators]
    total = [
        "",
        "Cộng",
        "",
        vn.points(line.row.points),
        vn.points(line.row.verified_points),
        "",
    ]
    columns = [
        Column(title="Mã", width=7, align="center"),
        Column(title="Tiêu chí", width=52),
        Column(title="Số liệu", width=11, align="right"),
        Column(title="Điểm", width=11, align="right"),
        Column(title="Đã thẩm định", width=11, align="right"),
        Column(title="Minh chứng", width=8, align="center"),
    ]
    return Table(columns=columns, rows=[*rows, total], totals=1)


def _row(line: Line, indicator: Indicator, files: dict[str, int]) -> list[str]:
    count = str(files.get(indicator.code, 0) or vn.DASH)
    top, bottom = line.row.counters.get(indicator.code, (0, 0))
    figure = f"{vn.number(top)}/{vn.number(bottom)}" if top or bottom else vn.DASH
    if indicator.code not in line.row.indicators:
        return [indicator.code, indicator.name.vi, "không áp dụng", vn.DASH, vn.DASH, count]
    if indicator.tracked_only:
        return [indicator.code, indicator.name.vi, figure, "theo dõi", vn.DASH, count]
    points, verified = line.row.indicators[indicator.code]
    full = vn.points(int(indicator.points * 10_000)).removesuffix(",00")
    return [
        indicator.code,
        indicator.name.vi,
        figure,
        f"{vn.points(points)}/{full}",
        vn.points(verified),
        count,
    ]


def _notes(bloc: BlocFigures, line: Line) -> list[Block]:
    missing = [i.code for i in bloc.bloc.scored if i.code not in line.row.indicators]
    notes: list[Block] = [
        paragraph(
            "Điểm cắt ở hai số lẻ, không làm tròn lên; tổng cộng từ điểm đầy đủ bốn số lẻ.",
            "italic",
        )
    ]
    if missing:
        codes = ", ".join(missing)
        notes.append(
            paragraph(
                f"Tiêu chí {codes} không áp dụng cho đơn vị; điểm các tiêu chí còn lại được quy đổi theo thang "
                f"{bloc.bloc.scale}.",
                "italic",
            )
        )
    return notes


def _files(evidence: UnitEvidence | None) -> list[Block]:
    if evidence is None or not evidence.files:
        return []
    rows = [
        [
            one.indicator,
            vn.period(one.month).removeprefix("tháng "),
            one.media_type,
            vn.number(one.size),
            one.sha256[:16],
        ]
        for one in evidence.files[:FILES_SHOWN]
    ]
    columns = [
        Column(title="Tiêu chí", width=12, align="center"),
        Column(title="Tháng", width=18, align="center"),
        Column(title="Loại tệp", width=34),
        Column(title="Dung lượng (byte)", width=16, align="right"),
        Column(title="Mã SHA-256 (đầu)", width=20),
    ]
    return [Heading(text="Mục lục minh chứng"), Table(columns=columns, rows=rows)]
