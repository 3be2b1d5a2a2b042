"""Five alerts for every unit at once: found, grouped, written, sent over real SMTP; and the memory that it takes."""

import asyncio
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from contracts.calendar import LOCAL
from services.notifier.channels.catcher import HOST, Catcher
from services.notifier.pipeline.send import Post, Sender
from services.runtime.embedded import embedded_databases
from services.runtime.settings import Settings
from tests.bench.parts import main_of, part
from tests.bench.sample import BLOC, plan_with
from tests.support.notifying import Stage, changed, of_units, stage_for

CONNECTIONS = 3


@part
def flood(units: int, per_minute: int) -> dict[str, Any]:
    """On 15 June every unit misses its report and has three overdue dossiers, two of which exclude it."""
    return asyncio.run(_flood(units, per_minute))


async def _flood(units: int, per_minute: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="thidua-", ignore_cleanup_errors=True) as folder:
        async with embedded_databases(Path(folder)) as at:
            settings = Settings().model_copy(
                update={"mongo_url": at.mongo_url, "redis_url": at.redis_url}
            )
            async with stage_for(settings, mail_per_minute=per_minute) as stage:
                return await _measure(stage, units)


async def _measure(stage: Stage, units: int) -> dict[str, Any]:
    plan = changed(plan_with(units))
    codes = [unit.code for unit in plan.units_of(BLOC)]
    await stage.contacts(of_units(codes))
    stage.publish(plan, datetime(2023, 6, 1, tzinfo=LOCAL))
    await stage.at(datetime(2023, 6, 1, tzinfo=LOCAL))
    for code in codes:
        stage.dossier(f"{code}-1", code, "2023-06-14")
        stage.dossier(f"{code}-2", code, "2023-06-14")
        stage.dossier(f"{code}-3", code, "2023-06-14", service_level="information")
    midnight = datetime(2023, 6, 15, tzinfo=LOCAL)
    find = await _timed(stage, midnight)
    write = await _timed(stage, midnight + timedelta(hours=7))
    while await stage.store.notices.count_documents({"state": "waiting"}):
        write += await _timed(stage, stage.clock.instant.astimezone(UTC) + timedelta(minutes=1))
    mails = await stage.store.mails.count_documents({})
    notices = await stage.store.notices.count_documents({"state": "mailed"})
    return {
        "units": units,
        "occasions": await stage.store.occasions.count_documents({"fate": "raised"}),
        "notices": notices,
        "mails": mails,
        "find_seconds": find,
        "write_seconds": write,
        **await _send(stage, mails),
        "rss_mb": psutil.Process().memory_info().rss / 1e6,
    }


async def _timed(stage: Stage, moment: datetime) -> float:
    began = time.perf_counter()
    await stage.at(moment)
    return time.perf_counter() - began


async def _send(stage: Stage, mails: int) -> dict[str, float]:
    catcher = Catcher(stage.store.caught, 500, stage.clock)
    post = Post(stage.settings, HOST, await catcher.start(0), plain=True)
    sender = Sender(stage.store, post, stage.settings, stage.clock)
    began = time.perf_counter()
    loops = [asyncio.create_task(sender.work()) for _ in range(CONNECTIONS)]
    while await stage.store.mails.count_documents({"state": "accepted"}) < mails:
        await asyncio.sleep(0.2)
    seconds = time.perf_counter() - began
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    await catcher.stop()
    return {"send_seconds": seconds, "mails_per_second": mails / seconds}


if __name__ == "__main__":
    main_of(flood)
