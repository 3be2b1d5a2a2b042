// Plays the daily closes: bars and order of each day, by button, slider or keyboard; the table stays for who wants it.

const settings = JSON.parse(document.getElementById("settings").textContent);
const race = document.getElementById("race");
const slider = document.getElementById("day");
const button = document.getElementById("play");
const shown = document.getElementById("when");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const lines = new Map([...race.children].map((line) => [line.dataset.unit, line]));
const WHOLE_MS = 45000; // a year in less than a minute
const group = settings.lang === "en" ? "," : ".";
const point = settings.lang === "en" ? "." : ",";
let timer = null;

function points(value) {
  const cents = Math.floor(value / 100);
  const whole = String(Math.floor(cents / 100)).replace(/\B(?=(\d{3})+$)/g, group);
  return whole + point + String(cents % 100).padStart(2, "0");
}

function show(day) {
  slider.value = day;
  slider.setAttribute("aria-valuetext", settings.labels[day]);
  shown.textContent = settings.labels[day];
  const before = new Map([...lines.values()].map((line) => [line, line.offsetTop]));
  const order = settings.units.map((unit, n) => ({ unit, rank: settings.steps[day][n][0], points: settings.steps[day][n][1] }));
  order.sort((a, b) => a.rank - b.rank);
  order.forEach(({ unit, rank, points: value }, n) => {
    const line = lines.get(unit);
    line.querySelector(".place").textContent = rank;
    line.querySelector(".figure").textContent = points(value);
    line.querySelector(".verified").setAttribute("width", `${Math.min(100, (value * 100) / settings.scale)}%`);
    if (race.children[n] !== line) race.insertBefore(line, race.children[n] ?? null);
  });
  if (!still.matches) glide(before);
}

function glide(before) {
  for (const [line, top] of before) {
    const way = top - line.offsetTop;
    if (way) line.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], { duration: 180, easing: "ease-out" });
  }
}

function stop() {
  clearInterval(timer);
  timer = null;
  button.textContent = settings.words.play;
}

function play() {
  const last = settings.days.length - 1;
  if (Number(slider.value) >= last) show(0);
  button.textContent = settings.words.pause;
  timer = setInterval(() => {
    show(Number(slider.value) + 1);
    if (Number(slider.value) >= last) stop();
  }, Math.max(60, WHOLE_MS / settings.days.length));
}

button.addEventListener("click", () => (timer ? stop() : play()));
slider.addEventListener("input", () => {
  stop();
  show(Number(slider.value));
});
for (const part of [document.getElementById("player"), race]) part.classList.remove("scripted");
show(settings.days.length - 1);
