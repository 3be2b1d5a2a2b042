"""The commands about people and about the audit: `thidua person`, `thidua audit`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.attaching import say, with_system

if TYPE_CHECKING:
    from services.runtime.access.accounts import NewAccount
    from services.runtime.access.application import Access
    from services.runtime.resources import Resources

Data = Annotated[Path, typer.Option("--data", help="Folder that holds everything.")]
person_commands = typer.Typer(help="Accounts of people who sign in.", no_args_is_help=True)
audit_commands = typer.Typer(
    help="Who did what: check the chain, write it out.", no_args_is_help=True
)
NOT_RUNNING = "http://127.0.0.1:8000"
"""Where a link leads when nothing runs: the address that `thidua up` takes by itself."""
FIRST_LOGIN, FIRST_NAME = "admin", "Quản trị viên"


def welcome_address(address: str | None, code: str) -> str:
    """Where somebody sets a password."""
    return f"{address or NOT_RUNNING}/welcome?code={code}"


async def first_link(own: "Resources", address: str) -> str | None:
    """The link of the first administrator; None when one can sign in."""
    from services.runtime.access.app import access_of  # noqa: PLC0415

    access = access_of(own)
    await access.prepare()
    code = await access.first_administrator(FIRST_LOGIN, FIRST_NAME)
    return None if code is None else welcome_address(address, code)


@person_commands.command("add")
def add(
    login: Annotated[str, typer.Option(help="What the person signs in with.")],
    name: Annotated[str, typer.Option(help="What the person is called.")],
    role: Annotated[
        list[str],
        typer.Option(help="officer, head, reviewer, observer, leader or admin; repeatable."),
    ],
    unit: Annotated[
        list[str] | None,
        typer.Option(help="Code of a unit that the roles are limited to; repeatable."),
    ] = None,
    belongs_to: Annotated[
        list[str] | None,
        typer.Option(help="Code of the person's own unit, whose claims they never review."),
    ] = None,
    data: Data = Path(".data"),
) -> None:
    """Make an account and print a one-time link with which the person sets a password."""
    from services.runtime.access.application import OPERATOR  # noqa: PLC0415

    async def work(own: "Resources", address: str | None) -> int:
        access = await _access(own)
        account = await access.add(OPERATOR, _new(login, name, role, unit, belongs_to))
        code = await access.make_link(OPERATOR, account.code)
        say(welcome_address(address, code))
        return 0

    with_system(data, work)


@person_commands.command("list")
def list_people(data: Data = Path(".data")) -> None:
    """Show every account: code, login, name, roles, whether it can sign in."""

    async def work(own: "Resources", _: str | None) -> int:
        accounts = await (await _access(own)).accounts()
        for account in accounts:
            roles = ", ".join(
                f"{role} ({' '.join(units) or 'all units'})"
                for role, units in account.grants.items()
            )
            state = "disabled" if account.disabled else "signs in"
            if not account.disabled and not account.may_sign_in:
                state = "has set no password yet"
            say(f"{account.code}  {account.login}  {account.name}  {roles}  {state}")
        say(f"{len(accounts)} accounts")
        return 0

    with_system(data, work)


@person_commands.command("link")
def link(
    login: Annotated[str, typer.Argument(help="Login of the account.")],
    data: Data = Path(".data"),
) -> None:
    """Print a new one-time link to set a password; an older one is good no longer."""
    from services.runtime.access.application import OPERATOR  # noqa: PLC0415

    async def work(own: "Resources", address: str | None) -> int:
        access = await _access(own)
        account = await access.by_login(login)
        if account is None or account.disabled:
            why = "is disabled" if account else "does not exist: see `thidua person list`"
            sys.stderr.write(f"thidua: the account {login!r} {why}\n")
            return 1
        say(welcome_address(address, await access.make_link(OPERATOR, account.code)))
        return 0

    with_system(data, work)


@audit_commands.command("verify")
def verify(data: Data = Path(".data")) -> None:
    """Recompute the chain of every service and compare it with its anchors; exit 1 and what is wrong, if anything."""
    from services.runtime.audit import SHOWN_FAULTS, audited_services, verify  # noqa: PLC0415

    async def work(own: "Resources", _: str | None) -> int:
        wrong = 0
        for service in await audited_services(own.client, own.settings):
            verdict = await verify(own.client, own.settings, service)
            wrong += len(verdict.faults)
            for fault in verdict.faults[:SHOWN_FAULTS]:
                say(f"{service}: {fault}")
            say(f"{service}: {verdict.entries:,} entries, last hash {verdict.last_hash}")
        say(f"{wrong} faults")
        return 1 if wrong else 0

    with_system(data, work)


@audit_commands.command("export")
def export(
    data: Data = Path(".data"),
    service: Annotated[str | None, typer.Option(help="Only this one.")] = None,
) -> None:
    """Print all entries as lines of JSON, each with the hash that covers it and all before it."""
    import json  # noqa: PLC0415

    from services.runtime.audit import audited_services, canonical, read_entries  # noqa: PLC0415

    async def work(own: "Resources", _: str | None) -> int:
        for name in await audited_services(own.client, own.settings):
            if service not in {None, name}:
                continue
            async for entry in read_entries(own.client, own.settings, name):
                said = {"service": name, **json.loads(canonical(entry)), "hash": entry["hash"]}
                say(json.dumps(said, ensure_ascii=False))
        return 0

    with_system(data, work)


async def _access(own: "Resources") -> "Access":
    from services.runtime.access.app import access_of  # noqa: PLC0415

    access = access_of(own)
    await access.prepare()
    return access


def _new(
    login: str,
    name: str,
    roles: list[str],
    units: list[str] | None,
    belongs_to: list[str] | None,
) -> "NewAccount":
    from pydantic import ValidationError  # noqa: PLC0415

    from services.runtime.access.accounts import NewAccount  # noqa: PLC0415

    try:
        return NewAccount.model_validate(
            {
                "login": login,
                "name": name,
                "grants": {role: units or [] for role in roles},
                "belongs_to": belongs_to or [],
            }
        )
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise typer.BadParameter(said) from None
