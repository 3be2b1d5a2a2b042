"""First paint on a slow phone: Chromium with the network and the processor of one, every page of the board.

1.6 Mbit/s down, 150 ms to the server, a processor four times as slow: what measuring sites call slow 4G and a
middle phone. The page comes with an empty cache each time; the median of some runs.
"""

import statistics
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import Browser, sync_playwright

from tests.bench.parts import main_of, part
from tests.support.chromium import CHROMIUM, FLAGS
from tests.support.sample_boards import SampleBoards, Stage, serving
from tests.support.sample_desks import Everybody, sample_desks

RUNS = 3
NETWORK = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
SLOWER = 4
PHONE = {"width": 360, "height": 740}
PAINTED = """new Promise((done) => new PerformanceObserver((list) => {
  const first = list.getEntriesByName("first-contentful-paint")[0];
  if (first) done(first.startTime);
}).observe({ type: "paint", buffered: true }))"""
WEIGHT = """performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
  .reduce((sum, entry) => sum + entry.transferSize, 0)"""


@part
def pages() -> dict[str, Any]:
    """Milliseconds to the first paint, and bytes until then, of each page."""
    stage = Stage(SampleBoards())
    stage.guard = Everybody()
    key = Ed25519PrivateKey.generate().public_key()
    stage.more = lambda app, site: app.include_router(sample_desks(stage.source, site, key))
    plan = stage.source.plan_now.id
    unit = f"/units/{plan}/31399"
    wanted = (
        *("/", "/?bloc=department", "/?display=wall", f"{unit}?indicator=X8"),
        *(f"{unit}/what-if", f"{unit}/between", "/history", "/play", f"/plans/{plan}"),
        *("/compare?start=2023-09-01&end=2023-09-10", f"/embed/{plan}/commune"),
        *("/staff", "/freeze", "/preview", "/proof"),
    )
    with serving(stage) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        found = {path: _measured(browser, address + path) for path in wanted}
        browser.close()
    return {"pages": found, "worst_ms": max(ms for ms, _ in found.values())}


def _measured(browser: Browser, url: str) -> tuple[int, int]:
    times, bytes_sent = [], 0
    for _ in range(RUNS):
        context = browser.new_context(
            viewport={"width": PHONE["width"], "height": PHONE["height"]}, locale="vi-VN"
        )
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", NETWORK)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.goto(url, wait_until="load")
        times.append(page.evaluate(PAINTED))
        bytes_sent = page.evaluate(WEIGHT)
        context.close()
    return round(statistics.median(times)), bytes_sent


if __name__ == "__main__":
    main_of(pages)
