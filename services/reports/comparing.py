"""Two packages side by side: which units stand otherwise, and by how much."""

from dataclasses import dataclass

from services.reports.domain.figures import Figures, Line


@dataclass(frozen=True, slots=True)
class Compared:
    """One unit in both."""

    bloc: str
    name: str
    points: tuple[int | None, int | None]
    ranks: tuple[int | None, int | None]
    awards: tuple[str, str]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        pairs = (self.points, self.ranks, self.awards)
        return all(mine == theirs for mine, theirs in pairs)


def compared(mine: Figures, theirs: Figures) -> list[Compared]:
    """Every unit that either has, in the order of the first."""
    other = {line.unit.code: line for bloc in theirs.blocs for line in bloc.lines}
    found: list[Compared] = []
    for bloc in mine.blocs:
        name = bloc.bloc.name.vi
        found += [_pair(name, line, other.pop(line.unit.code, None)) for line in bloc.lines]
    return found + [_pair("", line, None) for line in other.values()]


def _pair(bloc: str, line: Line, other: Line | None) -> Compared:
    return Compared(
        bloc,
        line.name,
        (line.row.points, None if other is None else other.row.points),
        (line.rank, None if other is None else other.rank),
        (_award(line), "" if other is None else _award(other)),
    )


def _award(line: Line) -> str:
    return "" if line.award is None else line.award.name.vi
