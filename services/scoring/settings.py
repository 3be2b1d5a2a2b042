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
    """Into how many workers the facts are divided; 1: one worker folds and sums them all."""
    scoring_slice: int | None = Field(None, ge=0)
    """Which slice this worker folds, counted from 0; unset: it sums what all slices tell."""

    @field_validator("scoring_slice")
    @classmethod
    def _is_one_of_the_slices(cls, number: int | None, told: ValidationInfo) -> int | None:
        slices = told.data.get("scoring_slices", 1)
        if number is not None and not 1 < slices > number:
            raise ValueError(
                f"there is no slice {number} where THIDUA_SCORING_SLICES is {slices}"
            )
        return number


class BoardSettings(Settings):
    """Where the public board may be seen beside its own pages."""

    embed_ancestors: str = Field("'self'", pattern=r"^[^;,\r\n]+$")
    """Sites that may show the board in a frame, as `frame-ancestors` takes them: `'self' https://phunghiep.example`."""
    public_dir: Path | None = None
    """Folder for the signed copy of the board; none: no copy is written."""
    public_copy_seconds: float = Field(60, gt=0)
    """Pause between two copies."""
