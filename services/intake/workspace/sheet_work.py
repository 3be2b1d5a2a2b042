"""Sheets at work: make a template, try a filled one, apply what was tried; applying again changes nothing."""

import asyncio
import secrets
from dataclasses import dataclass

from services.intake.workspace.application import UnknownPlaceError, Workspace
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.duties import day_range
from services.intake.workspace.domain.report import ReportError
from services.intake.workspace.domain.values import PartValues, plain
from services.intake.workspace.sheets import Change, Filled, Trial, read_sheet, template
from services.runtime.clock import wall_now
from services.runtime.web.i18n import Words


@dataclass(frozen=True, slots=True)
class Tried:
    """A sheet that was tried, and the key by which it can be applied."""

    trial: Trial
    key: str
    """Empty: it has faults, and nothing can be applied."""


class Sheets:
    """Excel for one unit's month, or for all units at once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    async def filled(self, places: list[Place]) -> list[Filled]:
        """The months as they stand."""
        found = []
        for place in places:
            unit = place.plan.unit(place.unit)
            if unit is not None:
                report = await self.workspace.report(place)
                found.append(Filled(place, unit, report, self.workspace.duties(place)))
        return found

    def all_places(self, plan: str, month: str) -> list[Place]:
        """Every unit that owes a report.

        Raises:
            UnknownPlaceError: there is no such plan or month, or nobody owes one.
        """
        found = self.workspace.plans.at(plan, month)
        units = [unit for bloc in found.reporting.blocs for unit in found.units_of(bloc)]
        if not units:
            raise UnknownPlaceError(plan)
        return [Place(found, unit.code, month) for unit in units]

    async def template(self, places: list[Place], month: str, words: Words) -> bytes:
        """The workbook of a month."""
        return await asyncio.to_thread(template, await self.filled(places), month, words)

    async def try_out(self, places: list[Place], content: bytes, by: str) -> Tried:
        """What a filled workbook would change; kept for a day, so that it can be applied.

        Raises:
            ReportError: it cannot be read.
        """
        today = self.workspace.clock.today()
        trial = await asyncio.to_thread(
            read_sheet,
            content,
            await self.filled(places),
            lambda place: day_range(place.plan, place.month, today),
        )
        if trial.faults or not trial.changes:
            return Tried(trial, "")
        key = secrets.token_hex(12)
        await self.workspace.store.sheets.insert_one(
            {
                "_id": key,
                "by": by,
                "made_at": wall_now(),
                "plan": places[0].plan.id,
                "month": places[0].month,
                "changes": [
                    {
                        "unit": c.unit,
                        "indicator": c.indicator,
                        "revision": c.revision,
                        "values": plain(c.values),
                        "note": c.note,
                    }
                    for c in trial.changes
                ],
            }
        )
        return Tried(trial, key)

    async def apply(self, key: str, by: str) -> list[tuple[str, str, str]]:
        """Save what was tried; returns (unit, indicator, code) of what could not be saved.

        Raises:
            LookupError: nothing was tried under this key by this person, or it was a day ago.
        """
        tried = await self.workspace.store.sheets.find_one({"_id": key, "by": by})
        if tried is None:
            raise LookupError(key)
        await self.workspace.audit.record(by, "sheet.apply", key)
        refused = []
        for stored in tried["changes"]:
            values = {k: PartValues.model_validate(v) for k, v in stored["values"].items()}
            change = Change(
                stored["unit"], stored["indicator"], stored["revision"], values, stored["note"]
            )
            place = self.workspace.place(tried["plan"], change.unit, tried["month"])
            try:
                await self.workspace.save_entry(
                    place, change.indicator, change.revision, change.values, change.note
                )
            except ReportError as error:
                refused.append((change.unit, change.indicator, error.code))
        return refused
