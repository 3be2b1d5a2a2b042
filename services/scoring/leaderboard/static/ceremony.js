// Announces by keyboard: space or right for the next place, left for one step back. The links do the same.

const keys = { " ": "forward", ArrowRight: "forward", PageDown: "forward", ArrowLeft: "back", PageUp: "back" };

addEventListener("keydown", (event) => {
  const link = document.getElementById(keys[event.key] ?? "");
  if (!link || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  location.href = link.href;
});
