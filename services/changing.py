"""A change of the rules, as people hand it in: some files that take the place of parts of the plan in force."""

import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from contracts.plan import Plan
from services.plan_files import SUFFIXES, PlanFileError, keys_of, read_plan
from services.publishing import PlanConflictError, publish
from services.runtime.resources import Resources


def candidate_of(current: Plan, files: dict[str, bytes]) -> Plan | list[str]:
    """The plan in force with what the files give in place of its own, as the next version; or every fault.

    One file with `catalogue:` alone is a corrected catalogue; all the files of a plan are a whole new plan.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            return _read(current, files, Path(folder))
        except PlanFileError as error:
            return [fault.replace(f"{folder}/", "") for fault in error.faults]


def _read(current: Plan, files: dict[str, bytes], folder: Path) -> Plan:
    paths = []
    for name, content in files.items():
        path = folder / Path(name).name
        if path.suffix not in SUFFIXES:
            raise PlanFileError([f"{path.name}: not one of {', '.join(SUFFIXES)}"])
        path.write_bytes(content)
        paths.append(path)
    given = {key for path in paths for key in keys_of(path)}
    base = current.model_dump(mode="json") | {"version": current.version + 1}
    rest = folder / "in-force.json"
    rest.write_text(json.dumps({k: v for k, v in base.items() if k not in given}))
    found = read_plan([*paths, rest])
    if (found.id, found.version > current.version) != (current.id, True):
        raise PlanFileError([f"expected id {current.id} and a version above {current.version}"])
    return found


def publisher(own: Resources) -> Callable[[Plan], Awaitable[str | None]]:
    """Publishes a plan; says in a sentence why not."""

    async def publish_it(plan: Plan) -> str | None:
        try:
            await publish(own, plan)
        except PlanConflictError as error:
            return str(error)
        return None

    return publish_it
