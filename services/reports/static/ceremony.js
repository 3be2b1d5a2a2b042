// The reveal: everything is hidden first, and shown one by one from last to first.
const lines = [...document.querySelectorAll("#reveal li")];
let shown = 0;

function draw() {
  lines.forEach((line, index) => {
    const fromLast = lines.length - 1 - index;
    line.classList.toggle("hidden", fromLast >= shown);
    line.setAttribute("aria-hidden", String(fromLast >= shown));
    line.classList.toggle("newest", fromLast === shown - 1);
  });
  const newest = lines[lines.length - shown];
  if (newest) newest.scrollIntoView({ block: "center" });
}

function move(by) {
  shown = Math.min(lines.length, Math.max(0, shown + by));
  draw();
}

function fill() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const steps = { " ": 1, ArrowDown: 1, ArrowRight: 1, PageDown: 1, Enter: 1, ArrowUp: -1, ArrowLeft: -1, PageUp: -1 };
  const onControl = event.target.closest("a, button");
  if (onControl && (event.key === " " || event.key === "Enter")) return;
  if (event.key in steps) {
    event.preventDefault();
    move(steps[event.key]);
  } else if (event.key === "Home") {
    event.preventDefault();
    move(-lines.length);
  } else if (event.key.toLowerCase() === "f") {
    fill();
  }
});
document.getElementById("next").addEventListener("click", () => move(1));
document.getElementById("full").addEventListener("click", fill);
document.body.classList.add("running");
draw();
