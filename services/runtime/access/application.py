"""What can be done with accounts and sessions. Nothing else writes them, and every write is audited first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from services.runtime.access.accounts import (
    Account,
    AccountStore,
    LastAdministratorError,
    LoginTakenError,
    NewAccount,
    grants_in_words,
    new_code,
)
from services.runtime.access.passwords import Passwords, check_rules
from services.runtime.access.sessions import Session, SessionStore, hash_of, new_secret
from services.runtime.access.throttle import Throttle, ThrottledError
from services.runtime.audit import Audit, TellsTime, network_of
from services.runtime.auth import NotFoundError, Principal, Role
from services.runtime.clock import wall_now
from services.runtime.mongo import Database
from services.runtime.settings import Settings

OPERATOR = "operator"
"""Who acts from the command line of the machine."""
NOBODY = "nobody"
LINK_LIFE = timedelta(days=3)


class WrongPasswordError(Exception):
    """Login and password do not belong together; which of them is wrong is not said."""


class UnknownPersonError(Exception):
    """The provider vouches for somebody who has no account here; accounts do not make themselves."""


class LinkSpentError(Exception):
    """A one-time link was used, is too old, or never was."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """From where somebody signs in."""

    address: str
    device: str


class Access:
    """Accounts, sessions, sign-in."""

    def __init__(self, database: Database, clock: TellsTime, settings: Settings) -> None:
        self._accounts = AccountStore(database)
        self._sessions = SessionStore(database, settings)
        self._throttle = Throttle(database)
        self._passwords = Passwords()
        self._audit = Audit(database, clock)

    async def prepare(self) -> None:
        """Create the indexes; harmless when they are there."""
        for store in (self._accounts, self._sessions, self._throttle):
            await store.prepare()

    async def accounts(self) -> list[Account]:
        """Every account, by login."""
        return await self._accounts.all()

    async def account(self, code: str) -> Account:
        """One account.

        Raises:
            NotFoundError: there is none of this code.
        """
        found = await self._accounts.find(code)
        if found is None:
            raise NotFoundError
        return found

    async def by_login(self, login: str) -> Account | None:
        """The account of a login."""
        return await self._accounts.by_login(login)

    async def find_session(self, secret: str) -> Principal | None:
        """Who signed in with a secret, as the account stands at this moment."""
        session = await self._sessions.find(secret)
        account = None if session is None else await self._accounts.find(session.account)
        if session is None or account is None or account.disabled:
            return None
        return account.principal(session.ends_at)

    async def sign_in(self, login: str, password: str, visitor: Visitor) -> str:
        """Start a session; its secret.

        Raises:
            WrongPasswordError, ThrottledError: it does not start.
        """
        account = await self._accounts.by_login(login)
        code = NOBODY if account is None else account.code
        try:
            await self._throttle.enter(
                login if account is None else account.code, visitor.address
            )
        except ThrottledError as error:
            if error.is_first:
                await self._audit.record(NOBODY, "sign_in.throttled", code)
            raise
        kept = None if account is None else await self._accounts.password_of(account.code)
        good = await self._passwords.matches(kept, password)
        if account is None or kept is None or not good or account.disabled:
            raise WrongPasswordError
        await self._throttle.succeeded(account.code, visitor.address)
        if self._passwords.is_outdated(kept):
            await self._accounts.renew_hash(
                account.code, kept, await self._passwords.hash(password)
            )
        return await self.start_session(account, visitor, how="password")

    async def sign_in_proven(self, subject: str, email: str | None, visitor: Visitor) -> str:
        """Start a session for whom the office's provider vouches; its secret.

        At the first time a verified e-mail finds the account with that login; from then on only the subject does.

        Raises:
            UnknownPersonError: there is no such account, or it is disabled.
        """
        account = await self._accounts.by_subject(subject)
        if account is None and email is not None:
            account = await self._accounts.by_login(email)
            if account is None or account.has_subject or account.disabled:
                raise UnknownPersonError
            await self._audit.record(account.code, "subject.bound", account.code)
            await self._accounts.change(account.code, {"subject": subject})
        if account is None or account.disabled:
            raise UnknownPersonError
        return await self.start_session(account, visitor, how="provider")

    async def start_session(self, account: Account, visitor: Visitor, *, how: str) -> str:
        """A session for somebody whose identity was proven."""
        await self._audit.record(
            account.code, "session.started", account.code, detail={"how": how}
        )
        return await self._sessions.start(
            account.code, visitor.device, network_of(visitor.address)
        )

    async def sign_out(self, secret: str) -> None:
        """End the session of a secret; harmless when it has ended."""
        session = await self._sessions.find(secret)
        if session is not None:
            await self._audit.record(session.account, "session.ended", session.account)
            await self._sessions.end(session.account, session.id)

    async def sessions_of(self, code: str) -> list[Session]:
        """Where an account is signed in."""
        return await self._sessions.of(code)

    async def revoke(self, code: str, session: str) -> None:
        """End one session of one's own.

        Raises:
            NotFoundError: it is not there, or somebody else's.
        """
        if session not in {own.id for own in await self._sessions.of(code)}:
            raise NotFoundError
        await self._audit.record(code, "session.revoked", code, detail={"session": session[:8]})
        await self._sessions.end(code, session)

    async def revoke_others(self, code: str, secret: str | None) -> int:
        """End all sessions of one's own but this one; how many there were."""
        await self._audit.record(code, "session.revoked", code, detail={"session": "others"})
        return await self._sessions.end_all(code, None if secret is None else hash_of(secret))

    async def change_password(
        self, code: str, old: str, new: str, visitor: Visitor, secret: str | None = None
    ) -> None:
        """Take a new password from somebody who knows the old one; other sessions end.

        Raises:
            WrongPasswordError, ThrottledError, PasswordRuleError: it stays as it is.
        """
        account = await self.account(code)
        check_rules(new, account.login)
        await self._throttle.enter(code, visitor.address)
        if not await self._passwords.matches(await self._accounts.password_of(code), old):
            raise WrongPasswordError
        await self._throttle.succeeded(code, visitor.address)
        kept = await self._passwords.hash(new)
        await self._audit.record(code, "password.changed", code)
        await self._accounts.change(code, {"password": kept})
        await self._accounts.drop_link(code)
        await self._sessions.end_all(code, None if secret is None else hash_of(secret))

    async def add(self, actor: str, new: NewAccount) -> Account:
        """Make an account; it cannot sign in before its link was used.

        Raises:
            LoginTakenError: the login is somebody's.
        """
        if await self._accounts.by_login(new.login) is not None:
            raise LoginTakenError
        code = new_code()
        detail = {"grants": grants_in_words(new.grants), "belongs_to": " ".join(new.belongs_to)}
        await self._audit.record(actor, "account.made", code, detail=detail)
        return await self._accounts.add(code, new)

    async def change(
        self, actor: str, code: str, changes: Mapping[str, object], reason: str = ""
    ) -> Account:
        """Set name, grants, belongs_to or disabled; holds from the next request on.

        Raises:
            NotFoundError, LastAdministratorError: nothing changed.
        """
        account = await self.account(code)
        new = Account.model_validate({**account.model_dump(), **changes})
        if account.administers and not new.administers:
            await self._refuse_without_administrator(code)
        detail: dict[str, str | int | bool] = {
            "grants": grants_in_words(new.grants),
            "belongs_to": " ".join(new.belongs_to),
            "disabled": new.disabled,
        }
        await self._audit.record(actor, "account.changed", code, reason=reason, detail=detail)
        stored = new.model_dump(mode="json", include=set(changes))
        changed = await self._accounts.change(code, stored)
        if changed is None:
            raise NotFoundError
        if new.disabled:
            await self._sessions.end_all(code)
            await self._accounts.drop_link(code)
        return changed

    async def _refuse_without_administrator(self, code: str) -> None:
        others = [a for a in await self._accounts.all() if a.code != code and a.administers]
        if not others:
            raise LastAdministratorError

    async def make_link(self, actor: str, code: str) -> str:
        """The code of a one-time link with which a person sets a password; an older link is good no longer.

        Raises:
            NotFoundError: there is no such account.
        """
        await self.account(code)
        secret = new_secret()
        await self._audit.record(actor, "link.made", code)
        link = {"hash": hash_of(secret), "ends_at": wall_now() + LINK_LIFE}
        await self._accounts.change(code, {"link": link})
        return secret

    async def behind_link(self, link: str) -> Account:
        """Whose link it is.

        Raises:
            LinkSpentError: it is good no longer.
        """
        found = await self._accounts.by_link(hash_of(link))
        if found is None:
            raise LinkSpentError
        return found

    async def welcome(self, link: str, password: str, visitor: Visitor) -> str:
        """Set the password of whom the link belongs to, and sign in: the new session's secret.

        Raises:
            LinkSpentError, PasswordRuleError: nothing changed.
        """
        account = await self.behind_link(link)
        check_rules(password, account.login)
        kept = await self._passwords.hash(password)
        await self._audit.record(account.code, "password.changed", account.code)
        if not await self._accounts.use_link(hash_of(link), kept):
            raise LinkSpentError
        await self._sessions.end_all(account.code)
        return await self.start_session(account, visitor, how="link")

    async def first_administrator(self, login: str, name: str) -> str | None:
        """The code of a link for a first administrator; None when one can sign in."""
        administrators = [a for a in await self._accounts.all() if a.administers]
        if any(account.may_sign_in for account in administrators):
            return None
        first = next(iter(administrators), None)
        if first is None:
            if await self._accounts.by_login(login) is not None:
                login = f"{login}-{new_code()}"
            new = NewAccount(login=login, name=name, grants={Role.ADMIN: []})
            first = await self.add(OPERATOR, new)
        return await self.make_link(OPERATOR, first.code)
