"""Accounts: who may sign in, and what they may do. Kept in the database `accounts`."""

import secrets
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.runtime.auth import Principal, Role
from services.runtime.clock import wall_now
from services.runtime.mongo import Collection, Database, Document

NEED_UNITS = frozenset({Role.OFFICER, Role.HEAD})
"""Roles that make no sense without naming units."""
FOR_PROGRAMS = frozenset({Role.PORTAL, Role.VIEWER})
"""Roles that only tokens have."""
FOR_PEOPLE = tuple(role for role in Role if role not in FOR_PROGRAMS)
MOST_UNITS = 5_000
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def new_code() -> str:
    """A code that tells nothing about the person."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


def normal_login(text: str) -> str:
    """A login as it is compared: composed, without case and surrounding space."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _checked_grants(grants: dict[Role, list[str]]) -> dict[Role, list[str]]:
    for role, units in grants.items():
        if role in FOR_PROGRAMS:
            raise ValueError(f"the role {role} is for programs: make a token")
        if role in NEED_UNITS and not units:
            raise ValueError(f"the role {role} needs at least one unit")
    return {role: sorted(set(units)) for role, units in grants.items()}


UnitCode = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
Units = Annotated[list[UnitCode], Field(max_length=MOST_UNITS)]
Grants = Annotated[dict[Role, Units], AfterValidator(_checked_grants)]
Login = Annotated[
    str,
    AfterValidator(normal_login),
    StringConstraints(min_length=2, max_length=200, pattern=r"^[^\s\x00-\x1f/\\]+$"),
]
Name = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f]+$"
    ),
]


def grants_in_words(grants: Mapping[Role, list[str]]) -> str:
    """Such as `officer(31399 31402) reviewer`."""
    return " ".join(
        f"{role}({' '.join(units)})" if units else str(role)
        for role, units in sorted(grants.items())
    )


class NewAccount(BaseModel):
    """What an administrator says of a person."""

    model_config = ConfigDict(extra="forbid")

    login: Login
    name: Name
    grants: Grants
    belongs_to: Units = []


class Account(BaseModel):
    """One person's account, without its secrets."""

    model_config = ConfigDict(frozen=True)

    code: str
    login: str
    name: str
    grants: dict[Role, list[str]]
    belongs_to: list[str] = []
    disabled: bool = False
    has_password: bool = False
    has_subject: bool = False
    made_at: datetime
    changed_at: datetime

    @property
    def may_sign_in(self) -> bool:
        """Whether a way to sign in is set up and not closed."""
        return not self.disabled and (self.has_password or self.has_subject)

    @property
    def administers(self) -> bool:
        """Whether it is an administrator's, and open."""
        return Role.ADMIN in self.grants and not self.disabled

    def principal(self, ends_at: datetime) -> Principal:
        """What the guard sees of it in a session that lasts so long."""
        grants = {role: frozenset(units) for role, units in self.grants.items()}
        return Principal(self.code, grants, ends_at, frozenset(self.belongs_to), self.name)


class AccountError(Exception):
    """What an administrator asked cannot be done; says so in both languages."""

    code: ClassVar[str]
    vi: ClassVar[str]
    en: ClassVar[str]

    def __str__(self) -> str:
        return self.en


class LoginTakenError(AccountError):
    """Two accounts would have the same login."""

    code = "login_taken"
    vi = "Tên đăng nhập này đã có người dùng. Hãy chọn tên khác."
    en = "Somebody has this login already. Choose another."


class LastAdministratorError(AccountError):
    """Nobody could administer any more."""

    code = "last_administrator"
    vi = "Đây là quản trị viên cuối cùng đang hoạt động: hãy giao quyền quản trị cho người khác trước."
    en = "This is the last active administrator: make somebody else one first."


class AccountStore:
    """The collection `accounts`."""

    def __init__(self, database: Database) -> None:
        self._accounts: Collection = database["accounts"]

    async def prepare(self) -> None:
        """Create the indexes; harmless when they are there."""
        await self._accounts.create_index("login", unique=True)
        await self._accounts.create_index(
            "subject", unique=True, partialFilterExpression={"subject": {"$type": "string"}}
        )
        await self._accounts.create_index("link.hash", sparse=True)

    async def add(self, code: str, new: NewAccount) -> Account:
        """Keep a new one under a code of its own.

        Raises:
            LoginTakenError: the login is somebody's.
        """
        now = wall_now()
        stored: Document = {
            "_id": code,
            **new.model_dump(mode="json"),
            "made_at": now,
            "changed_at": now,
        }
        try:
            await self._accounts.insert_one(stored)
        except DuplicateKeyError:
            raise LoginTakenError from None
        return _account(stored)

    async def all(self) -> list[Account]:
        """Every account, by login."""
        found = await self._accounts.find({}).sort("login", 1).to_list(None)
        return [_account(stored) for stored in found]

    async def find(self, code: str) -> Account | None:
        """The account of a code."""
        return await self._one({"_id": code})

    async def by_login(self, login: str) -> Account | None:
        """The account of a login."""
        return await self._one({"login": normal_login(login)})

    async def by_subject(self, subject: str) -> Account | None:
        """The account of somebody whom the office's provider knows."""
        return await self._one({"subject": subject})

    async def by_link(self, link_hash: str) -> Account | None:
        """The account to which a one-time link belongs, while it is good."""
        return await self._one(_good_link(link_hash))

    async def password_of(self, code: str) -> str | None:
        """The hash of an account's password."""
        stored = await self._accounts.find_one({"_id": code}, {"password": 1})  # nosec B105  # a field to read
        return stored.get("password") if stored else None

    async def change(self, code: str, changes: Mapping[str, object]) -> Account | None:
        """Set some fields; None: there is no such account."""
        stored: Document | None = await self._accounts.find_one_and_update(
            {"_id": code},
            {"$set": {**changes, "changed_at": wall_now()}},
            return_document=ReturnDocument.AFTER,
        )
        return None if stored is None else _account(stored)

    async def renew_hash(self, code: str, old: str, new: str) -> None:
        """The same password, kept with today's parameters; not if it was changed meanwhile."""
        await self._accounts.update_one(
            {"_id": code, "password": old}, {"$set": {"password": new}}
        )

    async def use_link(self, link_hash: str, password: str) -> bool:
        """Spend a one-time link on a password, in one step; False when it is spent: of two at once one gets it."""
        changed = await self._accounts.update_one(
            _good_link(link_hash),
            {"$set": {"password": password, "changed_at": wall_now()}, "$unset": {"link": ""}},
        )
        return changed.modified_count == 1

    async def drop_link(self, code: str) -> None:
        """An unused link is good no longer."""
        await self._accounts.update_one({"_id": code}, {"$unset": {"link": ""}})

    async def _one(self, wanted: Document) -> Account | None:
        stored = await self._accounts.find_one(wanted)
        return None if stored is None else _account(stored)


def _good_link(link_hash: str) -> Document:
    return {
        "link.hash": link_hash,
        "link.ends_at": {"$gt": wall_now()},
        "disabled": {"$ne": True},
    }


def _account(stored: Document) -> Account:
    return Account(
        code=stored["_id"],
        has_password=bool(stored.get("password")),
        has_subject=bool(stored.get("subject")),
        **{key: stored[key] for key in Account.model_fields if key in stored},
    )
