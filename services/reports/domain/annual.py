"""The documents of an annual package: from the summary report to the draft decision."""

from collections.abc import Iterator

from services.reports.domain import tables, vietnamese as vn
from services.reports.domain.decisions import Decision, Item
from services.reports.domain.documents import (
    Block,
    Column,
    Document,
    Heading,
    Signer,
    Table,
    documents_of,
    new_document,
    paragraph,
    running_name,
)
from services.reports.domain.figures import BlocFigures, Figures, Line

OPTIONS = {"none": "không trao", "lower": "xét ở mức giải liền dưới", "unawarded": "không trao giải còn lại",
           "withhold": "không xét cá nhân của các đơn vị này", "grant": "vẫn xét cá nhân của các đơn vị này",
           "title": "công nhận, không kèm tiền thưởng", "settled": "đã thống nhất", "order": "xếp theo thứ tự",
           "people": "chọn các cá nhân"}  # fmt: skip
"""What each answer says on paper."""


def annual_documents(figures: Figures) -> Iterator[Document]:
    """All of them, in the order of the folder."""
    yield summary_report(figures)
    yield submission_letter(figures)
    yield minutes(figures)
    yield lists(figures)
    yield draft_decision(figures)
    yield budget(figures)
    yield exclusion_ledger(figures)
    yield decision_record(figures)
    if "achievements" in figures.record.options:
        for bloc in figures.blocs:
            for line in bloc.awarded:
                yield achievement_report(figures, bloc, line)


def about(figures: Figures) -> str:
    """`Phong trào thi đua … năm 2023`."""
    plan, period = figures.record.plan, vn.period(figures.record.frozen.period)
    title = plan.title.vi
    return title if period in title.casefold() else f"{title}, {period}"


def lower(text: str) -> str:
    """With a small first letter, for the middle of a sentence."""
    return text[:1].lower() + text[1:]


def summary_report(figures: Figures) -> Document:
    """What happened, who stands where, who gets what, and what is left open."""
    frozen = figures.record.frozen
    plan = figures.record.plan
    blocks: list[Block] = [
        Heading(text="I. Tình hình tổ chức"),
        paragraph(
            f"Thực hiện Kế hoạch số {plan.decision}, {sum(len(b.lines) for b in figures.blocs)} đơn vị thuộc "
            f"{len(figures.blocs)} khối tham gia thi đua từ {vn.day(plan.starts_on)} đến {vn.day(plan.ends_on)}. "
            f"Số liệu chốt lúc {vn.moment(frozen.at)}, "
            f"trên cơ sở {vn.number(frozen.events)} sự kiện đã ghi nhận."
        ),
        Heading(text="II. Kết quả xếp hạng"),
    ]
    for number, bloc in enumerate(figures.blocs, start=1):
        blocks += [
            Heading(text=f"{number}. Khối {lower(bloc.bloc.name.vi)}", level=2),
            paragraph(_in_short(bloc)),
            *tables.ranking(bloc, quarter=False),
        ]
    blocks += [
        Heading(text="III. Các trường hợp không xét thi đua"),
        *tables.exclusions(figures),
        Heading(text="IV. Đề nghị khen thưởng"),
        *tables.prizes(figures),
        *tables.unawarded(figures),
        *tables.adjustments(figures),
        *open_points(figures),
        paragraph(f"Trên đây là báo cáo tổng hợp kết quả {lower(about(figures))}"),
    ]
    return new_document(
        figures,
        "01-bao-cao-tong-hop",
        "BC",
        "BÁO CÁO",
        f"Tổng hợp kết quả {lower(about(figures))}",
        blocks,
        addressed=True,
    )


def _in_short(figures: BlocFigures) -> str:
    considered = len(figures.lines) - len(figures.excluded)
    proposed = (
        " (điểm từng tiêu chí là điểm đề xuất)" if figures.bloc.points_are == "proposed" else ""
    )
    best = figures.lines[0] if figures.lines else None
    leader = (
        "" if best is None else f" Điểm cao nhất: {vn.points(best.row.points)} ({best.name})."
    )
    return (
        f"{len(figures.lines)} đơn vị, {considered} đơn vị đủ điều kiện xét thi đua; "
        f"thang điểm {figures.bloc.scale}{proposed}.{leader}"
    )


def open_points(figures: Figures) -> list[Block]:
    """Why a document is still provisional; nothing when it is official."""
    if figures.record.official:
        return []
    gate = figures.record.gate
    lines = [paragraph(f"- {finding.vi}.") for finding in gate] or [
        paragraph("- Hồ sơ chưa được kiểm tra.")
    ]
    return [Heading(text="Lý do văn bản còn tạm tính"), *lines]


def _numbers(figures: Figures, collectives: str, people: str) -> list[str]:
    """How many collectives and how many individuals are proposed; nothing of those that are none."""
    units = sum(len(bloc.awarded) for bloc in figures.blocs)
    found = [f"{collectives}{units} tập thể"] if units else []
    return [*found, f"{people}{len(figures.people)} cá nhân"] if figures.people else found


def submission_letter(figures: Figures) -> Document:
    """To the chair, with the prize table."""
    whom = " và ".join(_numbers(figures, "", "")) or "các tập thể, cá nhân"
    blocks: list[Block] = [
        paragraph(
            f"Trên cơ sở kết quả {lower(about(figures))} và biên bản họp xét khen thưởng, "
            f"{_standing(figures)} kính đề nghị xem xét, khen thưởng {whom}, cụ thể như sau:"
        ),
        Heading(text="1. Tập thể", level=2),
        *tables.prizes(figures),
        *tables.unawarded(figures),
        Heading(text="2. Cá nhân", level=2),
        paragraph(
            f"{len(figures.people)} cá nhân theo danh sách kèm theo."
            if figures.people
            else "Chưa tổng hợp được cá nhân nào."
        ),
        paragraph("Kính trình xem xét, quyết định"),
    ]
    return new_document(
        figures,
        "02-to-trinh",
        "TTr",
        "TỜ TRÌNH",
        f"Về việc đề nghị khen thưởng {lower(about(figures))}",
        blocks,
        bases=True,
        addressed=True,
    )


def _standing(figures: Figures) -> str:
    plan = figures.record.plan
    return running_name(plan, documents_of(plan).standing.name)


def _head_of(title: str, office: str) -> str:
    """`Trưởng phòng Văn hóa và Thông tin`: the office's first word stands in the title already."""
    title = one_line(title).capitalize()
    first, _, rest = office.partition(" ")
    return f"{title} {rest if title.casefold().endswith(first.casefold()) else office}"


def one_line(name: str) -> str:
    """Without the line breaks of a document's head."""
    return " ".join(name.split())


def minutes(figures: Figures) -> Document:
    """Of the award meeting: what was decided, who was there."""
    decisions = figures.record.decisions
    present = {(p.name, p.office): None for d in decisions for p in d.present}
    blocks: list[Block] = [
        paragraph("Thời gian: …… giờ …… phút, ngày …… tháng …… năm ……"),
        Heading(text="I. Thành phần"),
        *(paragraph(f"- {name}, {office}.") for name, office in present),
        *([] if present else [paragraph("- ……………………………………")]),
        Heading(text="II. Nội dung"),
        paragraph(
            "Cuộc họp xem xét kết quả xếp hạng, các trường hợp không xét thi đua và các vấn đề kế hoạch chưa quy định."
        ),
        *_decided(figures),
        Heading(text="III. Kết quả xét"),
        *tables.prizes(figures),
        *tables.unawarded(figures),
        Heading(text="Danh sách cá nhân được giới thiệu", level=2),
        *tables.people(figures),
        paragraph("Biên bản được đọc lại, những người có mặt thống nhất"),
    ]
    signers = [
        Signer(capacity="THƯ KÝ", name=figures.record.signatures.secretary),
        Signer(capacity="CHỦ TRÌ", name=figures.record.signatures.head),
    ]
    return new_document(
        figures,
        "03-bien-ban-hop-xet",
        "BB",
        "BIÊN BẢN",
        f"Họp xét khen thưởng {lower(about(figures))}",
        blocks,
        signers=signers,
    )


def lists(figures: Figures) -> Document:
    """Collectives and individuals, as an annex of the letter."""
    blocks = [
        Heading(text="A. Tập thể"),
        *tables.prizes(figures),
        Heading(text="B. Cá nhân"),
        *tables.people(figures),
    ]
    return new_document(
        figures,
        "04-danh-sach-de-nghi",
        "",
        "DANH SÁCH",
        f"Tập thể, cá nhân đề nghị khen thưởng {lower(about(figures))}",
        blocks,
    )


def draft_decision(figures: Figures) -> Document:
    """What the chair would sign."""
    shared = documents_of(figures.record.plan)
    given = " và ".join(_numbers(figures, "giải thưởng cho ", "Giấy khen cho "))
    annex = " (danh sách cá nhân kèm theo)" if figures.people else ""
    within = f"trong {lower(about(figures))}"
    cost = (
        f"Tổng số tiền thưởng là {vn.money(figures.money)} ({vn.money_in_words(figures.money).lower()}), "
        "chi từ quỹ thi đua, khen thưởng theo quy định."
        if figures.money
        else "Quyết định này không kèm tiền thưởng."
    )
    blocks: list[Block] = [
        paragraph(
            f"Điều 1. Tặng {given} có thành tích xuất sắc {within}{annex}, cụ thể:"
            if given
            else f"Điều 1. Không trao giải thưởng và Giấy khen {within}."
        ),
        *tables.prizes(figures),
        paragraph(f"Điều 2. {cost}"),
        paragraph(
            "Điều 3. Thủ trưởng các cơ quan, đơn vị liên quan và các tập thể, cá nhân có tên tại Điều 1 "
            "chịu trách nhiệm thi hành Quyết định này kể từ ngày ký"
        ),
    ]
    return new_document(
        figures,
        "05-du-thao-quyet-dinh",
        "QĐ",
        "QUYẾT ĐỊNH",
        f"Về việc khen thưởng {lower(about(figures))}",
        blocks,
        bases=True,
        by_chair=True,
        authority=f"{shared.chair.signs_as} {one_line(shared.chair.name)}",
        proposed_by=_head_of(shared.standing.signs_as, _standing(figures)),
        opening="QUYẾT ĐỊNH:",
    )


def budget(figures: Figures) -> Document:
    """What the prizes cost."""
    return new_document(
        figures,
        "06-du-toan-kinh-phi",
        "",
        "DỰ TOÁN",
        f"Kinh phí khen thưởng {lower(about(figures))}",
        tables.budget(figures),
    )


def exclusion_ledger(figures: Figures) -> Document:
    """Who is not considered, and why."""
    return new_document(
        figures,
        "07-so-khong-xet-thi-dua",
        "",
        "BẢNG KÊ",
        f"Các trường hợp không xét thi đua, {vn.period(figures.record.frozen.period)}",
        [
            *tables.exclusions(figures),
            Heading(text="Cận mức không xét"),
            *tables.near_exclusions(figures),
        ],
    )


def decision_record(figures: Figures) -> Document:
    """Each open point: candidates, criteria with their values, what was decided, by whom, why."""
    return new_document(
        figures,
        "08-cac-van-de-da-quyet-dinh",
        "",
        "BẢNG GHI",
        "Các vấn đề kế hoạch chưa quy định và cách giải quyết",
        _decided(figures),
    )


def _decided(figures: Figures) -> list[Block]:
    by_key = {decision.key: decision for decision in figures.record.decisions}
    blocks: list[Block] = []
    for bloc in figures.blocs:
        for item in bloc.outcome.items if bloc.outcome is not None else ():
            blocks += _item(figures, bloc, item, by_key.get(item.key))
    return blocks or [
        paragraph("Không có vấn đề nào phải quyết định ngoài quy định của kế hoạch.")
    ]


def _item(
    figures: Figures, bloc: BlocFigures, item: Item, decision: Decision | None
) -> list[Block]:
    blocks: list[Block] = [
        Heading(text=f"{bloc.bloc.name.vi}: {item.text.vi.rstrip('.')}", level=2)
    ]
    if item.candidates:
        blocks.append(_candidates(figures, item))
    if decision is None or not item.settled:
        state = "chờ người thứ hai xác nhận" if decision is not None else "chưa quyết định"
        return [*blocks, paragraph(f"Kết quả: {state}.", "italic")]
    answer = OPTIONS.get(decision.choice.choice, decision.choice.choice)
    order = ""
    if decision.choice.choice == "order":
        order = ": " + "; ".join(figures.name_of(unit) for unit in decision.choice.order)
    elif decision.choice.choice == "people":
        names = {person.id: person.name for person in figures.people}
        order = ": " + "; ".join(names.get(one, one) for one in decision.choice.order)
    return [
        *blocks,
        paragraph(f"Kết quả: {answer}{order}. Lý do: {decision.reason.rstrip('.')}."),
        paragraph(
            f"Ghi nhận lúc {vn.moment(decision.at)}; người thứ hai xác nhận lúc "
            f"{vn.moment(decision.confirmed_at or decision.at)}."
        ),
    ]


def _candidates(figures: Figures, item: Item) -> Table:
    columns = [
        Column(title="Đơn vị", width=40),
        Column(title="Điểm", width=15, align="right"),
        *(Column(title=code, width=12, align="right") for code in item.criteria),
    ]
    rows = [
        [
            figures.name_of(one.unit),
            vn.points(one.points),
            *(vn.points(one.indicators.get(code, 0)) for code in item.criteria),
        ]
        for one in item.candidates
    ]
    return Table(columns=columns, rows=rows[:100])


def achievement_report(figures: Figures, bloc: BlocFigures, line: Line) -> Document:
    """What one awarded unit achieved, from its figures."""
    best = sorted(
        ((code, pair) for code, pair in line.row.indicators.items()),
        key=lambda found: (-found[1][0], found[0]),
    )[:8]
    names = {indicator.code: indicator.name.vi for indicator in bloc.bloc.indicators}
    blocks: list[Block] = [
        Heading(text="I. Kết quả chung"),
        paragraph(
            f"{line.name} đạt {vn.points(line.row.points)}/{bloc.bloc.scale} điểm, xếp hạng {line.rank} trong "
            f"{len(bloc.lines)} đơn vị của khối, được đề nghị {lower(award_name(line))}."
        ),
        Heading(text="II. Các tiêu chí nổi bật"),
        *(
            paragraph(f"- {names.get(code, code).rstrip('.')}: {vn.points(pair[0])} điểm.")
            for code, pair in best
        ),
        paragraph("Trên đây là báo cáo thành tích đề nghị khen thưởng"),
    ]
    return new_document(
        figures,
        f"thanh-tich/{line.unit.code}",
        "",
        "BÁO CÁO THÀNH TÍCH",
        f"Đề nghị khen thưởng {line.name}",
        blocks,
    )


def award_name(line: Line) -> str:
    """The award in words."""
    return "khen thưởng" if line.award is None else line.award.name.vi
