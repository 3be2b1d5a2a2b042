// Keeps the board as the stream says: numbers, order, award lines. Without it the page stands as the server made it.

import { Feed } from "./live.js";
import { announce, points, reason, set, settings, share, showAge, units, word } from "./say.js";

const PAUSE_MS = 350; // changes within it are shown together
const TURN_MS = 20000; // a hall display shows each bloc this long
const body = document.getElementById("rows");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const rows = new Map();
for (const tr of body?.querySelectorAll(".row") ?? []) rows.set(tr.dataset.unit, tr);

function showMovement(tr, movement) {
  if (movement === null || movement === undefined || movement === "") return;
  tr.dataset.movement = movement;
  const [sign, says, kind] =
    movement > 0
      ? [`▲${movement}`, word("up", { n: movement }), "up"]
      : movement < 0
        ? [`▼${-movement}`, word("down", { n: -movement }), "down"]
        : ["–", word("level"), ""];
  const [seen, heard] = tr.querySelectorAll(".move span");
  seen.className = kind;
  set(seen, sign);
  set(heard, says);
}

function showEligibility(tr, row) {
  const cell = tr.querySelector(".state");
  const causes = row.exclusions.slice(0, 2).map(reason);
  if (row.exclusions.length > 2) causes.push(word("more", { n: row.exclusions.length - 2 }));
  const text = (row.eligible ? word("eligible") : word("excluded")) + causes.join("; ");
  tr.toggleAttribute("data-excluded", !row.eligible);
  if (cell.dataset.said === text) return;
  cell.dataset.said = text;
  const main = document.createElement("span");
  main.className = row.eligible ? "ok" : "out";
  main.textContent = row.eligible ? word("eligible") : word("excluded");
  cell.replaceChildren(main);
  if (row.eligible) return;
  const why = document.createElement("span");
  why.className = "why";
  why.textContent = causes.join("; ");
  cell.append(" ", why);
}

/** Writes one row; true when its points are others than before. */
function showRow(row) {
  const tr = rows.get(row.unit);
  const total = units(row.points);
  const verified = units(row.verified_points);
  const changed = Number(tr.dataset.points) !== total;
  tr.dataset.points = total;
  set(tr.querySelector(".points"), points(total));
  tr.querySelector(".pending").setAttribute("width", share(total, settings.scale));
  tr.querySelector(".verified").setAttribute("width", share(Math.min(verified, total), settings.scale));
  set(tr.querySelector(".checked"), word("verified", { n: points(verified) }));
  showRank(tr, row.rank);
  showMovement(tr, row.movement);
  showEligibility(tr, row);
  return changed;
}

function showRank(tr, rank) {
  tr.dataset.rank = rank;
  set(tr.querySelector(".rank b"), String(rank));
}

/** A row whose rank changed because others moved: its movement changes by as much. */
function shiftRank(unit, rank) {
  const tr = rows.get(unit);
  const before = Number(tr.dataset.rank);
  if (before === rank) return;
  if (tr.dataset.movement !== undefined) showMovement(tr, Number(tr.dataset.movement) + before - rank);
  showRank(tr, rank);
}

function zoneOf(tr) {
  if (!settings.annual || tr.hasAttribute("data-excluded")) return 0;
  return settings.zones.findIndex((zone) => zone.prized && Number(tr.dataset.points) >= zone.at) + 1;
}

/** Rows by rank with the award lines between them, as they should stand. */
function order() {
  const sorted = [...rows.values()].sort(
    (a, b) => a.dataset.rank - b.dataset.rank || a.dataset.order - b.dataset.order,
  );
  const cuts = [...body.querySelectorAll(".cut")].sort((a, b) => b.dataset.at - a.dataset.at);
  const lines = [];
  for (const tr of sorted) {
    while (cuts.length && Number(tr.dataset.points) < Number(cuts[0].dataset.at)) lines.push(cuts.shift());
    lines.push(tr);
  }
  return { sorted, lines: [...lines, ...cuts] };
}

/** Of a bloc too long for the wall only one part shows, with the award lines that lie in it. */
function turnPage(sorted) {
  const { part, parts } = body.dataset;
  if (!parts || parts === "1") return;
  const size = Math.ceil(sorted.length / parts);
  sorted.forEach((tr, index) => {
    tr.hidden = Math.floor(index / size) + 1 !== Number(part);
  });
  hideLooseCuts();
}

function hideLooseCuts() {
  for (const cut of body.querySelectorAll(".cut")) {
    const above = near(cut, "previousElementSibling");
    const below = near(cut, "nextElementSibling");
    cut.hidden = !((above && !above.hidden) || (below && !below.hidden && !above));
  }
}

function near(cut, way) {
  let other = cut[way];
  while (other?.classList.contains("cut")) other = other[way];
  return other;
}

/** Moves rows to their places, each gliding from where it was; nothing else jumps. */
function arrange() {
  const { sorted, lines } = order();
  for (const tr of sorted) {
    const zone = zoneOf(tr);
    if (zone) tr.dataset.place = zone;
    else delete tr.dataset.place;
  }
  const moved = lines.some((line, index) => body.children[index] !== line);
  const before = moved ? new Map(lines.map((line) => [line, line.getBoundingClientRect().top])) : null;
  const focused = document.activeElement;
  if (moved) place(lines);
  turnPage(sorted);
  if (focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
  if (moved && !still.matches) glide(before);
}

/** The fewest moves: only lines that stand in the wrong place are taken out. */
function place(lines) {
  lines.forEach((line, index) => {
    if (body.children[index] !== line) body.insertBefore(line, body.children[index] ?? null);
  });
}

function glide(before) {
  for (const [line, top] of before) {
    const way = top - line.getBoundingClientRect().top;
    if (way === 0) continue;
    line.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], {
      duration: 500,
      easing: "cubic-bezier(.2, .7, .2, 1)",
    });
  }
}

function tint(tr) {
  const wash = getComputedStyle(document.documentElement).getPropertyValue("--tint");
  tr.animate([{ backgroundColor: wash }, { backgroundColor: wash, offset: 0.3 }, { backgroundColor: "transparent" }], {
    duration: 2200,
  });
}

function showTally() {
  const line = document.getElementById("tally");
  if (!line || !rows.size) return;
  const excluded = [...rows.values()].filter((tr) => tr.hasAttribute("data-excluded")).length;
  set(line, word("all_eligible", { n: rows.size - excluded, all: rows.size }));
}

let waiting = [];
let timer = null;
function later(frame) {
  waiting.push(frame);
  timer ??= setTimeout(show, PAUSE_MS);
}

function show() {
  const frames = waiting;
  waiting = [];
  timer = null;
  const before = new Map([...rows.values()].map((tr) => [tr, Number(tr.dataset.rank)]));
  const changed = new Set();
  for (const { rows: news, ranks } of frames) {
    for (const row of news) if (showRow(row)) changed.add(rows.get(row.unit));
    for (const [unit, rank] of Object.entries(ranks ?? {})) shiftRank(unit, rank);
  }
  arrange();
  changed.forEach(tint);
  showTally();
  if (changed.size) document.getElementById("nothing")?.remove();
  speak(before, changed);
}

function speak(before, changed) {
  const risen = [...before].filter(([tr, rank]) => Number(tr.dataset.rank) < rank);
  risen.sort(([a], [b]) => a.dataset.rank - b.dataset.rank);
  const name = risen.length ? risen[0][0].querySelector(".name").textContent.trim() : "";
  announce(
    risen.length
      ? word("announce_rank", { name, rank: risen[0][0].dataset.rank })
      : changed.size && word("announce_points", { n: changed.size }),
  );
}

let renew = null;
/** A frame with units that this page does not have: only the server can make their rows. */
const strange = (frame) => frame.rows.some((row) => !rows.has(row.unit));

function take(frame) {
  if (strange(frame)) renew ??= setTimeout(() => location.reload(), 500 + 2500 * Math.random());
  else later(frame);
}

async function nextBloc() {
  // Only a server that answers is worth leaving this page for.
  const answer = await fetch(settings.next, { cache: "no-store" }).catch(() => null);
  if (answer?.ok) location.replace(settings.next);
  else startTurn();
}

function startTurn() {
  const bar = document.getElementById("turn");
  const start = performance.now();
  const clock = setInterval(() => {
    bar.value = ((performance.now() - start) / TURN_MS) * 100;
    if (bar.value < 100) return;
    clearInterval(clock);
    nextBloc();
  }, 250);
}

function start() {
  for (const select of document.querySelectorAll(".picker select, .picker input[type=date]")) {
    select.addEventListener("change", () => select.form.submit());
  }
  const button = document.querySelector(".picker button");
  if (button) button.hidden = true;
  if (document.getElementById("turn")) startTurn();
  if (body?.dataset.parts > 1) hideLooseCuts();
  if (settings.stream) new Feed(settings.stream, { snapshot: take, change: take, state: showAge });
}

if (settings?.stream || document.querySelector(".picker")) start();
