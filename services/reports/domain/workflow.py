"""The way of a package: draft, checked, signed, published; back with a reason. Pure transitions, each on record."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from services.reports.domain.decisions import Value
from services.reports.domain.record import Finding, Signatures, Step

State = Literal["draft", "checked", "signed", "published"]


class Build(Value):
    """The archive: which one is wanted, which one is there, how far the next one is."""

    wanted: int = 1
    done: int = 0
    steps: int = 0
    steps_of: int = 0
    sha256: str = ""
    size: int = 0
    error: str = ""

    @property
    def ready(self) -> bool:
        """Whether the archive shows the package as it is now."""
        return self.done == self.wanted


class SignedCopy(Value):
    """A document of a package that somebody signed with a certificate, and what checking it found."""

    document: str
    signer: str
    """As the certificate names it."""
    trusted: bool
    """Its issuer is among those that this system trusts."""
    by: str
    """The account that brought it."""
    at: datetime


class Package(Value):
    """One package as it stands; its id is that of the closing that it is made from."""

    id: str
    plan: str
    period: str
    frozen: str
    state: State = "draft"
    version: int = 1
    """Counts changes, so that of two at once only one holds."""
    dated: date
    signatures: Signatures = Field(default_factory=Signatures)
    options: list[str] = Field(default_factory=list)
    gate: list[Finding] = Field(default_factory=list)
    """What was in the way when it was last looked at."""
    history: list[Step] = Field(default_factory=list)
    build: Build = Field(default_factory=Build)
    announced: list[str] = Field(default_factory=list)
    """Events of it that are in the journal."""

    @property
    def official(self) -> bool:
        """Whether its documents are no longer provisional."""
        return self.state != "draft"

    def last(self, action: str) -> Step | None:
        """The latest step of a kind."""
        return next((step for step in reversed(self.history) if step.action == action), None)


class WorkflowError(Exception):
    """A package cannot take this step; the code says why."""

    def __init__(self, code: str, findings: list[Finding] | None = None) -> None:
        super().__init__(code)
        self.code, self.findings = code, findings or []


def _stepped(package: Package, step: Step, **changes: object) -> Package:
    return package.model_copy(update={"history": [*package.history, step], **changes})


def rebuilt(package: Package) -> Package:
    """The same package, to be built anew."""
    build = package.build.model_copy(update={"wanted": package.build.wanted + 1, "error": ""})
    return package.model_copy(update={"build": build})


def changed(package: Package, **changes: object) -> Package:
    """A draft with other details; only a draft changes.

    Raises:
        WorkflowError: it is no draft.
    """
    if package.state != "draft":
        raise WorkflowError("not_a_draft")
    return rebuilt(package.model_copy(update=changes))


def repeated(package: Package) -> Package:
    """The same package, built once more after a failure; whatever its state, for nothing in it changes.

    Raises:
        WorkflowError: no build of it failed.
    """
    if not package.build.error:
        raise WorkflowError("not_a_draft")
    return rebuilt(package)


def check(package: Package, by: str, at: datetime, gate: list[Finding]) -> Package:
    """Declare a draft complete: nothing may be in its way.

    Raises:
        WorkflowError: it is no draft, or something keeps it provisional.
    """
    if package.state != "draft":
        raise WorkflowError("not_a_draft")
    if gate:
        raise WorkflowError("provisional", gate)
    return rebuilt(
        _stepped(package, Step(action="checked", by=by, at=at), state="checked", gate=[])
    )


def sign(package: Package, by: str, at: datetime) -> Package:
    """Sign what somebody else checked.

    Raises:
        WorkflowError: it is not checked, was checked by the same account, or is not built yet.
    """
    if package.state != "checked":
        raise WorkflowError("not_checked")
    step = package.last("checked")
    if step is not None and step.by == by:
        raise WorkflowError("same_person")
    if not package.build.ready:
        raise WorkflowError("not_built")
    return _stepped(package, Step(action="signed", by=by, at=at), state="signed")


def publish(package: Package, by: str, at: datetime) -> Package:
    """Make a signed package official for everybody.

    Raises:
        WorkflowError: it is not signed.
    """
    if package.state != "signed":
        raise WorkflowError("not_signed")
    return _stepped(package, Step(action="published", by=by, at=at), state="published")


def send_back(package: Package, by: str, at: datetime, reason: str) -> Package:
    """Return a checked or signed package to its makers.

    Raises:
        WorkflowError: it is a draft or published, or no reason is given.
    """
    if package.state not in ("checked", "signed"):
        raise WorkflowError("not_checked")
    if len(reason.strip()) < 10:  # noqa: PLR2004 - a word is no reason
        raise WorkflowError("reason_missing")
    step = Step(action="returned", by=by, at=at, reason=reason.strip())
    return rebuilt(_stepped(package, step, state="draft"))
