"""The commands that need the services: plan, verify, dead-letters, docs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.attaching import say, with_system

if TYPE_CHECKING:
    from services.runtime.resources import Resources

Data = Annotated[Path, typer.Option("--data", help="Folder that holds everything.")]
plan_commands = typer.Typer(help="Check and publish plans.", no_args_is_help=True)
letter_commands = typer.Typer(
    help="Events that could not be understood: list and replay them.", no_args_is_help=True
)
SHOWN = 50


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def verify(data: Data = Path(".data")) -> None:
    """Recompute all standings from the journal and compare; exit 0 and `0 differences`, or 1 and what differs."""
    from services.verifying import verify as compare  # noqa: PLC0415

    async def work(own: "Resources", address: str | None) -> int:
        verdict = await compare(own, address, _say)
        for line in verdict.differences[:SHOWN]:
            say(line)
        where = address or "what the next start would show (nothing runs on this folder)"
        say(
            f"{len(verdict.differences)} differences in {verdict.rows:,} rows "
            f"from {verdict.events:,} events, compared with {where}"
        )
        return 1 if verdict.differences else 0

    with_system(data, work)


@plan_commands.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(help="A folder, or the files of one plan.")],
) -> None:
    """Say everything that keeps a plan from being published; exit 0 when nothing does."""
    from services.plan_files import PlanFileError, read_plan  # noqa: PLC0415

    try:
        plan = read_plan(files)
    except PlanFileError as error:
        for fault in error.faults:
            say(fault)
        say(f"{len(error.faults)} fault(s); nothing was published")
        raise typer.Exit(1) from None
    blocs = ", ".join(
        f"{b.code}: {len(b.scored)} indicators, {len(plan.units_of(b.code))} units"
        for b in plan.blocs
    )
    say(f"{plan.id} version {plan.version} may be published ({blocs})")


@plan_commands.command("publish")
def publish(
    folder: Annotated[Path, typer.Argument(help="Folder of the plan.")],
    data: Data = Path(".data"),
) -> None:
    """Put a plan version in force; it is read-only from then on."""
    from services import publishing  # noqa: PLC0415
    from services.plan_files import read_plan  # noqa: PLC0415

    plan = read_plan(folder)

    async def work(own: "Resources", _: str | None) -> int:
        new = await publishing.publish(own, plan)
        word = "published" if new else "was published before; nothing changed"
        say(f"{plan.id} version {plan.version} {word}")
        return 0

    with_system(data, work)


@letter_commands.command("list")
def list_letters(data: Data = Path(".data")) -> None:
    """Show what could not be understood, and why."""
    from services.replaying import open_letters  # noqa: PLC0415

    async def work(own: "Resources", _: str | None) -> int:
        found = await open_letters(own)
        for letter in found:
            say(
                f"{letter['_id']}  {letter['at']:%d/%m/%Y %H:%M}  {letter['reason']}: {letter['error']}"
            )
        say(f"{len(found)} dead letters")
        return 0

    with_system(data, work)


@letter_commands.command("replay")
def replay(data: Data = Path(".data")) -> None:
    """Send what can be understood now back into the journal; the rest stays."""
    from services.replaying import replay_letters  # noqa: PLC0415

    async def work(own: "Resources", _: str | None) -> int:
        sent, left = await replay_letters(own)
        say(f"{sent} replayed, {left} still not understood")
        return 0

    with_system(data, work)


def docs(
    folder: Annotated[Path, typer.Argument(help="Where to write.")] = Path("docs"),
) -> None:
    """Write the AsyncAPI document of all topics and the OpenAPI document of all doors."""
    import json  # noqa: PLC0415

    from services.app import openapi  # noqa: PLC0415
    from services.asyncapi import write  # noqa: PLC0415

    say(f"wrote {write(folder)}")
    target = folder / "openapi.json"
    document = openapi()
    target.write_text(json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    say(f"wrote {target}")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    from services import (  # noqa: PLC0415
        alert_commands,
        backup_commands,
        demo,
        key_commands,
        package_commands,
        people_commands,
        portal_commands,
    )
    from services.proving import proof_commands  # noqa: PLC0415

    app.add_typer(package_commands.commands, name="package")
    app.command("verify")(verify)
    app.command("docs")(docs)
    app.command("backup")(backup_commands.backup)
    app.command("restore")(backup_commands.restore)
    app.command("demo")(demo.demo)
    app.add_typer(plan_commands, name="plan")
    app.add_typer(letter_commands, name="dead-letters")
    app.add_typer(portal_commands.source_commands, name="source")
    app.add_typer(portal_commands.alias_commands, name="alias")
    app.add_typer(proof_commands, name="proof")
    app.add_typer(people_commands.person_commands, name="person")
    app.add_typer(people_commands.audit_commands, name="audit")
    app.add_typer(alert_commands.contact_commands, name="contacts")
    app.add_typer(key_commands.key_commands, name="keys")
