"""A short storm in which each kind of mischief happens: the end equals the oracle. `make chaos` runs longer ones."""

from pathlib import Path

import pytest

from tests.chaos.storm import LOOKS, PROGRAMS, WHAT, Storm, plan

SEED, SECONDS = 7, 9.0


@pytest.mark.timeout(300)
@pytest.mark.xdist_group("storms")
async def test_a_storm_of_every_kind_of_mischief_ends_with_the_oracles_standings(
    tmp_path: Path,
) -> None:
    timeline: list[str] = []
    outcome = await Storm(tmp_path, SEED, SECONDS, timeline.append).run()
    assert outcome.happened == len(plan(SEED, SECONDS)) == len(timeline) - LOOKS - 1
    assert outcome.verdict.startswith("0 differences")
    assert set(outcome.largest) >= set(PROGRAMS)
    aimed = {m.whom for m in plan(SEED, SECONDS) if m.what in {"kill", "pause", "full disk"}}
    assert outcome.struck == aimed


def test_the_same_seed_plans_the_same_storm_and_another_another() -> None:
    assert plan(SEED, SECONDS) == plan(SEED, SECONDS) != plan(SEED + 1, SECONDS)
    assert {mischief.what for mischief in plan(SEED, SECONDS)} == set(WHAT)
    assert all(0 < mischief.at < SECONDS for mischief in plan(SEED, SECONDS))
