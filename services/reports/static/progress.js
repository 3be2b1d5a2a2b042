// Asks how far the archive is, and loads the page again when it is there.
const box = document.getElementById("progress");
const bar = document.getElementById("bar");

async function ask() {
  try {
    const answer = await fetch(box.dataset.address, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const state = await answer.json();
      bar.max = state.of || 1;
      bar.value = state.steps;
      if (state.ready || state.error) {
        location.reload();
        return;
      }
    }
  } catch {
    // The connection is away for a moment; the next question may be answered.
  }
  setTimeout(ask, 1500);
}

if (box) setTimeout(ask, 1000);
