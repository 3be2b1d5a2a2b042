"""What pages call states, steps, options, documents; and what an option would change, in a sentence."""

from services.reports.domain import vietnamese as vn
from services.reports.domain.awards import Outcome, derive
from services.reports.domain.decisions import Choice, Item, in_force
from services.reports.domain.figures import candidates_of
from services.reports.domain.record import Finding, Record
from services.runtime.web.i18n import Words


def fault_text(name: str, words: Words) -> str:
    """What is wrong with a field of a form."""
    texts = {
        "reason": words.gettext("Hãy ghi lý do, ít nhất 10 ký tự."),
        "present": words.gettext(
            "Hãy ghi ít nhất một người có mặt: họ tên và chức vụ, cơ quan."
        ),
        "name": words.gettext("Hãy ghi họ và tên."),
        "achievement": words.gettext("Hãy ghi thành tích, từ 10 đến 1.000 ký tự."),
        "category": words.gettext("Hãy chọn đối tượng."),
        "votes_for": words.gettext("Hãy ghi số phiếu tán thành bằng chữ số."),
        "votes_total": words.gettext("Hãy ghi tổng số phiếu bằng chữ số."),
    }
    return texts.get(name, words.gettext("Hãy chọn một phương án."))


def state_name(state: str, words: Words) -> str:
    """A package's state."""
    names = {
        "draft": words.gettext("Dự thảo"),
        "checked": words.gettext("Đã kiểm tra"),
        "signed": words.gettext("Đã ký"),
        "published": words.gettext("Đã công bố"),
    }
    return names[state]


def period_state(state: str, words: Words) -> str:
    """How far a period is from being closed."""
    names = {
        "runs": words.gettext("Đang diễn ra"),
        "ended": words.gettext("Đã kết thúc, chưa chốt"),
        "asked": words.gettext("Đang chốt"),
        "closed": words.gettext("Đã chốt"),
    }
    return names[state]


def action_name(action: str, words: Words) -> str:
    """A step in a package's history."""
    names = {
        "checked": words.gettext("Kiểm tra, xác nhận đủ điều kiện"),
        "signed": words.gettext("Ký"),
        "published": words.gettext("Công bố"),
        "returned": words.gettext("Trả lại"),
    }
    return names.get(action, action)


def failure_text(code: str, words: Words) -> str:
    """Why an archive could not be built, and what to do."""
    if code == "killed":
        return words.gettext(
            "Chương trình dựng bị dừng giữa chừng nhiều lần, thường vì máy chủ thiếu bộ nhớ. "
            "Không mất dữ liệu nào. Hãy dựng lại; nếu vẫn lỗi, hãy báo người quản trị."
        )
    return words.gettext(
        "Chương trình dựng gặp lỗi; nhật ký của máy chủ ghi rõ lỗi nào. Không mất dữ liệu nào. "
        "Nếu vừa đổi mẫu văn bản, hãy xem lại mẫu; nếu không, hãy báo người quản trị rồi dựng lại."
    )


def option_name(option: str, words: Words) -> str:
    """An answer that may be chosen."""
    names = {
        "none": words.gettext("Không trao giải"),
        "lower": words.gettext("Xét ở mức giải liền dưới"),
        "unawarded": words.gettext("Không trao giải còn lại"),
        "withhold": words.gettext("Không xét cá nhân của các đơn vị này"),
        "grant": words.gettext("Vẫn xét cá nhân của các đơn vị này"),
        "title": words.gettext("Công nhận, không kèm tiền thưởng"),
        "settled": words.gettext("Đã thống nhất, ghi trong lý do"),
        "order": words.gettext("Xếp thứ tự các đơn vị"),
        "people": words.gettext("Chọn các cá nhân"),
    }
    return names.get(option, option)


def category_name(category: str, words: Words) -> str:
    """Which group of people somebody belongs to."""
    names = {
        "official": words.gettext("Cán bộ, công chức, viên chức"),
        "part_time": words.gettext("Người hoạt động không chuyên trách"),
        "resident": words.gettext("Người dân"),
        "business": words.gettext("Doanh nghiệp, hợp tác xã, hộ kinh doanh"),
    }
    return names[category]


def part_name(part: str, words: Words) -> str:
    """One document of a unit's award dossier."""
    names = {
        "letter": words.gettext("Tờ trình"),
        "minutes": words.gettext("Biên bản họp xét"),
        "list": words.gettext("Danh sách đề nghị"),
    }
    return names[part]


def document_name(slug: str, words: Words) -> str:
    """A document by its file name."""
    names = {
        "01-bao-cao-tong-hop": words.gettext("Báo cáo tổng hợp"),
        "02-to-trinh": words.gettext("Tờ trình khen thưởng"),
        "03-bien-ban-hop-xet": words.gettext("Biên bản họp xét khen thưởng"),
        "04-danh-sach-de-nghi": words.gettext("Danh sách tập thể, cá nhân"),
        "05-du-thao-quyet-dinh": words.gettext("Dự thảo quyết định"),
        "06-du-toan-kinh-phi": words.gettext("Dự toán kinh phí"),
        "07-so-khong-xet-thi-dua": words.gettext("Sổ không xét thi đua"),
        "08-cac-van-de-da-quyet-dinh": words.gettext("Các vấn đề đã quyết định"),
        "01-bao-cao-quy": words.gettext("Báo cáo quý"),
        "02-to-trinh-bieu-duong": words.gettext("Tờ trình biểu dương"),
        "03-viec-can-lam": words.gettext("Việc các đơn vị cần làm"),
    }
    if slug.startswith("thanh-tich/"):
        return words.gettext("Báo cáo thành tích") + f" {slug.removeprefix('thanh-tich/')}"
    return names.get(slug, slug)


def finding_text(finding: Finding, words: Words) -> str:
    """What keeps a package provisional."""
    return finding.vi if words.lang == "vi" else finding.en


def item_text(item: Item, words: Words) -> str:
    """A question in the plan's words."""
    return item.text.vi if words.lang == "vi" else item.text.en


def effect(record: Record, item: Item, option: str) -> list[str]:
    """What an option would change, against leaving the question open."""
    bloc = record.plan.bloc(item.bloc)
    if bloc is None:
        return []
    choices = {
        key: choice for key, choice in in_force(record.decisions).items() if key != item.key
    }
    candidates = candidates_of(record, bloc.code)
    before = derive(bloc, candidates, choices)
    after = derive(bloc, candidates, choices | {item.key: Choice(choice=option)})
    names = {award.code: award.name.vi for award in bloc.awards}
    return _changes(record, before, after, names)


def _changes(
    record: Record, before: Outcome, after: Outcome, names: dict[str, str]
) -> list[str]:
    had = {place.unit: place.award for place in before.places}
    gets = {place.unit: place.award for place in after.places}
    found = []
    for code in sorted(had.keys() | gets.keys()):
        if had.get(code) != gets.get(code):
            unit = record.plan.unit(code)
            name = code if unit is None else unit.name.vi
            award = names.get(gets.get(code, ""), vn.DASH)
            found.append(f"{name}: {award}")
    people = sum(after.individuals.values()) - sum(before.individuals.values())
    if people:
        found.append(f"{'+' if people > 0 else ''}{people} cá nhân")
    if after.money != before.money:
        found.append(f"{after.money - before.money:+,} đ".replace(",", "."))
    return found
