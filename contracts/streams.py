"""The topology: which topic carries which events, who sends them, who reads them."""

from dataclasses import dataclass

from contracts.events import (
    CLAIMS,
    BoardMoved,
    DossierRecorded,
    Event,
    PlanPublished,
    UnitScored,
)
from contracts.packages import (
    PackageChecked,
    PackagePublished,
    PackageReturned,
    PapersRecorded,
    PeriodFrozen,
)
from contracts.submissions import (
    AppealDecided,
    AppealLodged,
    ItemReviewed,
    SubmissionMade,
    SubmissionWithdrawn,
)
from contracts.subtotals import SubtotalsTold


@dataclass(frozen=True, slots=True)
class Topic:
    """One journal collection and its Redis streams, `<prefix><name>.<shard>`."""

    name: str
    events: tuple[type[Event], ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    meaning: str
    journaled: bool = True
    sharded: bool = False


INDICATOR = Topic(
    "indicator",
    (DossierRecorded, *CLAIMS),
    ("intake",),
    ("scoring", "notifier"),
    "Every fact that counts, as its sender last stated it. Sharded by fact, so that all versions of one meet.",
    sharded=True,
)
PLAN = Topic(
    "plan",
    (PlanPublished,),
    ("publishing",),
    ("intake", "scoring", "leaderboard", "notifier", "reports"),
    "The rules in force: whole plan versions, read-only once published.",
)
STANDING = Topic(
    "standing",
    (UnitScored,),
    ("scoring",),
    ("leaderboard", "notifier"),
    "The ledger: which unit's total changed, from where to where, because of which facts.",
)
BOARD = Topic(
    "board",
    (BoardMoved,),
    ("scoring",),
    ("leaderboard",),
    "Rows of the board at once, and a heartbeat. Not journaled: the rows are kept in `scoring.standings`.",
    journaled=False,
)
SUBTOTAL = Topic(
    "subtotal",
    (SubtotalsTold,),
    ("scoring",),
    ("scoring",),
    "Counters of slices of the facts, where several workers divide them; one adds them up. Not journaled: they are "
    "kept in `scoring.subtotals`.",
    journaled=False,
)
SUBMISSION = Topic(
    "submission",
    (SubmissionMade, SubmissionWithdrawn, ItemReviewed, AppealLodged, AppealDecided),
    ("intake",),
    ("notifier", "reports", "scoring"),
    "What units hand in, and what the standing office decides about it.",
)
FREEZE = Topic(
    "freeze",
    (PeriodFrozen,),
    ("scoring",),
    ("leaderboard", "reports"),
    "Periods that were closed, with their standings.",
)
PACKAGE = Topic(
    "package",
    (PapersRecorded, PackageChecked, PackageReturned, PackagePublished),
    ("reports",),
    ("leaderboard", "notifier"),
    "Award dossiers that units hand in, and award packages on their way to being official.",
)
TOPICS = (INDICATOR, PLAN, STANDING, BOARD, SUBTOTAL, SUBMISSION, FREEZE, PACKAGE)
