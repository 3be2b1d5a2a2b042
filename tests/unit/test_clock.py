"""Domain time: real, simulated or frozen, and the local day that follows from it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from services.runtime import clock as clocks, datafolder
from services.runtime.clock import LOCAL, Clock, FrozenClock
from services.runtime.datafolder import moved_clock, settings_for, store_clock, stored_clock

ANCHOR = datetime(2026, 11, 23, 12, tzinfo=UTC)
START = datetime(2023, 6, 1, 0, 0, tzinfo=LOCAL)


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    """The real time, as the modules see it."""
    frozen = FrozenClock(ANCHOR)
    monkeypatch.setattr(clocks, "wall_now", frozen.now)
    monkeypatch.setattr(datafolder, "wall_now", frozen.now)
    return frozen


def test_real_time_is_the_default(real: FrozenClock) -> None:
    assert Clock().now() == ANCHOR


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        (timedelta(0), START),
        (timedelta(seconds=1), START + timedelta(hours=1)),
        (timedelta(seconds=24), START + timedelta(days=1)),
        (timedelta(seconds=-1), START),
    ],
)
def test_simulated_time_passes_at_its_rate(
    real: FrozenClock, passed: timedelta, shown: datetime
) -> None:
    real.instant = ANCHOR + passed
    now = Clock(START, ANCHOR, 3600).now()
    assert now == shown
    assert now.tzinfo is UTC


def test_from_an_instant_on_simulated_time_runs_as_fast_as_real_time(real: FrozenClock) -> None:
    clock = Clock(START, ANCHOR, 3600, START + timedelta(hours=10))
    real.instant = ANCHOR + timedelta(seconds=10)
    assert clock.now() == START + timedelta(hours=10)
    real.instant = ANCHOR + timedelta(seconds=25)
    assert clock.now() == START + timedelta(hours=10, seconds=15)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2023, 6, 30, 16, 59, 59, tzinfo=UTC), date(2023, 6, 30)),
        (datetime(2023, 6, 30, 17, 0, 0, tzinfo=UTC), date(2023, 7, 1)),
    ],
)
def test_the_day_changes_at_midnight_in_viet_nam(
    real: FrozenClock, instant: datetime, day: date
) -> None:
    real.instant = instant
    assert Clock().today() == FrozenClock(instant).today() == day


def test_a_stored_clock_goes_on_in_a_later_run(real: FrozenClock, tmp_path: Path) -> None:
    store_clock(tmp_path, moved_clock(stored_clock(tmp_path), START, 60))
    real.instant += timedelta(minutes=1)
    assert stored_clock(tmp_path).now() == START + timedelta(hours=1)
    assert Clock.of(settings_for(tmp_path)).now() == START + timedelta(hours=1)
    assert settings_for(tmp_path).keys_dir == tmp_path / "keys"


def test_a_new_rate_does_not_make_the_clock_jump(real: FrozenClock) -> None:
    clock = Clock(START, ANCHOR, 60)
    real.instant += timedelta(minutes=1)
    moved = moved_clock(clock, None, 1)
    assert moved.now() == clock.now()
    real.instant += timedelta(minutes=1)
    assert moved.now() == START + timedelta(hours=1, minutes=1)


def test_a_damaged_clock_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text("{")
    with pytest.raises(datafolder.DataFolderError, match="delete it"):
        stored_clock(tmp_path)


def test_real_time_is_not_stored(tmp_path: Path) -> None:
    store_clock(tmp_path, Clock(START, ANCHOR))
    store_clock(tmp_path, Clock())
    assert stored_clock(tmp_path) == Clock()
