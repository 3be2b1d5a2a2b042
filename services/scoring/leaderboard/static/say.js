// Words, numbers and times in the reader's language; everything comes from the page's settings.

const element = document.getElementById("settings");
export const settings = element ? JSON.parse(element.textContent) : null;
const group = settings?.lang === "en" ? "," : ".";
const point = settings?.lang === "en" ? "." : ",";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "179.9960" as whole ten-thousandths. */
export const units = (text) => Math.round(Number(text) * 10000);

/** Ten-thousandths cut to two decimals: 1799960 is 179,99. */
export function points(value) {
  const cents = Math.floor(value / 100);
  const whole = String(Math.floor(cents / 100)).replace(/\B(?=(\d{3})+$)/g, group);
  return whole + point + String(cents % 100).padStart(2, "0");
}

/** A length as SVG wants it, cut. */
export const share = (value, scale) => `${Math.min(100, Math.floor((value * 1e5) / scale) / 1000)}%`;

/** A sentence of the page with its `{…}` filled in. */
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

export const word = (name, values = {}) => fill(settings.words[name], values);

export function month(code) {
  const [y, m] = code.split("-").map(Number);
  return word("month", { m, y, M: MONTHS[m - 1] });
}

/** `3 hồ sơ trễ hẹn, tháng 7/2023`. */
export function reason({ rule, count, month: code }) {
  const forms = settings.rules[rule] ?? ["%(n)s, %(month)s", "%(n)s, %(month)s"];
  const values = { n: count, month: month(code) };
  return forms[count === 1 ? 0 : 1].replace(/%\((\w+)\)s/g, (_, name) => values[name]).replaceAll("%%", "%");
}

export function ago(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 1) return word("now");
  if (whole < 60) return word("seconds", { n: whole });
  if (whole < 3600) return word("minutes", { n: Math.floor(whole / 60) });
  return word("hours", { n: Math.floor(whole / 3600) });
}

/** `10:15:03, 10/07/2023` in Việt Nam. */
export function moment(iso) {
  const local = new Date(new Date(iso).getTime() + 7 * 3600e3).toISOString();
  const [y, m, d] = local.slice(0, 10).split("-");
  const day = settings.lang === "en" ? `${Number(d)} ${MONTHS[m - 1]} ${y}` : `${d}/${m}/${y}`;
  return `${local.slice(11, 19)}, ${day}`;
}

const NEVER = 1e6; // seconds: the server has not heard of scoring since it started
let stopped = null; // what stopped, as it was last said aloud
/** What stopped, and that it is back, are said aloud once, also when something else was said just now. */
function tellTrouble(trouble) {
  if (trouble === stopped) return;
  const back = stopped !== null && trouble === null;
  stopped = trouble;
  const line = document.getElementById("announcer");
  if (line && (trouble || back)) line.textContent = trouble ? (settings.troubles[trouble] ?? trouble) : word("back");
}

/** Shows how old the data is, and what stopped in a bar at the foot of the window: nothing moves for it. */
export function showAge({ trouble, asOf, age }) {
  tellTrouble(trouble);
  const line = document.getElementById("age");
  if (!line) return;
  line.classList.toggle("warn", Boolean(trouble));
  line.classList.toggle("live", !trouble && age !== null);
  set(line.querySelector(".said"), age === null || age >= NEVER ? word("connecting") : ago(age));
  const bar = line.querySelector(".stopped");
  set(bar, trouble ? (settings.troubles[trouble] ?? trouble) : "");
  bar.hidden = !trouble;
  if (asOf) {
    const time = line.querySelector("time");
    time.dateTime = asOf;
    set(time, moment(asOf));
  }
}

/** Writes only what differs, so that nothing flickers and no screen reader stirs. */
export function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

let lastSpoken = -Infinity;
/** Says something politely, at most every fifteen seconds. */
export function announce(text) {
  const now = performance.now();
  if (!text || now - lastSpoken < 15000) return;
  lastSpoken = now;
  document.getElementById("announcer").textContent = text;
}
