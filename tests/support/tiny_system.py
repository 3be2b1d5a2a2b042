"""`up` with a tiny program in place of the services: `python -m tests.support.tiny_system DATA [stubborn]`."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from services.runtime.binaries import BinaryMissingError
from services.runtime.datafolder import DataFolderError, Run, free_port, write_run
from services.runtime.embedded import Addresses, DatabaseStartError, run
from services.runtime.supervisor import AppProcess


def main(data: Path, *words: str) -> None:
    port = free_port()

    def apps(addresses: Addresses) -> Sequence[AppProcess]:
        address = f"http://127.0.0.1:{port}"
        write_run(
            data,
            Run(
                pid=os.getpid(),
                port=port,
                address=address,
                mongo_url=addresses.mongo_url,
                redis_url=addresses.redis_url,
            ),
        )
        argv = [sys.executable, "-m", "tests.support.tiny_app", str(port), *words]
        return [AppProcess("worker tiny", argv)]

    async def when_started(_: Addresses) -> None:
        sys.stdout.write("started\n")
        sys.stdout.flush()

    try:
        asyncio.run(run(data, apps, when_started))
    except (DataFolderError, BinaryMissingError, DatabaseStartError) as error:
        sys.stderr.write(f"refused: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
