"""Why something was not told, or waits: named reasons, so that the ledger can say so."""

from enum import StrEnum


class Dropped(StrEnum):
    """Why something was not told."""

    NO_CONTACT = "no_contact"
    NO_RULE = "no_rule"
    BEFORE_START = "before_start"
    EXCLUDED = "muted_by_exclusion"
    SILENCED = "silenced"
    RETRACTED = "retracted_before_sending"
    TAKEN_BACK_UNTOLD = "was_never_told"
    DONE = "done_before_sending"
    TAKEN_UP = "acknowledged_by_another"


class Withdrawn(StrEnum):
    """Why an alert that was told no longer holds."""

    CORRECTED = "corrected"
    LIFTED = "lifted"
    DUE_MOVED = "due_moved"
    JUDGED_ANEW = "judged_anew"
    SENT_BACK = "sent_back"


class Held(StrEnum):
    """Why something waits."""

    WINDOW = "window"
    QUIET = "quiet_hours"
    DIGEST = "digest"
    BUDGET = "budget"
    ORIGINAL = "original_unsent"
