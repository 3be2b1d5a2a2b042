"""Lengths and curves for the board's small pictures, as SVG attributes (the pages allow no inline style)."""

from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 96, 28, 3
_LEAST_SPAN = 20_000
"""Two points: a flat curve stays flat instead of showing noise."""


def length(units: int, scale: int) -> str:
    """Points (in ten-thousandths) as a share of the scale, cut: `76.115%`."""
    if scale <= 0:
        return "0%"
    thousandths = min(100_000, max(0, units * 100_000 // scale))
    return f"{thousandths // 1000}.{thousandths % 1000:03d}%"


def curve(trend: Sequence[int]) -> list[tuple[float, float]]:
    """The corners of a small curve, oldest left; empty for fewer than two closes."""
    if len(trend) < 2:  # noqa: PLR2004 - a line needs two points
        return []
    low = min(trend)
    span = max(max(trend) - low, _LEAST_SPAN)
    step = (WIDTH - 2 * MARGIN) / (len(trend) - 1)
    return [
        (
            round(MARGIN + index * step, 1),
            round(HEIGHT - MARGIN - (value - low) / span * (HEIGHT - 2 * MARGIN), 1),
        )
        for index, value in enumerate(trend)
    ]
