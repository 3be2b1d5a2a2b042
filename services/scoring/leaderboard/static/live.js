// Follows a board's stream: one connection, never older after newer, and honest about silence.

const SILENCE_MS = 3400; // beats come every second or other; this long without any means the link is gone
const DEAD_MS = 12000; // a link that looks open but says nothing is opened anew
const HIDDEN_MS = 30000; // a tab that nobody sees gives its connection back

/** Whether a frame continues what is shown: `again` means that a snapshot is needed. */
export function sequel(shown, next) {
  const [epoch, position] = split(shown);
  const [nextEpoch, nextPosition] = split(next);
  if (epoch !== nextEpoch) return "again";
  return nextPosition > position ? "newer" : "older";
}

function split(version) {
  const cut = version.lastIndexOf("-");
  return [version.slice(0, cut), Number(version.slice(cut + 1))];
}

export class Feed {
  constructor(url, { snapshot, change, state }) {
    Object.assign(this, { url, snapshot, change, state });
    this.version = "";
    this.heard = performance.now();
    this.beat = null;
    this.failures = 0;
    this.open();
    setInterval(() => this.watch(), 250);
    document.addEventListener("visibilitychange", () => this.seen());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => event.persisted && this.open());
    addEventListener("online", () => this.reopen(0));
  }

  open() {
    this.close();
    const source = (this.source = new EventSource(this.url));
    source.addEventListener("snapshot", (event) => this.take(event, (data) => this.onSnapshot(data)));
    source.addEventListener("change", (event) => this.take(event, (data) => this.onChange(data)));
    source.addEventListener("beat", (event) => this.take(event, () => {}));
    source.addEventListener("error", () => {
      // The browser itself tries again while it is connecting; a refused stream it gives up.
      if (source.readyState === EventSource.CLOSED) this.reopen(++this.failures);
    });
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  reopen(failures) {
    this.close();
    const longest = Math.min(30000, 1000 * 2 ** failures);
    this.timer = setTimeout(() => this.open(), longest * (0.3 + 0.7 * Math.random()));
  }

  seen() {
    clearTimeout(this.away);
    if (document.hidden) this.away = setTimeout(() => this.close(), HIDDEN_MS);
    else if (!this.source) this.open();
  }

  take(event, act) {
    const data = JSON.parse(event.data);
    this.heard = performance.now();
    this.failures = 0;
    if (data.as_of) {
      const trouble = data.trouble === undefined ? (this.beat?.trouble ?? null) : data.trouble;
      this.beat = { asOf: data.as_of, age: data.age_seconds ?? 0, trouble };
    }
    act(data);
    this.tell();
  }

  onSnapshot(data) {
    this.version = data.version;
    this.snapshot(data);
  }

  onChange(data) {
    const order = this.version ? sequel(this.version, data.version) : "again";
    if (order === "older") return;
    if (order === "again") {
      this.reopen(0);
      return;
    }
    this.version = data.version;
    this.change(data);
  }

  watch() {
    if (document.hidden && !this.source) return;
    const silent = performance.now() - this.heard;
    if (silent > DEAD_MS && this.source?.readyState === EventSource.OPEN) this.reopen(1);
    this.tell();
  }

  tell() {
    const silent = performance.now() - this.heard;
    const trouble = silent > SILENCE_MS ? "network" : (this.beat?.trouble ?? null);
    this.state({ trouble, asOf: this.beat?.asOf, age: this.beat ? this.beat.age + silent / 1000 : null });
  }
}
