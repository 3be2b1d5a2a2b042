"""What the plan leaves open, and how people settle it: with a reason, those present, and a second person."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.plan import Bloc, Text

TIE = "tie-at-boundary"
OVERFLOW = "fourth-above-threshold"
UNAWARDED = "fewer-than-three"
EXCLUDED_INDIVIDUALS = "excluded-units-individuals"
TITLES = "encouragement-without-prize"
BLOC_INDIVIDUALS = "ten-individuals"
KNOWN = (TIE, OVERFLOW, UNAWARDED, EXCLUDED_INDIVIDUALS, TITLES, BLOC_INDIVIDUALS)
"""Questions that the software meets by itself; a plan's other decision items are put to people as they are."""
WORDS = {
    TIE: Text(
        vi="Các đơn vị bằng điểm ở ranh giới giải.", en="Equal totals at the edge of a prize."
    ),
    OVERFLOW: Text(
        vi="Đơn vị đủ điểm xét giải nhưng không còn giải ở mức này.",
        en="Units with enough points for a prize of which none is left.",
    ),
    UNAWARDED: Text(
        vi="Chưa đủ đơn vị đạt mức điểm: giải còn lại không trao.",
        en="Too few units reach the threshold: the remaining prizes stay unawarded.",
    ),
    EXCLUDED_INDIVIDUALS: Text(
        vi="Cá nhân của đơn vị không được xét thi đua có được khen thưởng không.",
        en="Whether the individuals of excluded units are rewarded.",
    ),
    TITLES: Text(
        vi="Có khoảng điểm nhưng kế hoạch không quy định giải thưởng.",
        en="The band exists, but the plan defines no prize.",
    ),
    BLOC_INDIVIDUALS: Text(
        vi="Các cá nhân của cả khối do Ban chỉ đạo chọn.",
        en="Individuals of the whole bloc, chosen by the steering committee.",
    ),
}
"""Where the plan itself has no words for a question."""


class Value(BaseModel):
    """Settings of all models here: read-only, nothing unknown in them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Candidate(Value):
    """A unit as its frozen standing shows it; points in ten-thousandths."""

    unit: str
    points: int
    eligible: bool = True
    indicators: dict[str, int] = {}


class Item(Value):
    """One open question: about whom, what might tell them apart, what may be answered."""

    key: str
    code: str
    bloc: str
    place: str
    """Which band, and from which position in it on; empty for the whole bloc."""
    text: Text
    candidates: list[Candidate]
    criteria: list[str]
    suggested: list[str]
    """Candidates in the order of the suggested criteria; empty when these do not tell all apart."""
    options: list[str]
    settled: bool = False


class Choice(Value):
    """An answer: one of the options, with units or people in order where it asks for them."""

    choice: str
    order: list[str] = []


class Present(Value):
    """Somebody who was there; stays in this service's own database and in the package."""

    name: str = Field(min_length=1, max_length=100)
    office: str = Field(min_length=1, max_length=200)


class Decision(Value):
    """An answer on record. It counts once a second person has confirmed it."""

    key: str
    choice: Choice
    reason: str = Field(min_length=10, max_length=2_000)
    present: list[Present] = Field(min_length=1, max_length=40)
    by: str
    at: datetime
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None


class DecisionError(ValueError):
    """A decision cannot be taken like this."""

    def __init__(
        self, code: Literal["no_such_item", "does_not_fit", "same_person", "nothing_to_confirm"]
    ) -> None:
        super().__init__(code)
        self.code = code


def new_item(
    bloc: Bloc, code: str, place: str, candidates: Sequence[Candidate], options: Sequence[str]
) -> Item:
    """A question in the plan's words, with the criteria that the plan suggests."""
    said = next((one for one in bloc.decision_items if one.code == code), None)
    criteria = [] if said is None else said.criteria
    shown = [
        c.model_copy(update={"indicators": {k: c.indicators.get(k, 0) for k in criteria}})
        for c in candidates
    ]
    return Item(
        key=":".join(filter(None, (bloc.code, code, place))),
        code=code,
        bloc=bloc.code,
        place=place,
        text=WORDS[code] if said is None else said.text,
        candidates=shown,
        criteria=criteria,
        suggested=_suggested(shown, criteria) if code == TIE else [],
        options=list(options),
    )


def _suggested(candidates: Sequence[Candidate], criteria: Sequence[str]) -> list[str]:
    """The order by the criteria, one after the other; none when two are equal in all of them."""
    keys = {c.unit: tuple(-c.indicators[code] for code in criteria) for c in candidates}
    if not criteria or len(set(keys.values())) < len(keys):
        return []
    return sorted(keys, key=lambda unit: keys[unit])


def items_of_plan(bloc: Bloc) -> list[str]:
    """Questions of the plan that follow from no figure: people read and settle them."""
    return [item.code for item in bloc.decision_items if item.code not in KNOWN]


def settles(item: Item, choice: Choice) -> bool:
    """Whether an answer fits the question: an option of it; for a tie an order of all candidates."""
    if choice.choice not in item.options:
        return False
    if choice.choice == "order":
        return sorted(choice.order) == sorted(c.unit for c in item.candidates)
    if choice.choice == "people":
        return len(set(choice.order)) == len(choice.order) > 0
    return not choice.order


def decided(item: Item | None, decision: Decision) -> Decision:
    """The decision, if it may be taken.

    Raises:
        DecisionError: there is no such question (any more), or the answer does not fit it.
    """
    if item is None:
        raise DecisionError("no_such_item")
    if not settles(item, decision.choice):
        raise DecisionError("does_not_fit")
    return decision


def confirmed(decision: Decision | None, by: str, at: datetime) -> Decision:
    """The decision with a second person's confirmation.

    Raises:
        DecisionError: nothing waits for one, or it is the same person's.
    """
    if decision is None or decision.confirmed_by is not None:
        raise DecisionError("nothing_to_confirm")
    if decision.by == by:
        raise DecisionError("same_person")
    return decision.model_copy(update={"confirmed_by": by, "confirmed_at": at})


def in_force(decisions: Iterable[Decision]) -> dict[str, Choice]:
    """What counts: confirmed decisions only."""
    return {d.key: d.choice for d in decisions if d.confirmed_by is not None}
