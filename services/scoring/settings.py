"""What the scoring service is told from outside, beside the shared settings."""

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from services.runtime.settings import Settings


class ScoringSettings(Settings):
    """Limits of the work that happens beside the fold."""

    refresh_share: float = Field(0.25, gt=0, le=1)
    """Share of time that may go into telling the board; under a storm the board moves less often instead."""
    refresh_rows: int = Field(400, ge=1)
    """Rows that are computed and told at a time."""
    write_behind_facts: int = Field(100, ge=1)
    """Facts stored at a time."""
    write_behind_share: float = Field(0.1, gt=0, le=1)
    """Share of time that may go into storing facts while events arrive."""
    ledger_seconds: float = Field(1.0, gt=0)
    """Changes of a unit within this time are one entry of the ledger."""
    lease_seconds: float = Field(0, ge=0)
    """Several workers: one speaks, and another takes over when it was silent for so long. 0: there is one worker."""
    scoring_slices: int = Field(1, ge=1, le=64)
    """Into how many slices the facts are divided; 1: one worker folds and sums them all."""
    scoring_ordinal: int | None = Field(None, ge=0)
    """Which of the workers that share the slices this one is, from 0; unset: it sums what all slices tell."""
    scoring_workers: int | None = Field(None, ge=1)
    """How many workers share the slices where `thidua up` starts them; unset: one for each."""
    hand_over_seconds: float = Field(3, ge=0)
    """How long a worker of slices that is told to end lets others take over."""

    @field_validator("scoring_ordinal")
    @classmethod
    def _has_slices_to_share(cls, ordinal: int | None, told: ValidationInfo) -> int | None:
        if ordinal is not None and told.data.get("scoring_slices") == 1:
            raise ValueError("there is nothing to share where THIDUA_SCORING_SLICES is 1")
        return ordinal


class BoardSettings(Settings):
    """Where the public board may be seen beside its own pages."""

    embed_ancestors: str = Field("'self'", pattern=r"^[^;,\r\n]+$")
    """Sites that may show the board in a frame, as `frame-ancestors` takes them: `'self' https://phunghiep.example`."""
    public_dir: Path | None = None
    """Folder for the signed copy of the board; none: no copy is written."""
    public_copy_seconds: float = Field(60, gt=0)
    """Pause between two copies."""
