"""Sentences of the pages about accounts."""

from collections.abc import Sequence

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


def units_in_words(units: Sequence[str], words: Words) -> str:
    """Which units a role covers."""
    if not units:
        return words.gettext("mọi đơn vị")
    named = ", ".join(units[:MOST_NAMED])
    rest = len(units) - MOST_NAMED
    return (
        named
        if rest <= 0
        else words.gettext("%(named)s và %(rest)s đơn vị khác", named=named, rest=rest)
    )


def in_minutes(words: Words, seconds: int) -> str:
    """How long to wait after too many wrong passwords."""
    return words.plural(
        "Đã thử quá nhiều lần. Hãy đợi %(n)s phút rồi thử lại, hoặc xin người quản trị một đường dẫn mới.",
        max(1, -(-seconds // 60)),
    )
