"""The commands about the keys that sign tokens: `thidua keys`."""

from pathlib import Path
from typing import Annotated

import typer

from services.attaching import say

Data = Annotated[Path, typer.Option("--data", help="Folder that holds everything.")]
key_commands = typer.Typer(
    help="The keys that sign tokens: change them while everything runs.", no_args_is_help=True
)


@key_commands.command("rotate")
def rotate(data: Data = Path(".data")) -> None:
    """Sign with a new key from now on; tokens that were handed out stay good until `retire`."""
    from services.runtime.keys import Keys  # noqa: PLC0415

    say(f"tokens are signed with {Keys(data / 'keys').rotate()} from now on")
    say("those handed out before stay good until `thidua keys retire`")


@key_commands.command("retire")
def retire(data: Data = Path(".data")) -> None:
    """Refuse every token that an older key signed, within a second."""
    from services.runtime.keys import Keys  # noqa: PLC0415

    retired = Keys(data / "keys").retire()
    say("\n".join([f"{name} is retired" for name in retired] or ["there is no older key"]))
