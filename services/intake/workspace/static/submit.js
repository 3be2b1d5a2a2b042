// Drafts save themselves; what was typed while the connection is away stays on this machine and is sent when it returns.
const page = document.getElementById("month");
const words = page.dataset;
const PAUSE = 700;
const RETRY = 4000;

class Draft {
  constructor(form) {
    this.form = form;
    this.code = form.dataset.entry;
    this.key = `thidua:${words.key}:${this.code}`;
    this.status = form.querySelector(".saved");
    this.timer = 0;
    this.saving = null;
    this.again = false;
    this.typed = 0; // changes so far: "saved" is said of the last one only
  }

  body() {
    return new URLSearchParams(new FormData(this.form)).toString();
  }

  changed() {
    this.typed += 1;
    remember(this.key, this.body());
    this.say(words.saving);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), PAUSE);
  }

  restore() {
    const kept = localStorage.getItem(this.key);
    if (kept === null || !this.status) return;
    const fields = new URLSearchParams(kept);
    for (const name of fields.keys()) {
      while (!this.form.elements[name] && /\.rows\.\d+\./.test(name) && addRow(this.form, name));
    }
    for (const input of this.form.elements) {
      if (!input.name) continue;
      if (input.type === "checkbox") input.checked = fields.has(input.name);
      else input.value = fields.get(input.name) ?? "";
    }
    this.form.closest("details").open = true;
    this.save();
  }

  async save() {
    clearTimeout(this.timer);
    if (this.saving) {
      this.again = true;
      return this.saving;
    }
    this.saving = this.send();
    const done = await this.saving;
    this.saving = null;
    if (this.again) {
      this.again = false;
      return this.save();
    }
    return done;
  }

  async send() {
    const body = this.body();
    const typed = this.typed;
    let answer;
    try {
      answer = await fetch(this.form.action, {
        method: "POST",
        headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
        body,
      });
    } catch {
      this.say(words.offline, true);
      this.timer = setTimeout(() => this.save(), RETRY);
      return false;
    }
    const said = await answer.json().catch(() => ({}));
    this.faults(said.faults ?? {});
    if (answer.ok) {
      this.form.elements.revision.value = said.revision;
      if (this.body().replace(/revision=\d+/, "") === body.replace(/revision=\d+/, "")) localStorage.removeItem(this.key);
      if (typed === this.typed) this.say(`${words.saved} ${new Date().toTimeString().slice(0, 5)}`);
      return true;
    }
    if (answer.status === 409) this.conflict(said);
    else if (answer.status >= 500) this.timer = setTimeout(() => this.save(), RETRY);
    else this.say(said.said ?? said[document.documentElement.lang] ?? "", true);
    return false;
  }

  conflict(said) {
    this.say(said.said ?? "", true);
    const newer = button(words.newer, () => {
      localStorage.removeItem(this.key);
      location.href = words.base;
    });
    const mine = button(words.mine, () => {
      this.form.elements.revision.value = said.revision;
      this.save();
    });
    this.status.append(" ", newer, " ", mine);
  }

  faults(found) {
    for (const place of this.form.querySelectorAll(".fault")) place.textContent = "";
    for (const [field, text] of Object.entries(found)) {
      const input = this.form.elements[field];
      const place = input?.closest("td, .field")?.querySelector(".fault");
      if (place) place.textContent = text;
    }
    if (Object.keys(found).length) this.say("", true);
  }

  say(text, trouble = false) {
    if (!this.status) return;
    this.status.textContent = text;
    this.status.classList.toggle("trouble", trouble);
  }
}

function remember(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch {
    // No room or not allowed: saving to the server still works.
  }
}

function button(text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "plain small";
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

function addRow(form, name) {
  const table = [...form.querySelectorAll("table[data-rows]")].find((t) => !name || name.startsWith(t.dataset.rows));
  if (!table) return false;
  const last = table.tBodies[0].rows[table.tBodies[0].rows.length - 1];
  const row = last.cloneNode(true);
  const number = table.tBodies[0].rows.length;
  for (const input of row.querySelectorAll("input")) {
    input.name = input.name.replace(/\.rows\.\d+\./, `.rows.${number}.`);
    input.setAttribute("aria-label", input.getAttribute("aria-label").replace(/\d+$/, `${number + 1}`));
    if (input.type === "checkbox") input.checked = false;
    else input.value = "";
  }
  for (const fault of row.querySelectorAll(".fault")) fault.textContent = "";
  table.tBodies[0].append(row);
  return row;
}

function showShare(form) {
  for (const place of form.querySelectorAll("[data-share]")) {
    const [top, bottom] = ["numerator", "denominator"].map((n) => Number(form.elements[`${place.dataset.share}.${n}`].value.replace(/[.,\s]/g, "")));
    place.textContent = bottom > 0 ? `${(Math.floor((1000 * top) / bottom) / 10).toLocaleString(document.documentElement.lang)} %` : "";
  }
}

const drafts = [...document.querySelectorAll("form[data-entry]")].map((form) => new Draft(form));
for (const draft of drafts) {
  draft.form.addEventListener("input", () => {
    showShare(draft.form);
    draft.changed();
  });
  draft.form.addEventListener("submit", (event) => {
    event.preventDefault();
    draft.save();
  });
  for (const more of draft.form.querySelectorAll("[data-add-row]")) {
    more.hidden = false;
    more.addEventListener("click", () => {
      const row = addRow(draft.form, more.previousElementSibling.querySelector("table").dataset.rows);
      row.querySelector("input").focus();
    });
  }
  showShare(draft.form);
  draft.restore();
}
addEventListener("online", () => drafts.filter((d) => localStorage.getItem(d.key) !== null).forEach((d) => d.save()));
document.querySelector("form[data-send]")?.addEventListener("submit", async (event) => {
  const waiting = drafts.filter((d) => d.timer || d.saving || localStorage.getItem(d.key) !== null);
  if (!waiting.length) return;
  event.preventDefault();
  const form = event.target;
  const done = await Promise.all(waiting.map((d) => (localStorage.getItem(d.key) === null ? true : d.save())));
  if (done.every(Boolean)) form.submit();
});

function upload(form, files) {
  const status = form.querySelector(".uploading");
  let left = files.length;
  const ended = () => {
    left -= 1;
    if (!left) refreshFiles(form);
  };
  for (const file of files) {
    const line = document.createElement("p");
    const bar = document.createElement("progress");
    bar.max = 100;
    line.append(`${words.sending}: ${file.name} `, bar);
    status.append(line);
    const request = new XMLHttpRequest();
    request.open("PUT", `${form.dataset.upload}?name=${encodeURIComponent(file.name)}`);
    request.upload.addEventListener("progress", (at) => { bar.value = (100 * at.loaded) / at.total; });
    request.addEventListener("error", () => { line.textContent = `${file.name}: ${words.broken}`; left -= 1; });
    request.addEventListener("load", () => {
      if (request.status === 201) line.textContent = `${words.sent}: ${file.name}`;
      else line.textContent = `${file.name}: ${reasonIn(request.responseText)}`;
      line.className = request.status === 201 ? "" : "fault";
      ended();
    });
    request.send(file);
  }
}

function reasonIn(text) {
  try {
    return JSON.parse(text)[document.documentElement.lang] ?? words.broken;
  } catch {
    return words.broken;
  }
}

async function refreshFiles(form) {
  const section = form.closest("section.evidence");
  const answer = await fetch(words.base, { headers: { accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const list = fresh.querySelector(`#${section.id} .files`);
  if (list) section.querySelector(".files").replaceWith(list);
}

for (const form of document.querySelectorAll("form[data-upload]")) {
  const input = form.querySelector("input[type=file]");
  input.multiple = true;
  form.querySelector("[data-plain]").hidden = true;
  input.addEventListener("change", () => {
    upload(form, [...input.files]);
    input.value = "";
  });
  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    upload(form, [...event.dataTransfer.files]);
  });
}
for (const link of document.querySelectorAll(".summary a")) {
  link.addEventListener("click", () => {
    const target = document.querySelector(link.getAttribute("href"));
    if (target?.tagName === "DETAILS") target.open = true;
  });
}
document.getElementById("errors")?.focus();
