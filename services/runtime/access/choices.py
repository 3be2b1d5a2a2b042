"""What an administrator may choose from: units come from outside as codes and labels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from services.runtime.access.accounts import FOR_PEOPLE, NEED_UNITS, Account
from services.runtime.access.forms import Form, field as one
from services.runtime.auth import Role
from services.runtime.web.formats import Lang


@dataclass(frozen=True, slots=True)
class UnitGroup:
    """Units that stand under one heading."""

    label: str
    units: tuple[tuple[str, str], ...]
    """(code, label)."""


Units = Callable[[Lang], list[UnitGroup]]


def labels_of(groups: list[UnitGroup]) -> dict[str, str]:
    """Code -> label."""
    return {code: label for group in groups for code, label in group.units}


BELONGS = "belongs"
PLAIN_ROLES = tuple(role for role in FOR_PEOPLE if role not in NEED_UNITS)
UNIT_ROLES = tuple(role for role in FOR_PEOPLE if role in NEED_UNITS)


@dataclass(frozen=True, slots=True)
class Filled:
    """What the form about a person shows: what was typed, or what holds."""

    login: str = ""
    name: str = ""
    grants: dict[Role, list[str]] = field(default_factory=dict)
    belongs_to: list[str] = field(default_factory=list)
    reason: str = ""
    trouble: str = ""

    def is_checked(self, row: str, unit: str) -> bool:
        """Whether a unit is ticked in a column."""
        if row == BELONGS:
            return unit in self.belongs_to
        return unit in self.grants.get(Role(row), ())

    def is_used(self, group: UnitGroup) -> bool:
        """Whether any unit of a group is ticked."""
        ticked = {
            *self.belongs_to,
            *(u for role in UNIT_ROLES for u in self.grants.get(role, ())),
        }
        return any(code in ticked for code, _ in group.units)


def filled_by(account: Account) -> Filled:
    """The form as the account stands."""
    return Filled(account.login, account.name, account.grants, account.belongs_to)


def read(form: Form, before: Account | None = None) -> Filled:
    """What was sent; a role that is limited to units by the API keeps its units."""
    return Filled(
        login=one(form, "login"),
        name=one(form, "name"),
        grants=dict(_grants(form, before)),
        belongs_to=form.get(BELONGS, []),
        reason=one(form, "reason"),
    )


def _grants(form: Form, before: Account | None) -> Iterator[tuple[Role, list[str]]]:
    ticked = set(form.get("role", []))
    for role in PLAIN_ROLES:
        if role in ticked:
            yield role, (before.grants.get(role, []) if before else [])
    for role in UNIT_ROLES:
        if units := form.get(role):
            yield role, units
