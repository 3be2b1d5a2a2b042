"""Health check of a container: exit 0 when this container's own process answers 200. `python probe.py [PATH]`."""  # noqa: INP001 - a script

import os
import sys
import urllib.request

LONGEST_SECONDS = 4


def main() -> int:
    """Ask once; whatever goes wrong is unhealthy."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/readyz"
    address = f"http://127.0.0.1:{os.environ.get('THIDUA_PORT', '8000')}{path}"  # noqa: TID251 - no part of the program
    try:
        with urllib.request.urlopen(address, timeout=LONGEST_SECONDS) as answer:  # nosec B310  # an address of our own
            return 0 if answer.status == 200 else 1  # noqa: PLR2004
    except OSError as error:
        sys.stderr.write(f"{address}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
