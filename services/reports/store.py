"""What reports keeps in its own database: what it read from the journal, what people decided, and the archives."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from bson import Binary
from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from contracts.packages import PeriodFrozen
from contracts.plan import Plan
from services.reports.domain.decisions import Decision
from services.reports.domain.nominations import Papers
from services.reports.domain.record import DossierPart, Nomination, Proof
from services.reports.domain.workflow import Build, Package, SignedCopy
from services.runtime.mongo import Collection, Database, Document

CHUNK_BYTES = 4 << 20
"""A document of MongoDB holds 16 MB."""


class ChangedMeanwhileError(Exception):
    """Somebody else changed the package at the same time; look again."""


class ReportsStore:
    """One process's view of the database."""

    def __init__(self, database: Database) -> None:
        self.dead_letters: Collection = database["dead_letters"]
        self._plans: Collection = database["plans"]
        self._frozen: Collection = database["frozen"]
        self._submissions: Collection = database["submissions"]
        self._packages: Collection = database["packages"]
        self._decisions: Collection = database["decisions"]
        self._nominations: Collection = database["nominations"]
        self._dossiers: Collection = database["dossiers"]
        self._templates: Collection = database["templates"]
        self._archives: Collection = database["archives"]
        self._proofs: Collection = database["proofs"]
        self._signed: Collection = database["signed"]

    async def prepare(self) -> None:
        """Create the indexes; harmless when they are there."""
        await self._submissions.create_index([("plan", ASCENDING), ("unit", ASCENDING)])
        await self._nominations.create_index([("plan", ASCENDING), ("period", ASCENDING)])
        await self._decisions.create_index([("package", ASCENDING)])
        await self._archives.create_index([("package", ASCENDING), ("build", ASCENDING)])
        await self._dossiers.update_many(  # kept before dossiers were told to others
            {"version": None},
            [{"$set": {"version": 1, "changed_at": "$$NOW"}}],
        )

    # from the journal

    async def keep_plan(self, plan: Plan) -> None:
        """A published version."""
        await self._put(
            self._plans, f"{plan.id}|{plan.version}", plan=plan.id, body=plan.model_dump_json()
        )

    async def plan(self, plan: str, version: int) -> Plan | None:
        """A published version."""
        found = await self._plans.find_one({"_id": f"{plan}|{version}"})
        return None if found is None else Plan.model_validate_json(found["body"])

    async def newest_plans(self) -> list[Plan]:
        """The highest version of each plan."""
        newest: dict[str, Plan] = {}
        async for found in self._plans.find({}):
            plan = Plan.model_validate_json(found["body"])
            if plan.id not in newest or newest[plan.id].version < plan.version:
                newest[plan.id] = plan
        return sorted(newest.values(), key=lambda plan: plan.id)

    async def keep_frozen(self, event: PeriodFrozen) -> None:
        """A closing; the first one with its id holds."""
        with suppress(DuplicateKeyError):
            await self._frozen.insert_one(
                {
                    "_id": event.id,
                    "plan": event.plan,
                    "period": event.period,
                    "at": event.at,
                    "body": Binary(event.model_dump_json().encode()),
                }
            )

    async def frozen(self, key: str) -> PeriodFrozen | None:
        """A closing."""
        found = await self._frozen.find_one({"_id": key})
        return None if found is None else PeriodFrozen.model_validate_json(bytes(found["body"]))

    async def frozen_ids(self) -> list[str]:
        """All closings, oldest first."""
        return [
            found["_id"]
            async for found in self._frozen.find({}, {"_id": 1}).sort("at", ASCENDING)
        ]

    async def keep_submission(
        self, key: str, named: Document, line: bytes, accepted_at: datetime
    ) -> None:
        """An event of the workspace: what it can be found by, the line itself, and when it was first accepted."""
        await self._submissions.update_one(
            {"_id": key},
            {"$set": named | {"line": Binary(line)}, "$min": {"accepted_at": accepted_at}},
            upsert=True,
        )

    async def submissions(
        self, plan: str, until: datetime | None = None
    ) -> AsyncIterator[tuple[str, list[bytes]]]:
        """(unit, its lines), one unit after the other; `until`: only what the journal had accepted by then."""
        wanted: Document = {"plan": plan}
        if until is not None:
            early = {"accepted_at": {"$lte": until}}
            wanted["$or"] = [early, {"accepted_at": None}]  # kept before it was noted
        cursor = self._submissions.find(wanted).sort("unit", ASCENDING)
        unit, lines = "", list[bytes]()
        async for found in cursor:
            if found["unit"] != unit and lines:
                yield unit, lines
                lines = []
            unit = found["unit"]
            lines.append(bytes(found["line"]))
        if lines:
            yield unit, lines

    # packages

    async def begin(self, package: Package) -> None:
        """A new draft, unless the package is there."""
        with suppress(DuplicateKeyError):
            await self._packages.insert_one(
                {"_id": package.id} | package.model_dump(mode="json")
            )

    async def package(self, key: str) -> Package | None:
        """A package as it stands."""
        found = await self._packages.find_one({"_id": key}, {"_id": 0})
        return None if found is None else Package.model_validate(found)

    async def packages(self) -> list[Package]:
        """All of them, newest closing first."""
        found = (
            await self._packages.find({}, {"_id": 0})
            .sort([("plan", 1), ("dated", -1), ("period", 1)])
            .to_list(None)
        )
        return [Package.model_validate(one) for one in found]

    async def save(self, package: Package) -> Package:
        """Store a change.

        Raises:
            ChangedMeanwhileError: it was changed since it was read.
        """
        newer = package.model_copy(update={"version": package.version + 1})
        fields = newer.model_dump(mode="json")
        build = fields.pop("build")
        fields |= {"build.wanted": build["wanted"], "build.error": build["error"]}
        done = await self._packages.update_one(
            {"_id": package.id, "version": package.version}, {"$set": fields}
        )
        if done.matched_count == 0:
            raise ChangedMeanwhileError(package.id)
        return newer

    async def announced(self, key: str, event: str) -> None:
        """An event of the package is in the journal."""
        await self._packages.update_one({"_id": key}, {"$addToSet": {"announced": event}})

    async def progress(self, key: str, steps: int, steps_of: int) -> None:
        """How far the build is."""
        await self._packages.update_one(
            {"_id": key}, {"$set": {"build.steps": steps, "build.steps_of": steps_of}}
        )

    async def built(self, key: str, build: Build) -> None:
        """A build ended; an older one never replaces a newer one."""
        fields = {
            f"build.{name}": value
            for name, value in build.model_dump().items()
            if name != "wanted"
        }
        await self._packages.update_one(
            {"_id": key, "build.done": {"$lte": build.done}}, {"$set": fields}
        )

    async def keep_archive(self, key: str, build: int, chunks: AsyncIterator[bytes]) -> None:
        """An archive in pieces; the ones before it go."""
        number = 0
        async for chunk in chunks:
            await self._archives.replace_one(
                {"_id": f"{key}|{build}|{number:05d}"},
                {"package": key, "build": build, "data": Binary(chunk)},
                upsert=True,
            )
            number += 1
        await self._archives.delete_many({"package": key, "build": {"$lt": build}})

    async def archive(self, key: str, build: int) -> AsyncIterator[bytes]:
        """An archive, piece by piece."""
        cursor = self._archives.find({"package": key, "build": build}).sort("_id", ASCENDING)
        async for found in cursor:
            yield bytes(found["data"])

    async def keep_signed(self, key: str, build: int, copy: SignedCopy, content: bytes) -> None:
        """A signed copy of a document, in the place of an earlier one; those of other archives go."""
        await self._put(
            self._signed,
            f"{key}|{build}|{copy.document}",
            package=key,
            build=build,
            copy=copy.model_dump_json(),
            content=Binary(content),
        )
        await self._signed.delete_many({"package": key, "build": {"$ne": build}})

    async def signed(self, key: str, build: int) -> list[SignedCopy]:
        """The signed copies of an archive's documents, by document."""
        cursor = self._signed.find({"package": key, "build": build}, {"copy": 1})
        found = await cursor.sort("_id", ASCENDING).to_list(None)
        return [SignedCopy.model_validate_json(one["copy"]) for one in found]

    async def signed_file(self, key: str, build: int, document: str) -> bytes | None:
        """One of them."""
        found = await self._signed.find_one({"_id": f"{key}|{build}|{document}"})
        return None if found is None else bytes(found["content"])

    # what people bring

    async def decide(self, package: str, decision: Decision) -> None:
        """A decision, in the place of an earlier one on the same question."""
        await self._put(
            self._decisions,
            f"{package}|{decision.key}",
            package=package,
            body=decision.model_dump_json(),
        )

    async def undecide(self, package: str, key: str) -> None:
        """Take a decision back."""
        await self._decisions.delete_one({"_id": f"{package}|{key}"})

    async def decisions(self, package: str) -> list[Decision]:
        """All of a package, by question."""
        found = (
            await self._decisions.find({"package": package})
            .sort("_id", ASCENDING)
            .to_list(None)
        )
        return [Decision.model_validate_json(one["body"]) for one in found]

    async def nominate(self, plan: str, period: str, nomination: Nomination) -> None:
        """A nomination, or its new state."""
        await self._put(
            self._nominations,
            nomination.id,
            plan=plan,
            period=period,
            body=nomination.model_dump_json(),
        )

    async def withdraw(self, key: str) -> None:
        """Take a nomination away, with the personal data in it."""
        await self._nominations.delete_one({"_id": key})

    async def nominations(self, plan: str, period: str) -> list[Nomination]:
        """All of a period, by their ids."""
        wanted = {"plan": plan, "period": period}
        found = await self._nominations.find(wanted).sort("_id", ASCENDING).to_list(None)
        return [Nomination.model_validate_json(one["body"]) for one in found]

    async def keep_part(
        self, plan: str, unit: str, part: str, content: DossierPart | None, at: datetime
    ) -> None:
        """A document of a unit's award dossier; None: it is not there after all. Others are still to be told."""
        change: Document = {
            "$set": {"plan": plan, "unit": unit, "changed_at": at},
            "$inc": {"version": 1},
        }
        if content is None:
            change["$unset"] = {f"parts.{part}": ""}
        else:
            change["$set"][f"parts.{part}"] = content.model_dump(mode="json")
        await self._dossiers.update_one({"_id": f"{plan}|{unit}"}, change, upsert=True)

    async def dossiers(self, plan: str) -> dict[str, dict[str, DossierPart]]:
        """Unit -> part -> what came in."""
        found = await self._dossiers.find({"plan": plan}).sort("_id", ASCENDING).to_list(None)
        return {one["unit"]: _parts(one) for one in found}

    async def untold_papers(self) -> list[Papers]:
        """Award dossiers whose last change is not in the journal yet."""
        found = self._dossiers.find({"$expr": {"$ne": ["$version", "$told"]}})
        return [
            Papers(one["plan"], one["unit"], one["version"], _parts(one), one["changed_at"])
            async for one in found
        ]

    async def told_papers(self, papers: Papers) -> None:
        """This state of a dossier is in the journal."""
        await self._dossiers.update_one(
            {"_id": f"{papers.plan}|{papers.unit}"}, {"$max": {"told": papers.version}}
        )

    async def keep_template(self, name: str, content: bytes | None) -> None:
        """An office's own template; None: the shipped one again."""
        if content is None:
            await self._templates.delete_one({"_id": name})
        else:
            await self._put(self._templates, name, content=Binary(content))

    async def templates(self) -> dict[str, bytes]:
        """Document (or `*`) -> template."""
        found = await self._templates.find({}).sort("_id", ASCENDING).to_list(None)
        return {one["_id"]: bytes(one["content"]) for one in found}

    async def keep_proof(self, frozen: str, proof: Proof) -> None:
        """What recomputing a closing found."""
        await self._put(self._proofs, frozen, **proof.model_dump())

    async def proof(self, frozen: str) -> Proof | None:
        """What recomputing a closing found; None: nobody did it."""
        found = await self._proofs.find_one({"_id": frozen}, {"_id": 0})
        return None if found is None else Proof.model_validate(found)

    @staticmethod
    async def _put(collection: Collection, key: str, /, **fields: Any) -> None:  # noqa: ANN401 - plain values
        await collection.replace_one({"_id": key}, fields, upsert=True)


def _parts(dossier: Document) -> dict[str, DossierPart]:
    return {
        part: DossierPart.model_validate_json(json.dumps(content))
        for part, content in sorted(dossier.get("parts", {}).items())
    }
