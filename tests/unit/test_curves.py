"""Large curves: time runs evenly whatever days there are, and names of months do not run into each other."""

from datetime import date
from itertools import pairwise

from services.scoring.leaderboard.curves import LEFT, MONTH_GAP, RIGHT, WIDTH, Chart
from services.scoring.leaderboard.views import Close


def chart(*days: date) -> Chart:
    closes = [Close(day, {"a": (1, 10_000 * n)}) for n, day in enumerate(days)]
    return Chart(closes, ["a"], "points", 1)


def test_days_without_a_close_take_their_room() -> None:
    drawn = chart(date(2023, 7, 1), date(2023, 7, 3), date(2023, 7, 31))
    at = [float(corner.partition(",")[0]) for corner in drawn.line("a").split()]
    width = WIDTH - LEFT - RIGHT
    assert at == [LEFT, LEFT + round(width * 2 / 30, 1), LEFT + width]


def test_a_month_stands_at_its_first_day_and_names_have_room() -> None:
    drawn = chart(date(2023, 6, 28), date(2023, 8, 15), date(2023, 9, 30), date(2023, 12, 31))
    assert [day for day, _ in drawn.months] == [
        date(2023, 6, 28),
        date(2023, 8, 1),
        date(2023, 9, 1),
        date(2023, 12, 1),
    ]
    short = chart(date(2023, 6, 30), date(2023, 7, 10), date(2023, 9, 30)).months
    assert [day for day, _ in short] == [date(2023, 6, 30), date(2023, 9, 1)]
    assert all(b - a >= MONTH_GAP for (_, a), (_, b) in pairwise(short))


def test_one_day_is_drawn_without_a_fault() -> None:
    assert chart(date(2023, 7, 1)).line("a") == f"{LEFT},{chart(date(2023, 7, 1)).y(0):g}"
