// Keeps a unit's page fresh: when the board says that the unit changed, the page is fetched and its content replaced.

import { Feed } from "./live.js";
import { announce, settings, showAge, units, word } from "./say.js";

const PAUSE_MS = 3000; // at most one fetch in this time, and not everybody's at once
let shown = null; // what the stream last said of this unit
let timer = null;

const mark = (row) => JSON.stringify([row.points, row.verified_points, row.eligible, row.rank, row.exclusions]);

function take(frame) {
  const row = frame.rows.find((candidate) => candidate.unit === settings.unit);
  const moved = frame.ranks && settings.unit in frame.ranks;
  if (!row && !moved) return;
  const next = row ? mark(row) : null;
  const same = next !== null && (next === shown || (shown === null && sameTotal(row)));
  shown = next ?? shown;
  if (!same) timer ??= setTimeout(refresh, PAUSE_MS * (0.5 + Math.random()));
}

/** The first snapshot mostly says what the page already shows. */
function sameTotal(row) {
  return document.getElementById("live").dataset.points === String(units(row.points));
}

async function refresh() {
  timer = null;
  const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  replace(document.getElementById("live"), page.getElementById("live"));
}

/** New content in; what the reader has opened stays open, and the focus stays where it was. */
function replace(old, fresh) {
  const open = new Map([...old.querySelectorAll("details[id]")].map((d) => [d.id, d.open]));
  const focus = old.contains(document.activeElement) ? document.activeElement.id : "";
  const total = old.querySelector("#total").textContent;
  for (const [id, was] of open) {
    const details = fresh.querySelector(`#${CSS.escape(id)}`);
    if (details) details.open = was;
  }
  old.replaceWith(document.adoptNode(fresh));
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  if (fresh.querySelector("#total").textContent !== total) {
    fresh.querySelector(".total").classList.add("fresh");
    announce(word("announce_points", { n: 1 }));
  }
}

if (settings) new Feed(settings.stream, { snapshot: take, change: take, state: showAge });
