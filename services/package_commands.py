"""The commands for award packages: verify one, and sign its documents."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.attaching import say, with_system

if TYPE_CHECKING:
    from services.reports.domain.record import Record
    from services.runtime.resources import Resources

commands = typer.Typer(help="Verify and sign award packages.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="The ZIP file.")]


@commands.command("verify")
def verify(
    file: File,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder whose journal the package came from: standings are recomputed too."
        ),
    ] = None,
) -> None:
    """Derive standings and awards anew; exit 0 and `identical`, or 1 and what differs."""
    from services.reports.render.signing import signatures_in  # noqa: PLC0415
    from services.reports.render.verifying import (  # noqa: PLC0415
        NotAPackageError,
        differences,
        manifest_of,
        record_of,
    )
    from services.runtime.web.collation import vietnamese_key  # noqa: PLC0415

    try:
        manifest, record = manifest_of(file), record_of(file)
        found = list(differences(file, vietnamese_key))
    except NotAPackageError as error:
        say(str(error))
        raise typer.Exit(1) from None
    for copy in signatures_in(file):
        if copy.faulty:
            found.append(copy.sentence)
        else:
            say(copy.sentence)
    if data is not None:
        found += _against(data, record, file)
    for line in found:
        say(line)
    basis = "its own data" if data is None else f"its own data and the journal of {data}"
    state = "official" if manifest["official"] else "provisional"
    if found:
        say(f"{len(found)} differences, compared with {basis}")
        raise typer.Exit(1)
    say(f"identical: {len(manifest['files'])} files, {state}, compared with {basis}")


def _against(data: Path, record: "Record", file: Path) -> list[str]:
    from services.package_proving import against_system  # noqa: PLC0415
    from services.reports.render.signing import unsigned_sha256  # noqa: PLC0415

    found: list[str] = []
    hashed = unsigned_sha256(file)

    async def work(own: "Resources", _: str | None) -> int:
        found.extend(await against_system(own.journal, record, hashed))
        return 0

    with_system(data, work)
    return found


@commands.command("sign")
def sign(  # nosec B107  # empty: it is asked for
    file: File,
    certificate: Annotated[Path, typer.Option(help="PKCS#12 file with certificate and key.")],
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, help="Of the PKCS#12 file.")
    ] = "",
    name: Annotated[str, typer.Option(help="Document, without its ending.")] = "02-to-trinh",
) -> None:
    """Add a PAdES-signed copy of a PDF to the package, under `signed/`; the signed original stays as it is."""
    from services.reports.render.signing import SigningError, add_signed  # noqa: PLC0415

    try:
        say(f"added {add_signed(file, name, certificate, password)}")
    except SigningError as error:
        say(str(error))
        raise typer.Exit(1) from None
