"""What the journal's topics bring: each event goes into the picture; a bad one is set aside and stops nobody."""

from collections.abc import Callable

from pydantic import TypeAdapter

from contracts.events import PlanPublished, UnitScored
from contracts.packages import (
    PackageChecked,
    PackagePublished,
    PackageReturned,
    PapersRecorded,
)
from contracts.submissions import (
    AppealDecided,
    AppealLodged,
    ItemReviewed,
    SubmissionMade,
    SubmissionWithdrawn,
)
from contracts.wire import fact_id, from_line
from services.notifier.domain.happenings import of_answer, of_package, of_review
from services.notifier.domain.watch import Watch
from services.runtime.consuming import DeadLetters
from services.runtime.journal import Pack
from services.runtime.tracing import Causes, carried, follow

_WANTED = (
    b'"type":"dossier.recorded"',
    b'"type":"report.received"',
    b'"type":"exclusion.lifted"',
)
_submission: TypeAdapter[
    SubmissionMade | SubmissionWithdrawn | ItemReviewed | AppealLodged | AppealDecided
] = TypeAdapter(
    SubmissionMade | SubmissionWithdrawn | ItemReviewed | AppealLodged | AppealDecided
)
_package: TypeAdapter[PapersRecorded | PackageChecked | PackageReturned | PackagePublished] = (
    TypeAdapter(PapersRecorded | PackageChecked | PackageReturned | PackagePublished)
)


class Handlers:
    """One for each topic."""

    def __init__(self, watch: Watch, letters: DeadLetters, causes: Causes) -> None:
        self._causes = causes
        self._watch = watch
        self._picture = watch.picture
        self._letters = letters

    async def on_plans(self, packs: list[Pack]) -> None:
        """Plan versions come into force."""
        self._each(packs, self._plan)

    async def on_facts(self, packs: list[Pack]) -> None:
        """Dossiers, reports, lifted exclusions; whatever else counts for points is left unread."""
        self._each(packs, self._fact)

    async def on_totals(self, packs: list[Pack]) -> None:
        """Totals moved."""
        self._each(
            packs, lambda line: self._picture.score(UnitScored.model_validate_json(line))
        )

    async def on_submissions(self, packs: list[Pack]) -> None:
        """Reports handed in, decisions, appeals."""
        self._each(packs, self._submission)

    async def on_packages(self, packs: list[Pack]) -> None:
        """Award dossiers and packages on their way."""
        self._each(packs, self._package)

    def _each(self, packs: list[Pack], take: Callable[[bytes], None]) -> None:
        for pack in packs:
            with follow("notifier.take", pack.traces, events=pack.count):
                self._causes.add(carried())
            for line in pack.lines:
                try:
                    take(line)
                except (ValueError, KeyError, OverflowError) as error:
                    self._letters.add("undecodable event", error, line, pack.id)

    def _plan(self, line: bytes) -> None:
        event = PlanPublished.model_validate_json(line)
        self._watch.publish(event.plan, event.published_at)

    def _fact(self, line: bytes) -> None:
        if not any(mark in line for mark in _WANTED):
            return
        event = from_line(line)
        if event.type == "dossier.recorded":
            self._picture.dossier(fact_id(event), event, line)
        elif event.type == "report.received":
            self._picture.report(fact_id(event), event, line)
        elif event.type == "exclusion.lifted":
            self._picture.lift(fact_id(event), event, line)

    def _submission(self, line: bytes) -> None:
        event = _submission.validate_json(line)
        plan = self._picture.newest(event.plan)
        match event:
            case SubmissionMade() | SubmissionWithdrawn():
                self._picture.submission(event)
            case ItemReviewed():
                self._picture.review(event)
                self._watch.happen(of_review(plan, event))
            case AppealLodged():
                self._picture.lodge(event)
            case AppealDecided():
                self._picture.answer(event)
                self._watch.happen(of_answer(plan, event))

    def _package(self, line: bytes) -> None:
        event = _package.validate_json(line)
        plan = self._picture.newest(event.plan)
        match event:
            case PapersRecorded():
                self._picture.hand_in(event)
            case PackageChecked():
                self._watch.happen(of_package(plan, event))
            case PackageReturned():
                self._picture.send_back(event)
            case PackagePublished():
                pass  # nobody waits for anything any more
