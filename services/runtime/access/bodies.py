"""What the API of accounts and sessions takes and gives."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.runtime.access.accounts import Account, Grants, Name, NewAccount, Units
from services.runtime.access.sessions import Session
from services.runtime.auth import Principal

ONE_PERSON: dict[str, Any] = {
    "login": "lan.tanbinh",
    "name": "Nguyễn Thị Lan",
    "grants": {"officer": ["31399"]},
    "belongs_to": ["31399"],
}


class Problem(BaseModel):
    """Why something was refused, in both languages."""

    error: str
    vi: str
    en: str


class Whoami(BaseModel):
    """Who sends a request, and what they may do."""

    code: str
    name: str
    grants: dict[str, list[str]]
    """Role -> units it is limited to; an empty list: not limited."""
    belongs_to: list[str]
    expires_at: datetime

    @classmethod
    def of(cls, principal: Principal) -> "Whoami":
        """As the guard found them."""
        return cls(
            code=principal.subject,
            name=principal.name,
            grants={role: sorted(units) for role, units in principal.grants.items()},
            belongs_to=sorted(principal.belongs_to),
            expires_at=principal.expires_at,
        )


class SignIn(BaseModel):
    """Who wants in."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"login": "lan.tanbinh", "password": "một câu ngắn dễ nhớ"}  # nosec B105  # invented
        }
    )

    login: str = Field(max_length=200)
    password: str = Field(max_length=1_000)


class PasswordChange(BaseModel):
    """A new password, from somebody who knows the old one."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"old": "một câu ngắn dễ nhớ", "new": "một câu khác hẳn"}}
    )

    old: str = Field(max_length=1_000)
    new: str = Field(max_length=1_000)


class OwnSession(BaseModel):
    """Where one is signed in."""

    id: str
    made_at: datetime
    used_at: datetime
    ends_at: datetime
    device: str
    network: str
    current: bool

    @classmethod
    def of(cls, session: Session, this: str) -> "OwnSession":
        """One of them; `this` is the id of the one that asks."""
        return cls(
            id=session.id,
            made_at=session.made_at,
            used_at=session.used_at,
            ends_at=session.ends_at,
            device=session.device,
            network=session.network,
            current=session.id == this,
        )


class NewPerson(NewAccount):
    """A person to make an account for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": ONE_PERSON})


class Invited(BaseModel):
    """An account and the link with which the person sets a password."""

    account: Account
    link: str
    """Path on this site; good once, for three days."""


class PersonChange(BaseModel):
    """What changes of an account; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"grants": {"reviewer": []}, "reason": "chuyển công tác từ 01/8"}
        },
    )

    name: Name | None = None
    grants: Grants | None = None
    belongs_to: Units | None = None
    disabled: bool | None = None
    reason: str = Field("", max_length=500)
