"""The commands `thidua backup` and `thidua restore`."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.attaching import say, with_system

if TYPE_CHECKING:
    from services.runtime.resources import Resources

DERIVED = frozenset({"scoring.facts", "scoring.marks", "scoring.standings"})
"""What the next start computes from the journal; copied while it changes it could be ahead of the journal."""
Data = Annotated[Path, typer.Option("--data", help="Folder that holds everything.")]
Passphrase = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File whose first line encrypts the backup."),
]


def backup(
    file: Annotated[
        Path, typer.Argument(help="File to write; there must be none of that name.")
    ],
    data: Data = Path(".data"),
    passphrase_file: Passphrase = None,
) -> None:
    """Write everything into one file while the system runs, and read it back to be sure."""
    from services.runtime.backup.taking import take  # noqa: PLC0415

    passphrase = _passphrase(passphrase_file)

    async def work(own: "Resources", _: str | None) -> int:
        taken = await take(own, data, file, passphrase, DERIVED)
        say(
            f"{sum(taken.counts.values()):,} documents of {len(taken.counts)} collections, "
            f"{taken.bytes / 1e6:.1f} MB in {file}{'' if passphrase is None else ', encrypted'}"
        )
        say(f"written in {taken.seconds:.1f} s, read back in {taken.check_seconds:.1f} s")
        if passphrase is None:
            say("it holds the keys that sign tokens: keep it as safe as the system itself")
        return 0

    with_system(data, work)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `thidua backup` wrote.")],
    data: Annotated[Path, typer.Option("--data", help="Folder to restore onto; empty.")],
    passphrase_file: Passphrase = None,
    until: Annotated[
        str | None,
        typer.Option(
            help="Only what was accepted until then, such as 2023-09-12T17:00 (UTC+7)."
        ),
    ] = None,
) -> None:
    """Check a backup, then bring it back onto an empty folder; `thidua up` and `verify` do the rest."""
    from services.runtime.backup.restoring import restore as bring_back  # noqa: PLC0415

    work = bring_back(file, data, _passphrase(passphrase_file), _instant(until))
    restored = asyncio.run(work)
    say(
        f"{sum(restored.counts.values()):,} documents of {len(restored.counts)} collections in {data}"
    )
    if until is not None:
        say(f"{restored.left_out:,} packs of the journal are later than {until} and left out")
    say(f"checked in {restored.check_seconds:.1f} s, restored in {restored.seconds:.1f} s")


def _passphrase(path: Path | None) -> str | None:
    if path is None:
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise typer.BadParameter(f"{path} has no passphrase in its first line")
    return lines[0]


def _instant(text: str | None) -> datetime | None:
    from services.runtime.clock import LOCAL  # noqa: PLC0415

    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: write 2023-09-12T17:00") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=LOCAL)
