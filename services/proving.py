"""`thidua proof`: is a copy of the board the one that was signed, and does the journal still bear out its chain?"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

proof_commands = typer.Typer(help="Check what was published.", no_args_is_help=True)


@proof_commands.command("verify")
def verify_copy(
    file: Annotated[Path, typer.Argument(help="board.json or board.html of a copy.")],
    key: Annotated[
        Path | None,
        typer.Option(help="The public key; else verifying.pem beside the file."),
    ] = None,
) -> None:
    """Say whether a copy of the board is exactly what the holder of the key signed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    from services.scoring.leaderboard.proof import KEY, SIGNATURE, fingerprint, is_signed  # noqa: PLC0415

    signed = file.with_name(file.name + SIGNATURE)
    pem = key or file.with_name(KEY)
    for path in (file, signed, pem):
        if not path.is_file():
            raise typer.BadParameter(f"there is no file {path}")
    public = load_pem_public_key(pem.read_bytes())
    if not isinstance(public, Ed25519PublicKey):
        raise typer.BadParameter(f"{pem} is no Ed25519 key")
    if not is_signed(public, file.read_bytes(), signed.read_bytes()):
        typer.echo(f"FORGED  {file}: not what the key {fingerprint(public)} signed")
        raise typer.Exit(1)
    typer.echo(f"ok      {file}: signed by the key {fingerprint(public)}")
    if key is None:
        typer.echo("        the key lay beside the file: compare it with the one on /proof")


@proof_commands.command("log")
def check_log(
    data: Annotated[Path, typer.Option("--data", help="Folder that holds everything.")] = Path(
        ".data"
    ),
) -> None:
    """Recompute the chain over the journal of a running system and compare it with what was written each day."""
    looked, wrong = asyncio.run(_check(data))
    for day in wrong:
        typer.echo(f"CHANGED the journal does not bear out the link of {day}")
    typer.echo(f"{looked} links looked at, {len(wrong)} not borne out")
    if wrong:
        raise typer.Exit(1)


async def _check(data: Path) -> tuple[int, list[str]]:
    from services.runtime import mongo  # noqa: PLC0415
    from services.runtime.datafolder import running, settings_for  # noqa: PLC0415
    from services.runtime.resources import resources  # noqa: PLC0415
    from services.scoring.sealing import Sealer  # noqa: PLC0415
    from services.scoring.store import ScoringStore  # noqa: PLC0415

    settings = settings_for(data, running(data))
    async with resources(settings) as own:
        store = ScoringStore(mongo.database(own.client, settings, "scoring"))
        return await Sealer(own.journal, store.seals, own.clock).check()
