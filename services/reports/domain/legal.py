"""Which decrees a document of a date rests on: legal bases are dated, and a new one replaces the one before it."""

from datetime import date

LAW_2003 = (
    "Căn cứ Luật Thi đua, Khen thưởng ngày 26 tháng 11 năm 2003; Luật sửa đổi, bổ sung một số điều của Luật "
    "Thi đua, Khen thưởng ngày 14 tháng 6 năm 2005 và ngày 16 tháng 11 năm 2013"
)
LAW_2022 = "Căn cứ Luật Thi đua, Khen thưởng ngày 15 tháng 6 năm 2022"
_TITLE = "của Chính phủ quy định chi tiết thi hành một số điều của Luật Thi đua, Khen thưởng"
BASES: tuple[tuple[date, str, tuple[str, ...]], ...] = (
    (
        date(2017, 10, 1),
        "91/2017/NĐ-CP",
        (LAW_2003, f"Căn cứ Nghị định số 91/2017/NĐ-CP ngày 31 tháng 7 năm 2017 {_TITLE}"),
    ),
    (
        date(2024, 1, 1),
        "98/2023/NĐ-CP",
        (LAW_2022, f"Căn cứ Nghị định số 98/2023/NĐ-CP ngày 31 tháng 12 năm 2023 {_TITLE}"),
    ),
    (
        date(2025, 7, 1),
        "152/2025/NĐ-CP",
        (
            LAW_2022,
            (
                "Căn cứ Nghị định số 152/2025/NĐ-CP ngày 14 tháng 6 năm 2025 của Chính phủ quy định về phân cấp, "
                "phân quyền trong lĩnh vực thi đua, khen thưởng; quy định chi tiết và hướng dẫn thi hành một số "
                "điều của Luật Thi đua, Khen thưởng"
            ),
        ),
    ),
)
"""(in force from, decree, lines), oldest first."""


def decree_on(day: date) -> str:
    """The number of the decree in force on a day; the oldest one known for days before it."""
    return _in_force(day)[1]


def legal_bases(day: date) -> list[str]:
    """The lines that a document of that day cites, without their final marks."""
    return list(_in_force(day)[2])


def _in_force(day: date) -> tuple[date, str, tuple[str, ...]]:
    return next((entry for entry in reversed(BASES) if entry[0] <= day), BASES[0])
