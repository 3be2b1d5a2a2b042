"""The commands about alerts: `thidua contacts`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.attaching import say, with_system

if TYPE_CHECKING:
    from services.runtime.resources import Resources

Data = Annotated[Path, typer.Option("--data", help="Folder that holds everything.")]
contact_commands = typer.Typer(
    help="Who is mailed: the list of contacts.", no_args_is_help=True
)
SHOWN = 50


@contact_commands.command("import")
def import_contacts(
    file: Annotated[Path, typer.Argument(help="CSV with one contact a row.")],
    data: Data = Path(".data"),
    *,
    dry_run: Annotated[bool, typer.Option(help="Only say what is wrong.")] = False,
) -> None:
    """Make the rows of a file the list of contacts; exit 1 and change nothing when a row is wrong."""
    from services.notifier.contacts import read_contacts, replace_contacts  # noqa: PLC0415
    from services.notifier.wiring import open_store  # noqa: PLC0415
    from services.publishing import published  # noqa: PLC0415

    async def work(own: "Resources", _: str | None) -> int:
        plans = [plan async for plan in published(own)]
        units = {unit.code for plan in plans for unit in plan.units}
        alerts = {rule.code for p in plans if p.alerts for rule in p.alerts.rules}
        contacts, faults = read_contacts(file, units, alerts)
        for fault in faults[:SHOWN]:
            say(str(fault))
        if faults:
            say(f"{len(faults)} fault(s); nothing was changed")
            return 1
        if dry_run:
            say(f"{len(contacts)} contacts; nothing was changed (dry run)")
            return 0
        now, dropped = await replace_contacts(open_store(own), contacts)
        say(f"{now} contacts from now on; {dropped} that the file does not have are gone")
        return 0

    with_system(data, work)
