"""After a storm: people were told of exactly the exclusions that the board shows, once each, and no mail is lost."""

from collections import Counter
from typing import Any

from services.notifier.store import NotifierStore
from services.notifier.wiring import open_store
from services.plan_files import read_plan
from services.runtime.datafolder import running, settings_for
from services.runtime.resources import resources
from tests.support.system import PLAN, ROOT, System, command

RULE = "overdue-excluded"
"""The alert of the reference plan that tells of an exclusion because of overdue dossiers."""
UNSENT = ("queued", "sending")


def import_contacts(system: System) -> None:
    """A head for each unit, and the office: mailboxes that the embedded catcher keeps."""
    rows = [
        "code,name,email,role,units",
        "standing,Thường trực,standing@example.invalid,standing,",
    ]
    for unit in read_plan(ROOT / "deploy/plans" / PLAN).units:
        code = f"head-{unit.code}".lower()
        rows.append(f"{code},Thủ trưởng,{code}@example.invalid,head,{unit.code}")
    file = system.data / "contacts.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = command("contacts", "import", str(file), "--data", str(system.data))
    assert done.returncode == 0, done.stderr


async def wrong_mails(system: System) -> list[str]:
    """What is wrong with what people were told; empty when all is as the board is."""
    settings = settings_for(system.data, running(system.data))
    async with resources(settings) as own:
        store = open_store(own)
        occasions = await store.occasions.find({"retracted_at": None}).to_list(None)
        found = _differences(_told(occasions), _shown(system))
        found += [f"{o['_id']} waits" for o in occasions if o["step"] != "done"]
        return found + await _lost(store, occasions)


def _told(occasions: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """(unit, month) of the exclusions that people were told of and that still hold."""
    return {
        (o["unit"], o["month"])
        for o in occasions
        if o["rule"] == RULE and o["fate"] != "before_start"
    }


def _shown(system: System) -> set[tuple[str, str]]:
    """The same as the board shows it."""
    shown = set()
    for bloc in ("commune", "department"):
        for row in system.standings(bloc=bloc, period="2023")["rows"]:
            shown |= {
                (row["unit"], exclusion["month"])
                for exclusion in row["exclusions"]
                if exclusion["rule"].startswith("two-overdue")
            }
    return shown


def _differences(told: set[tuple[str, str]], shown: set[tuple[str, str]]) -> list[str]:
    return [f"{unit} {month} not told" for unit, month in sorted(shown - told)] + [
        f"{unit} {month} told, and not so" for unit, month in sorted(told - shown)
    ]


async def _lost(store: NotifierStore, occasions: list[dict[str, Any]]) -> list[str]:
    """Persons who were told twice or not at all, mails that stay, and mails that the ledger does not know."""
    notices = await store.notices.find({"form": "alert"}).to_list(None)
    people = Counter((n["occasion"], n["person"]) for n in notices)
    found = [f"{key} told {times} times" for key, times in people.items() if times > 1]
    raised = {o["_id"] for o in occasions if o["rule"] == RULE and o["fate"] == "raised"}
    found += [f"{number} told nobody" for number in raised - {n["occasion"] for n in notices}]
    mails = await store.mails.find({}).to_list(None)
    found += [
        f"mail {mail['_id']} {mail['state']}" for mail in mails if mail["state"] in UNSENT
    ]
    written = {mail["_id"] for mail in mails}
    async for caught in store.caught.find({}, {"to": 1}):
        number = caught["_id"].split(" ")[0]
        if number not in written:
            found.append(f"{number} to {caught['to']} was sent and is not in the ledger")
    return found
