"""Packages over HTTP: their state, what keeps them provisional, decisions, the way to published, their files."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from services.reports.application import Packages
from services.reports.archives import Archives
from services.reports.domain.decisions import Choice, Decision, Item, Present
from services.reports.domain.figures import outcomes_of
from services.reports.domain.record import Signatures
from services.reports.domain.workflow import Package, SignedCopy, WorkflowError
from services.reports.refusals import Refusal
from services.reports.render.signing import SigningError, signature_of
from services.runtime.access.guard import Guard
from services.runtime.access.rules import access
from services.runtime.audit import Audit
from services.runtime.auth import Role
from services.runtime.clock import Clock

WHO_SEES = (Role.REVIEWER, Role.LEADER, Role.OBSERVER, Role.VIEWER)
MEDIA = {
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".json": "application/json",
    ".zip": "application/zip",
}
FILE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


class Answer(BaseModel):
    """An answer to an open question."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=200)
    choice: str = Field(max_length=40)
    order: list[str] = Field(default_factory=list, max_length=5_000)
    reason: str = Field(min_length=10, max_length=2_000)
    present: list[Present] = Field(min_length=1, max_length=40)


class Details(BaseModel):
    """What people fill in on the documents."""

    model_config = ConfigDict(extra="forbid")

    dated: date = Field(examples=["2024-01-09"])
    signatures: Signatures = Field(default_factory=Signatures)
    options: list[str] = Field(default_factory=list, max_length=10)


class Back(BaseModel):
    """Why a package is returned."""

    reason: str = Field(max_length=2_000)


class Office:
    """What a person may do with packages: recorded first, then done."""

    def __init__(
        self, packages: Packages, archives: Archives, audit: Audit, clock: Clock
    ) -> None:
        self.packages = packages
        self.archives = archives
        self._audit = audit
        self._clock = clock

    async def record(self, by: str, action: str, subject: str, reason: str = "") -> None:
        """Write down who did what."""
        await self._audit.record(by, f"package.{action}", subject, reason=reason)

    async def decide(self, key: str, by: str, answer: Answer) -> None:
        """Take a decision."""
        decision = Decision(
            key=answer.key,
            choice=Choice(choice=answer.choice, order=answer.order),
            reason=answer.reason,
            present=answer.present,
            by=by,
            at=self._clock.now(),
        )
        await self.record(by, "decide", f"{key}|{answer.key}")
        await self.packages.decide(key, decision)

    async def confirm(self, key: str, by: str, item: str) -> None:
        """Confirm one."""
        await self.record(by, "confirm", f"{key}|{item}")
        await self.packages.confirm(key, item, by)

    async def undecide(self, key: str, by: str, item: str) -> None:
        """Take one back."""
        await self.record(by, "undecide", f"{key}|{item}")
        await self.packages.undecide(key, item)

    async def step(self, action: str, key: str, by: str, reason: str = "") -> Package:
        """One step on the way."""
        await self.record(by, action, key, reason)
        match action:
            case "check":
                return await self.packages.check(key, by)
            case "sign":
                return await self.packages.sign(key, by)
            case "publish":
                return await self.packages.publish(key, by)
            case "refresh":
                return await self.packages.refresh(key)
            case _:
                return await self.packages.send_back(key, by, reason)

    async def add_signed(self, key: str, by: str, document: str, content: bytes) -> None:
        """Keep a signed copy of a document, when it is one.

        Raises:
            SigningError: it has no intact signature, or is not this package's document.
            WorkflowError: the package is a draft: its documents still change.
        """
        package = await self.packages.get(key)
        if package.state == "draft" or not package.build.ready:
            raise WorkflowError("not_checked" if package.state == "draft" else "not_built")
        original = await self.archives.file(package, f"{document}.pdf")
        found = await asyncio.to_thread(signature_of, content, original)
        if not (found.intact and found.same):
            code = "other_document" if found.intact else "signature_broken"
            raise SigningError(document, code)
        await self.record(by, "signed_copy", f"{key}|{document}")
        copy = SignedCopy(
            document=document,
            signer=found.signer,
            trusted=found.trusted,
            by=by,
            at=self._clock.now(),
        )
        await self.packages.store.keep_signed(key, package.build.done, copy, content)


STEPS: dict[str, tuple[Role, ...]] = {
    "refresh": (Role.REVIEWER,),
    "check": (Role.REVIEWER,),
    "sign": (Role.LEADER,),
    "publish": (Role.LEADER, Role.REVIEWER),
    "return": (Role.LEADER, Role.REVIEWER),
}
"""Who may take which step."""


def package_json(package: Package) -> dict[str, Any]:
    """A package as the list shows it."""
    return package.model_dump(
        mode="json",
        include={
            "id",
            "plan",
            "period",
            "state",
            "dated",
            "gate",
            "build",
            "history",
            "version",
        },
    )


def item_json(item: Item, decision: Decision | None) -> dict[str, Any]:
    """A question, with the decision on it."""
    shown = item.model_dump(mode="json")
    shown["decision"] = None if decision is None else decision.model_dump(mode="json")
    return shown


def packages_api(office: Office, guard: Guard) -> APIRouter:
    """The routes below `/api/v1/packages`."""
    router = APIRouter(prefix="/api/v1/packages", tags=["packages"])
    _add_reading(router, office, guard)
    _add_deciding(router, office, guard)
    _add_steps(router, office, guard)
    _add_files(router, office, guard)
    return router


def _add_reading(router: APIRouter, office: Office, guard: Guard) -> None:
    @router.get("", openapi_extra=access(*WHO_SEES))
    async def list_packages(request: Request) -> list[dict[str, Any]]:
        """All packages."""
        await guard.require(request, *WHO_SEES)
        return [package_json(package) for package in await office.packages.store.packages()]

    @router.get("/{package}", openapi_extra=access(*WHO_SEES))
    async def read_package(request: Request, package: str) -> dict[str, Any]:
        """One package: its state, what keeps it provisional, its questions."""
        await guard.require(request, *WHO_SEES)
        found = await office.packages.get(package)
        record = await office.packages.record(found)
        decisions = {decision.key: decision for decision in record.decisions}
        items = [item for outcome in outcomes_of(record).values() for item in outcome.items]
        gate = await office.packages.look(found, record) if found.state == "draft" else []
        return package_json(found) | {
            "gate": [finding.model_dump() for finding in gate],
            "items": [item_json(item, decisions.get(item.key)) for item in items],
        }


def _add_deciding(router: APIRouter, office: Office, guard: Guard) -> None:
    @router.post("/{package}/decisions", status_code=201, openapi_extra=access(Role.REVIEWER))
    async def decide(request: Request, package: str, answer: Answer) -> dict[str, str]:
        """Answer a question; it counts once another account confirms it."""
        who = await guard.require(request, Role.REVIEWER)
        await office.decide(package, who.subject, answer)
        return {"key": answer.key}

    @router.post(
        "/{package}/decisions/{key}/confirm", openapi_extra=access(Role.REVIEWER, Role.LEADER)
    )
    async def confirm(request: Request, package: str, key: str) -> dict[str, str]:
        """Confirm an answer that somebody else gave."""
        who = await guard.require(request, Role.REVIEWER, Role.LEADER)
        await office.confirm(package, who.subject, key)
        return {"key": key}

    @router.delete(
        "/{package}/decisions/{key}", status_code=204, openapi_extra=access(Role.REVIEWER)
    )
    async def undecide(request: Request, package: str, key: str) -> None:
        """Take an answer back."""
        who = await guard.require(request, Role.REVIEWER)
        await office.undecide(package, who.subject, key)


def _add_steps(router: APIRouter, office: Office, guard: Guard) -> None:
    @router.put("/{package}/details", openapi_extra=access(Role.REVIEWER))
    async def describe(request: Request, package: str, details: Details) -> dict[str, Any]:
        """Date, numbers, names of signers, optional documents."""
        who = await guard.require(request, Role.REVIEWER)
        await office.record(who.subject, "describe", package)
        changed = await office.packages.describe(
            package, details.dated, details.signatures, details.options
        )
        return package_json(changed)

    @router.post("/{package}/return", openapi_extra=access(*STEPS["return"]))
    async def send_back(request: Request, package: str, back: Back) -> dict[str, Any]:
        """Return a checked or signed package, with a reason."""
        who = await guard.require(request, *STEPS["return"])
        return package_json(await office.step("return", package, who.subject, back.reason))

    for action in ("refresh", "check", "sign", "publish"):
        _add_step(router, office, guard, action)


def _add_step(router: APIRouter, office: Office, guard: Guard, action: str) -> None:
    async def step(request: Request, package: str) -> dict[str, Any]:
        who = await guard.require(request, *STEPS[action])
        return package_json(await office.step(action, package, who.subject))

    router.post(
        f"/{{package}}/{action}",
        name=action,
        summary=f"{action.title()} a package",
        openapi_extra=access(*STEPS[action]),
    )(step)


def _add_files(router: APIRouter, office: Office, guard: Guard) -> None:
    @router.get("/{package}/archive", openapi_extra=access(*WHO_SEES))
    async def archive(request: Request, package: str) -> Response:
        """The whole package as one ZIP file."""
        await guard.require(request, *WHO_SEES)
        found = await office.packages.get(package)
        path = await office.archives.path(found)
        name = f"{package.replace(':', '-')}.zip"
        headers = {**FILE_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(path.read_bytes(), media_type=MEDIA[".zip"], headers=headers)

    @router.get("/{package}/files", openapi_extra=access(*WHO_SEES))
    async def names(request: Request, package: str) -> list[str]:
        """The files in it."""
        await guard.require(request, *WHO_SEES)
        return await office.archives.names(await office.packages.get(package))

    @router.get("/{package}/files/{name:path}", openapi_extra=access(*WHO_SEES))
    async def one_file(request: Request, package: str, name: str) -> Response:
        """One file of it; PDF and JSON are shown, the others saved."""
        await guard.require(request, *WHO_SEES)
        content = await office.archives.file(await office.packages.get(package), name)
        kind = Path(name).suffix
        how = "inline" if kind in {".pdf", ".json"} else "attachment"
        saved = Path(name).name
        headers = {**FILE_HEADERS, "Content-Disposition": f'{how}; filename="{saved}"'}
        media = MEDIA.get(kind, "application/octet-stream")
        return Response(content, media_type=media, headers=headers)


def refused(found: Refusal) -> JSONResponse:
    """The refusal as JSON."""
    body: dict[str, Any] = {"error": found.code, "vi": found.vi, "en": found.en}
    if found.findings:
        body["findings"] = [finding.model_dump() for finding in found.findings]
    return JSONResponse(body, found.status)
