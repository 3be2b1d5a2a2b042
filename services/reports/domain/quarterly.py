"""The documents of a quarterly package: where everybody stands, how digital skills spread, what to do next."""

from collections.abc import Iterator

from services.reports.domain import tables, vietnamese as vn
from services.reports.domain.annual import about, lower, open_points
from services.reports.domain.documents import (
    ROWS_SHOWN,
    Block,
    Column,
    Document,
    Heading,
    Table,
    new_document,
    paragraph,
)
from services.reports.domain.figures import BlocFigures, Figures, Line

NEXT_STEPS = 2
"""Indicators named for each unit: those with most points left."""
POINTS = 10_000


def quarterly_documents(figures: Figures) -> Iterator[Document]:
    """All of them, in the order of the folder."""
    yield quarter_report(figures)
    yield commendation_letter(figures)
    yield next_steps(figures)


def quarter_report(figures: Figures) -> Document:
    """Ranking of the blocs, digital skills, products, movement, exclusions, proposals."""
    blocks: list[Block] = [Heading(text="I. Kết quả xếp hạng")]
    for number, bloc in enumerate(figures.blocs, start=1):
        name = lower(bloc.bloc.name.vi)
        blocks += [
            Heading(text=f"{number}. Khối {name}", level=2),
            tables.chart(bloc, f"Điểm của khối {name} trên thang {bloc.bloc.scale}"),
            *tables.ranking(bloc, quarter=True),
        ]
    blocks += [
        Heading(text="II. Phổ cập kỹ năng số theo xã và ấp"),
        *digital_skills(figures),
        Heading(text="III. Sản phẩm, mô hình của địa phương trong quý"),
        *products(figures),
        Heading(text="IV. Không xét thi đua và cận mức không xét"),
        *tables.exclusions(figures),
        *tables.near_exclusions(figures),
        Heading(text="V. Đề xuất biểu dương"),
        *commendations(figures),
        *tables.adjustments(figures),
        *open_points(figures),
        paragraph(
            f"Trên đây là báo cáo kết quả thi đua {vn.period(figures.record.frozen.period)}"
        ),
    ]
    return new_document(
        figures,
        "01-bao-cao-quy",
        "BC",
        "BÁO CÁO",
        f"Kết quả thi đua {vn.period(figures.record.frozen.period)}, {lower(about(figures)).partition(',')[0]}",
        blocks,
        addressed=True,
    )


def commendation_letter(figures: Figures) -> Document:
    """The proposal of commendations, to the chair."""
    blocks: list[Block] = [
        paragraph(
            "Căn cứ kết quả xếp hạng quý, kính đề nghị xem xét biểu dương các tập thể sau:"
        ),
        *commendations(figures),
        paragraph("Kính trình xem xét, quyết định"),
    ]
    return new_document(
        figures,
        "02-to-trinh-bieu-duong",
        "TTr",
        "TỜ TRÌNH",
        f"Về việc biểu dương tập thể có kết quả thi đua tốt {vn.period(figures.record.frozen.period)}",
        blocks,
        bases=True,
        addressed=True,
    )


def next_steps(figures: Figures) -> Document:
    """For each unit the indicators with most points left to win."""
    blocks: list[Block] = []
    for bloc in figures.blocs:
        rows = [
            [
                line.name,
                vn.points(line.row.points),
                "; ".join(todo(bloc, line)) or "Giữ kết quả",
            ]
            for line in bloc.lines[:ROWS_SHOWN]
        ]
        columns = [
            Column(title="Đơn vị", width=26),
            Column(title="Điểm", width=10, align="right"),
            Column(title="Việc cần làm trước", width=64),
        ]
        table = Table(columns=columns, rows=rows)
        blocks += [
            Heading(text=f"Khối {lower(bloc.bloc.name.vi)}"),
            *tables.shortened(table, len(bloc.lines)),
        ]
    return new_document(
        figures,
        "03-viec-can-lam",
        "",
        "BẢNG KÊ",
        f"Việc các đơn vị cần làm sau {vn.period(figures.record.frozen.period)}",
        blocks,
    )


def todo(figures: BlocFigures, line: Line) -> list[str]:
    """The indicators in which the unit leaves most points, in words."""
    left = [
        (int(indicator.points * POINTS) - line.row.indicators[indicator.code][0], indicator)
        for indicator in figures.bloc.scored
        if indicator.code in line.row.indicators
    ]
    worst = sorted((one for one in left if one[0] > 0), key=lambda one: (-one[0], one[1].code))
    return [
        f"{indicator.code} {vn.DASH} {_short(indicator.name.vi)} (còn {vn.points(points)} điểm)"
        for points, indicator in worst[:NEXT_STEPS]
    ]


def _short(text: str, most: int = 90) -> str:
    text = text.rstrip(".")
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0]} …"


def digital_skills(figures: Figures) -> list[Block]:
    """Hamlets under their communes: who reached how far."""
    groups: dict[str, list[Line]] = {}
    scale = 0
    for bloc in figures.blocs:
        for line in bloc.lines:
            if line.unit.parent is not None:
                groups.setdefault(line.unit.parent, []).append(line)
                scale = bloc.bloc.scale
    if not groups:
        return [paragraph("Kế hoạch không có khối trực thuộc xã.")]
    rows = []
    for bloc in figures.blocs:
        for line in bloc.lines:
            own = groups.get(line.unit.code)
            if own is None:
                continue
            mean = sum(one.row.points for one in own) // len(own)
            best, worst = max(own, key=_points), min(own, key=_points)
            rows.append(
                (
                    -mean,
                    [
                        line.name,
                        str(len(own)),
                        vn.points(mean),
                        f"{_plain(best)} ({vn.points(best.row.points)})",
                        f"{_plain(worst)} ({vn.points(worst.row.points)})",
                    ],
                )
            )
    columns = [
        Column(title="Xã, thị trấn", width=26),
        Column(title="Số ấp", width=8, align="right"),
        Column(title="Điểm bình quân", width=14, align="right"),
        Column(title="Ấp cao nhất", width=26),
        Column(title="Ấp thấp nhất", width=26),
    ]
    ordered = [row for _, row in sorted(rows, key=lambda one: one[0])]
    table = Table(columns=columns, rows=ordered[:ROWS_SHOWN])
    intro = f"Điểm kỹ năng số của ấp theo thang {scale}, bình quân theo xã, thị trấn."
    return [paragraph(intro), *tables.shortened(table, len(ordered))]


def _points(line: Line) -> int:
    return line.row.points


def _plain(line: Line) -> str:
    """A hamlet's name without its commune in brackets."""
    return line.name.partition(" (")[0]


def products(figures: Figures) -> list[Block]:
    """Which products or models each locality showed: indicators that count one a quarter."""
    found: list[Block] = []
    for bloc in figures.blocs:
        for indicator in bloc.bloc.indicators:
            measure = indicator.parts[0].measure
            if measure.kind != "capped" or measure.per != "quarter":
                continue
            rows = []
            for line in bloc.lines[:ROWS_SHOWN]:
                shown, wanted = line.row.counters.get(indicator.code, (0, 0))
                rows.append(
                    [line.name, _named(line, indicator.code, shown), f"{shown}/{wanted}"]
                )
            columns = [
                Column(title="Đơn vị", width=26),
                Column(title="Sản phẩm, mô hình", width=60),
                Column(title="Đã có/ yêu cầu", width=14, align="center"),
            ]
            found += [
                paragraph(f"{indicator.code} {vn.DASH} {indicator.name.vi}"),
                *tables.shortened(Table(columns=columns, rows=rows), len(bloc.lines)),
            ]
    return found or [paragraph("Kế hoạch không có tiêu chí về sản phẩm, mô hình theo quý.")]


def _named(line: Line, indicator: str, counted: int) -> str:
    """The names of what a locality showed, in the order of their days."""
    names = [
        thing.name if thing.verified else f"{thing.name} (chưa thẩm định)"
        for thing in line.shown
        if thing.indicator == indicator
    ]
    if names:
        return "; ".join(names)
    return "không nêu tên" if counted else "chưa có"


def commendations(figures: Figures) -> list[Block]:
    """The best of each bloc that are not excluded, ties included: a proposal, not a prize."""
    rows = [
        [bloc.bloc.name.vi, str(line.place), line.name, vn.points(line.row.points)]
        for bloc in figures.blocs
        for line in bloc.commended
    ]
    if not rows:
        return [paragraph("Quý này chưa có tập thể nào đủ điều kiện để đề xuất.")]
    columns = [
        Column(title="Khối", width=30),
        Column(title="Hạng", width=10, align="center"),
        Column(title="Tập thể", width=40),
        Column(title="Điểm", width=16, align="right"),
    ]
    note = "Kế hoạch không quy định mức thưởng hằng quý; hình thức do người có thẩm quyền quyết định."
    return [Table(columns=columns, rows=rows), paragraph(note)]
