"""The tables that several documents of a package share."""

from services.reports.domain import vietnamese as vn
from services.reports.domain.documents import (
    ROWS_SHOWN,
    Bar,
    Block,
    Chart,
    Column,
    Heading,
    Table,
    award_words,
    paragraph,
)
from services.reports.domain.figures import BlocFigures, Figures, Line
from services.reports.domain.record import CATEGORIES

POINTS = 10_000
BARS_SHOWN = 30


def shortened(table: Table, all_rows: int) -> list[Block]:
    """A table, and where to find the rest of it when it is cut."""
    if all_rows <= ROWS_SHOWN:
        return [table]
    note = (
        f"Bảng trên nêu {ROWS_SHOWN} dòng đầu trong {vn.number(all_rows)} dòng; "
        "toàn bộ có trong tệp bảng tính kèm theo"
    )
    return [table, paragraph(note, "italic")]


def ranking(figures: BlocFigures, *, quarter: bool) -> list[Block]:
    """Who stands where."""
    last = (
        Column(title="So với quý trước", width=12, align="center")
        if quarter
        else Column(title="Kết quả", width=24)
    )
    columns = [
        Column(title="Hạng", width=8, align="center"),
        Column(title="Đơn vị", width=36),
        Column(title="Điểm", width=12, align="right"),
        Column(title="Đã thẩm định", width=12, align="right"),
        Column(title="Hạng xét thi đua", width=12, align="center"),
        last,
    ]
    rows = [
        [
            str(line.rank),
            line.name,
            vn.points(line.row.points),
            vn.points(line.row.verified_points),
            "Không xét" if line.place is None else str(line.place),
            movement(line) if quarter else award_words(line),
        ]
        for line in figures.lines[:ROWS_SHOWN]
    ]
    return shortened(Table(columns=columns, rows=rows), len(figures.lines))


def movement(line: Line) -> str:
    """`▲2`, `▼1`, `=`; a dash when there is nothing to compare with."""
    if line.before is None:
        return vn.DASH
    change = line.before - line.rank
    if change == 0:
        return "="
    return f"tăng {change}" if change > 0 else f"giảm {-change}"


def chart(figures: BlocFigures, title: str) -> Chart:
    """Totals of the leading units against the bloc's scale."""
    bars = [
        Bar(label=line.name, value=line.row.points, text=vn.points(line.row.points))
        for line in figures.lines[:BARS_SHOWN]
    ]
    return Chart(title=title, bars=bars, full=figures.bloc.scale * POINTS)


def exclusions(figures: Figures) -> list[Block]:
    """The ledger: who, by which rule, in which month, because of what."""
    rows: list[list[str]] = []
    for bloc in figures.blocs:
        names = {rule.code: (rule.name.vi, rule.clause) for rule in bloc.bloc.exclusions}
        for line in bloc.excluded:
            for found in line.exclusions:
                name, clause = names.get(found.rule, (found.rule, ""))
                cause = ", ".join(found.facts[:5]) or "chưa nhận được báo cáo"
                more = f" và {len(found.facts) - 5} hồ sơ khác" if len(found.facts) > 5 else ""  # noqa: PLR2004
                rows.append(
                    [
                        str(len(rows) + 1),
                        line.name,
                        f"{name} ({clause})",
                        vn.period(found.month).removeprefix("tháng "),
                        str(found.count),
                        f"{cause}{more}",
                    ]
                )
    if not rows:
        return [paragraph("Không có đơn vị nào thuộc trường hợp không xét thi đua.")]
    columns = [
        Column(title="TT", width=7, align="center"),
        Column(title="Đơn vị", width=22),
        Column(title="Trường hợp", width=30),
        Column(title="Tháng", width=14, align="center"),
        Column(title="Số hồ sơ hoặc số ngày", width=12, align="center"),
        Column(title="Căn cứ", width=26),
    ]
    return shortened(Table(columns=columns, rows=rows[:ROWS_SHOWN]), len(rows))


def near_exclusions(figures: Figures) -> list[Block]:
    """Who came close."""
    names = {r.code: r.name.vi for b in figures.record.plan.blocs for r in b.exclusions}
    rows = [
        [
            figures.name_of(one.unit),
            names.get(one.rule, one.rule),
            vn.period(one.month).removeprefix("tháng "),
            f"{one.count}/{one.limit}",
        ]
        for one in figures.record.frozen.near
    ]
    if not rows:
        return [paragraph("Không có đơn vị nào cận mức không xét thi đua.")]
    columns = [
        Column(title="Đơn vị", width=30),
        Column(title="Quy định", width=40),
        Column(title="Tháng", width=16, align="center"),
        Column(title="Đã có/mức", width=12, align="center"),
    ]
    return shortened(Table(columns=columns, rows=rows[:ROWS_SHOWN]), len(rows))


def prizes(figures: Figures) -> list[Block]:
    """The prize table with totals, bloc by bloc."""
    columns = [
        Column(title="TT", width=7, align="center"),
        Column(title="Đơn vị", width=30),
        Column(title="Giải", width=24),
        Column(title="Tiền thưởng", width=18, align="right"),
        Column(title="Điểm KT-XH", width=11, align="center"),
        Column(title="Cá nhân", width=10, align="center"),
    ]
    rows: list[list[str]] = []
    for bloc in figures.blocs:
        for line in bloc.awarded:
            rows.append(
                [
                    str(len(rows) + 1),
                    line.name,
                    award_words(line),
                    vn.money(line.money),
                    f"+{line.bonus}" if line.bonus else vn.DASH,
                    str(line.individuals) if line.individuals else vn.DASH,
                ]
            )
    if not rows:
        return [paragraph("Không có tập thể nào được đề nghị khen thưởng.")]
    rows.append(["", "Cộng", "", vn.money(figures.money), "", ""])
    words = f"Bằng chữ: {vn.money_in_words(figures.money)}"
    return [Table(columns=columns, rows=rows, totals=1), paragraph(words, "italic")]


def unawarded(figures: Figures) -> list[Block]:
    """Prizes that stay with nobody, and those that wait for a decision."""
    found: list[Block] = []
    for bloc in figures.blocs:
        if bloc.outcome is None:
            continue
        names = {award.code: award.name.vi for award in bloc.bloc.awards}
        if bloc.outcome.unawarded:
            spare = ", ".join(names[code] for code in bloc.outcome.unawarded)
            found.append(
                paragraph(
                    f"{bloc.bloc.name.vi}: giải không trao vì không đủ đơn vị đạt mức điểm: {spare}."
                )
            )
        waiting = [names[code] for codes in bloc.outcome.contested.values() for code in codes]
        if waiting:
            found.append(
                paragraph(f"{bloc.bloc.name.vi}: giải chờ quyết định: {', '.join(waiting)}.")
            )
    return found


def budget(figures: Figures) -> list[Block]:
    """Prizes by award: how many, how much each, how much together."""
    columns = [
        Column(title="Nội dung", width=46),
        Column(title="Số lượng", width=12, align="right"),
        Column(title="Mức thưởng", width=20, align="right"),
        Column(title="Thành tiền", width=22, align="right"),
    ]
    rows = [
        [f"{award} {vn.DASH} {bloc}", str(count), vn.money(each), vn.money(count * each)]
        for bloc, award, count, each in budget_lines(figures)
    ]
    rows.append(["Tổng cộng", "", "", vn.money(figures.money)])
    words = f"Bằng chữ: {vn.money_in_words(figures.money)}"
    return [Table(columns=columns, rows=rows, totals=1), paragraph(words, "italic")]


def budget_lines(figures: Figures) -> list[tuple[str, str, int, int]]:
    """(bloc, award, how many, đồng each) of every prize that brings money."""
    return [
        (
            bloc.bloc.name.vi,
            award.name.vi,
            sum(
                line.award is not None and line.award.code == award.code for line in bloc.lines
            ),
            award.prize.money,
        )
        for bloc in figures.blocs
        for award in bloc.bloc.awards
        if award.prize.money
    ]


def people(figures: Figures) -> list[Block]:
    """The individuals, with what they did."""
    if not figures.people:
        return [paragraph("Chưa có cá nhân nào được tổng hợp.")]
    columns = [
        Column(title="TT", width=7, align="center"),
        Column(title="Họ và tên", width=22),
        Column(title="Chức vụ, đơn vị", width=28),
        Column(title="Đối tượng", width=16),
        Column(title="Thành tích", width=30),
        Column(title="Phiếu", width=10, align="center"),
    ]
    rows = [
        [
            str(number),
            person.name,
            ", ".join(filter(None, (person.position, figures.name_of(person.unit)))),
            CATEGORIES[person.category],
            person.achievement,
            f"{person.votes_for}/{person.votes_total}",
        ]
        for number, person in enumerate(figures.people[:ROWS_SHOWN], start=1)
    ]
    return shortened(Table(columns=columns, rows=rows), len(figures.people))


def adjustments(figures: Figures) -> list[Block]:
    """What corrections would have changed in periods that are frozen."""
    found = figures.record.frozen.adjustments
    if not found:
        return []
    columns = [
        Column(title="Kỳ đã chốt", width=20),
        Column(title="Đơn vị", width=36),
        Column(title="Điểm đã chốt", width=16, align="right"),
        Column(title="Điểm sau điều chỉnh", width=16, align="right"),
        Column(title="Xét thi đua", width=16),
    ]
    rows = [
        [
            vn.period(one.period),
            figures.name_of(one.unit),
            vn.points(one.points_before),
            vn.points(one.points_after),
            "không đổi" if one.eligible_before == one.eligible_after else "thay đổi",
        ]
        for one in found[:ROWS_SHOWN]
    ]
    intro = "Số liệu đến sau khi chốt kỳ trước không làm thay đổi kết quả đã chốt; phần chênh lệch được nêu để theo dõi"
    return [
        Heading(text="Điều chỉnh so với các kỳ đã chốt"),
        paragraph(intro + "."),
        *shortened(Table(columns=columns, rows=rows), len(found)),
    ]
