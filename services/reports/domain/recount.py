"""A second opinion on awards: the same rules written another way, so that a package can be checked against it.

No passing through bands with a queue: for each unit it counts how many are ahead, and looks up what that place brings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from contracts.plan import Award, Bloc
from services.reports.domain.decisions import Candidate, Choice

SCALE = Decimal(10_000)
Limits = tuple[Decimal, Decimal | None]


@dataclass(frozen=True, slots=True)
class Recount:
    """What it finds; units whose award is still open are absent from `places`."""

    places: dict[str, str]
    money: int
    individuals: dict[str, int]


def recount(
    bloc: Bloc, candidates: Sequence[Candidate], choices: Mapping[str, Choice]
) -> Recount:
    """Awards, money and certificates of one bloc."""
    places: dict[str, Award] = {}
    moved: list[Candidate] = []
    for limits in sorted({(a.at_least, a.below) for a in bloc.awards}, key=lambda one: -one[0]):
        awards = [a for a in bloc.awards if (a.at_least, a.below) == limits]
        members = [c for c in candidates if c.eligible and _within(limits, c)] + moved
        found, left = _of_band(bloc, awards, members, choices)
        places |= found
        key = f"{bloc.code}:fourth-above-threshold:{awards[0].code}"
        down = left and key in choices and choices[key].choice == "lower"
        moved = left if down else []
    return Recount(
        {unit: award.code for unit, award in places.items()},
        sum(award.prize.money for award in places.values()),
        _individuals(bloc, candidates, places, choices),
    )


def _within(limits: Limits, candidate: Candidate) -> bool:
    total = candidate.points / SCALE
    return limits[0] <= total and (limits[1] is None or total < limits[1])


def _of_band(
    bloc: Bloc, awards: list[Award], members: list[Candidate], choices: Mapping[str, Choice]
) -> tuple[dict[str, Award], list[Candidate]]:
    prizes = [award for award in awards for _ in range(award.places)]
    found: dict[str, Award] = {}
    left = []
    for one in members:
        ahead = sum(other.points > one.points for other in members)
        alike = sum(other.points == one.points for other in members)
        open_to = prizes[ahead : ahead + alike]
        if len({award.code for award in open_to}) == 1 and len(open_to) == alike:
            found[one.unit] = open_to[0]
            continue
        if not open_to:
            left.append(one)
            continue
        choice = choices.get(f"{bloc.code}:tie-at-boundary:{awards[0].code}:{ahead + 1}")
        if choice is None or one.unit not in choice.order:
            continue
        at = choice.order.index(one.unit)
        if at < len(open_to):
            found[one.unit] = open_to[at]
        else:
            left.append(one)
    if not prizes:
        return _titled(bloc, awards, members, choices), []
    return found, left


def _titled(
    bloc: Bloc, awards: list[Award], members: list[Candidate], choices: Mapping[str, Choice]
) -> dict[str, Award]:
    choice = choices.get(f"{bloc.code}:encouragement-without-prize:{awards[0].code}")
    given = choice is not None and choice.choice == "title"
    return {one.unit: awards[0] for one in members} if given else {}


def _individuals(
    bloc: Bloc,
    candidates: Sequence[Candidate],
    places: Mapping[str, Award],
    choices: Mapping[str, Choice],
) -> dict[str, int]:
    choice = choices.get(f"{bloc.code}:excluded-units-individuals")
    granted = choice is not None and choice.choice == "grant"
    found = {}
    for one in candidates:
        if one.unit in places:
            number = places[one.unit].prize.individuals
        else:
            number = bloc.other_units.individuals if one.eligible or granted else 0
        if number:
            found[one.unit] = number
    return found
