"""The commands for senders: `thidua source …` and `thidua alias …`."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.attaching import say, with_system

if TYPE_CHECKING:
    from services.runtime.mongo import Database
    from services.runtime.resources import Resources

Data = Annotated[Path, typer.Option("--data", help="Folder that holds everything.")]
Name = Annotated[str, typer.Argument(help="Lower-case letters, digits, dots, hyphens.")]
MOST_FAULTS = 20
"""Told of a file at a time."""
source_commands = typer.Typer(help="Senders and their credentials.", no_args_is_help=True)
alias_commands = typer.Typer(help="Names of units as senders write them.", no_args_is_help=True)


class SourceError(Exception):
    """A source or an alias cannot be made so; says why."""


def _database(own: "Resources") -> "Database":
    from services.runtime import mongo  # noqa: PLC0415

    return mongo.database(own.client, own.settings, "intake")


@source_commands.command("add")
def add_source(
    name: Name,
    data: Data = Path(".data"),
    per_minute: Annotated[
        int, typer.Option(min=1, help="Requests that it may send in a minute.")
    ] = 6_000,
    certificate: Annotated[
        str, typer.Option(help="Subject of its client certificate, as the proxy tells it.")
    ] = "",
    days: Annotated[float, typer.Option(min=0.0001, max=3650, help="Life of its token.")] = 365,
    *,
    signed: Annotated[bool, typer.Option(help="Every request must be signed.")] = False,
) -> None:
    """Make a source, or give one new credentials; prints them once."""
    from datetime import timedelta  # noqa: PLC0415

    from argon2 import PasswordHasher  # noqa: PLC0415

    from services.intake.portal.trust import NAME, SUBJECT, Source, SourceStore  # noqa: PLC0415
    from services.runtime.auth import Keys, Role, issue  # noqa: PLC0415

    if not NAME.match(name):
        raise SourceError(f"{name!r} is no name of a source: lower-case letters, digits, . _ -")
    password, secret = secrets.token_urlsafe(18), secrets.token_hex(32)

    async def work(own: "Resources", _: str | None) -> int:
        hashed = PasswordHasher().hash(password)
        source = Source(name, hashed, secret, signed, certificate, per_minute)
        await SourceStore(_database(own)).put(source)
        key = Keys(data / "keys").signing()
        token = issue(key, Role.PORTAL, subject=SUBJECT + name, lifetime=timedelta(days=days))
        say(f"source    {name}")
        say(f"username  {name}")
        say(f"password  {password}")
        say(f"secret    {secret}{'' if signed else '  (only for a source that signs)'}")
        say(f"token     {token}")
        return 0

    with_system(data, work)


@source_commands.command("list")
def list_sources(data: Data = Path(".data")) -> None:
    """Show the sources, without their secrets."""
    from services.intake.portal.pull import PullStore  # noqa: PLC0415
    from services.intake.portal.trust import SourceStore  # noqa: PLC0415

    async def work(own: "Resources", _: str | None) -> int:
        pulled = await PullStore(_database(own)).apis()
        sources = await SourceStore(_database(own)).all()
        for source in sources.values():
            words = [f"{source.per_minute}/min"]
            words += ["signed"] if source.signed else []
            words += ["certificate"] if source.certificate else []
            words += (
                [f"fetched from {pulled[source.name].url}"] if source.name in pulled else []
            )
            words += ["closed"] if source.disabled else []
            say(f"{source.name:<24} {', '.join(words)}")
        say(f"{len(sources)} sources")
        return 0

    with_system(data, work)


@source_commands.command("close")
def close_source(name: Name, data: Data = Path(".data")) -> None:
    """Let a source send nothing any more; what it sent stays."""
    from dataclasses import replace  # noqa: PLC0415

    from services.intake.portal.trust import SourceStore  # noqa: PLC0415

    async def work(own: "Resources", _: str | None) -> int:
        store = SourceStore(_database(own))
        source = (await store.all()).get(name)
        if source is None:
            raise SourceError(f"there is no source {name!r}")
        await store.put(replace(source, disabled=True))
        say(f"{name} is closed")
        return 0

    with_system(data, work)


@source_commands.command("fetch")
def fetch_source(  # noqa: PLR0913, PLR0917 - one parameter for each option
    name: Name,
    url: Annotated[str, typer.Argument(help="Address that is asked.")],
    data: Data = Path(".data"),
    authorization: Annotated[str, typer.Option(help="Value of the header Authorization.")] = "",
    since_name: Annotated[str, typer.Option(help="Parameter of the beginning.")] = "tuNgay",
    until_name: Annotated[str, typer.Option(help="Parameter of the end.")] = "denNgay",
    page_name: Annotated[str, typer.Option(help="Parameter of the page, from 1.")] = "trang",
    form: Annotated[str, typer.Option(help="compact, iso or date.")] = "compact",
    every: Annotated[int, typer.Option(min=1, help="Seconds between two fetches.")] = 300,
    overlap: Annotated[int, typer.Option(min=0, help="Seconds asked for again.")] = 3_600,
) -> None:
    """Fetch from a portal that only offers an API to ask."""
    from services.intake.portal.pull import FORMS, Api, PullStore  # noqa: PLC0415
    from services.intake.portal.trust import NAME  # noqa: PLC0415

    if not NAME.match(name) or form not in FORMS or not url.startswith(("http://", "https://")):
        raise SourceError("needs a name, an http address and a form: compact, iso or date")
    api = Api(url, authorization, since_name, until_name, page_name, form, every, overlap)

    async def work(own: "Resources", _: str | None) -> int:
        await PullStore(_database(own)).set_api(name, api)
        say(f"{name} is fetched from {url} every {every} s")
        return 0

    with_system(data, work)


@alias_commands.command("import")
def import_aliases(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX with the columns name, unit.")],
    data: Data = Path(".data"),
    source: Annotated[str, typer.Option(help="Only for this source; *: for all.")] = "*",
) -> None:
    """Say which units names mean; what waits for one is counted within seconds."""
    from services.intake.portal.directory import AliasStore  # noqa: PLC0415
    from services.intake.portal.names_file import read_names  # noqa: PLC0415
    from services.intake.portal.rows import SheetError  # noqa: PLC0415
    from services.publishing import published  # noqa: PLC0415

    async def work(own: "Resources", _: str | None) -> int:
        units = {unit.code async for plan in published(own) for unit in plan.units}
        try:
            with file.open("rb") as content:
                names, faults = read_names(content, source, units)
        except SheetError as error:
            raise SourceError(
                f"{file} is no CSV or XLSX that can be read: {error.code}"
            ) from None
        if faults:
            more = f"\n... and {len(faults) - MOST_FAULTS} more" * (len(faults) > MOST_FAULTS)
            told = "\n".join(faults[:MOST_FAULTS]) + more
            raise SourceError(f"{file} was not taken, no name was changed:\n{told}")
        await AliasStore(_database(own)).add(names, "command line")
        say(f"{len(names)} names known")
        return 0

    with_system(data, work)


@alias_commands.command("list")
def list_aliases(data: Data = Path(".data")) -> None:
    """Show the names that are known."""
    from services.intake.portal.directory import AliasStore  # noqa: PLC0415

    async def work(own: "Resources", _: str | None) -> int:
        found = await AliasStore(_database(own)).listed()
        for alias in found:
            say(f"{alias.source:<24} {alias.unit:<10} {alias.name}")
        say(f"{len(found)} names")
        return 0

    with_system(data, work)
