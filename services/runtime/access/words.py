"""Sentences of the pages about accounts."""

from collections.abc import Mapping, Sequence

from services.runtime.access.accounts import Account
from services.runtime.access.choices import BELONGS
from services.runtime.auth import Role
from services.runtime.web.i18n import Words

MOST_NAMED = 12


def role_name(role: Role, words: Words) -> str:
    """What a role is called."""
    return {
        Role.PORTAL: words.gettext("Hệ thống gửi dữ liệu"),
        Role.OFFICER: words.gettext("Cán bộ báo cáo"),
        Role.HEAD: words.gettext("Thủ trưởng đơn vị"),
        Role.REVIEWER: words.gettext("Cơ quan thường trực (thẩm định)"),
        Role.OBSERVER: words.gettext("Theo dõi, giám sát"),
        Role.LEADER: words.gettext("Lãnh đạo ký duyệt"),
        Role.VIEWER: words.gettext("Hệ thống đọc dữ liệu"),
        Role.ADMIN: words.gettext("Quản trị viên"),
    }[role]


def units_in_words(units: Sequence[str], words: Words, labels: Mapping[str, str]) -> str:
    """Which units a role covers, by their names where they have one."""
    if not units:
        return words.gettext("mọi đơn vị")
    named = ", ".join(labels.get(unit, unit) for unit in units[:MOST_NAMED])
    rest = len(units) - MOST_NAMED
    return (
        named
        if rest <= 0
        else words.gettext("%(named)s và %(rest)s đơn vị khác", named=named, rest=rest)
    )


def column_name(column: str, words: Words) -> str:
    """The heading of a column of units."""
    if column == BELONGS:
        return words.gettext("Công tác tại đây")
    return role_name(Role(column), words)


def state_of(account: Account, words: Words) -> str:
    """Whether the person can sign in."""
    if account.disabled:
        return words.gettext("đã khóa")
    if not account.may_sign_in:
        return words.gettext("chưa đặt mật khẩu")
    return words.gettext("đang dùng")


def in_minutes(words: Words, seconds: int) -> str:
    """How long to wait after too many wrong passwords."""
    return words.plural(
        "Đã thử quá nhiều lần. Hãy đợi %(n)s phút rồi thử lại, hoặc xin người quản trị một đường dẫn mới.",
        max(1, -(-seconds // 60)),
    )
