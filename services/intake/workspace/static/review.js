// The keyboard: in the queue J and K move, X ticks, Enter opens; at an item A, C, R, X decide and J goes on.
const typing = (event) => event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "checkbox";
const rows = [...document.querySelectorAll(".queue tbody tr")];
const decision = document.getElementById("decision");
let here = -1;

function go(step) {
  here = Math.max(0, Math.min(rows.length - 1, here + step));
  rows.forEach((row, n) => row.classList.toggle("here", n === here));
  rows[here].querySelector("a").focus();
}

function decide(value) {
  const reason = decision.querySelector("#reason");
  if (value === "corrected") decision.querySelector(".correction").open = true;
  if (value !== "accepted" && !reason.value.trim()) {
    (value === "corrected" ? decision.querySelector(".correction input") : reason).focus();
    return;
  }
  decision.requestSubmit(decision.querySelector(`button[value=${value}]`));
}

// A browser's PDF viewer takes the keyboard once, when it has loaded: give it back to where it was.
const viewers = new Set(document.querySelectorAll(".shown iframe"));
let focused = document.activeElement;
let tabbed = false;
addEventListener("focusin", (event) => { focused = event.target; });
addEventListener("pointerdown", () => { focused = null; tabbed = false; }, true);
addEventListener("keydown", (event) => { tabbed = event.key === "Tab"; }, true);
addEventListener("blur", keepKeyboard);

function keepKeyboard() {
  const viewer = document.activeElement;
  if (tabbed || !viewers.delete(viewer)) return;
  setTimeout(() => {
    viewer.blur();
    window.focus();
    focused?.focus({ preventScroll: true });
  });
}
keepKeyboard();

addEventListener("keydown", (event) => {
  if (typing(event)) return;
  const key = event.key.toLowerCase();
  if (rows.length) {
    if (key === "j") go(1);
    if (key === "k") go(-1);
    if (key === "x" && here >= 0) rows[here].querySelector("input")?.click();
  }
  if (!decision) return;
  const value = { a: "accepted", c: "corrected", r: "returned", x: "rejected" }[key];
  if (value) {
    event.preventDefault();
    decide(value);
  }
  if (key === "j") location.href = decision.querySelector("[data-next]").href;
});
document.getElementById("errors")?.focus();
