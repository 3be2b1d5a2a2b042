"""What the scoring service is told from outside, beside the shared settings."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

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
    """Into how many workers the facts are divided; 1: one worker folds and sums them all."""
    scoring_slice: int | None = Field(None, ge=0)
    """Which slice this worker folds, counted from 0; unset: it sums what all slices tell."""

    @model_validator(mode="after")
    def _slice_is_one_of_them(self) -> Self:
        if self.scoring_slice is not None and not 1 < self.scoring_slices > self.scoring_slice:
            raise ValueError(
                f"scoring_slice {self.scoring_slice}: scoring_slices must be at least 2 and greater"
            )
        return self


class BoardSettings(Settings):
    """Where the public board may be seen beside its own pages."""

    embed_ancestors: str = Field("'self'", pattern=r"^[^;,\r\n]+$")
    """Sites that may show the board in a frame, as `frame-ancestors` takes them: `'self' https://phunghiep.example`."""
    public_dir: Path | None = None
    """Folder for the signed copy of the board; none: no copy is written."""
    public_copy_seconds: float = Field(60, gt=0)
    """Pause between two copies."""
