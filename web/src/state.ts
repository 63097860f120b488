// What the page shows, as signals; the address holds all of it, so a link reproduces any view.
import { batch, computed, effect, signal, type Signal } from "@preact/signals";
import {
  ApiError, ask, loadAfter, loadOpening, loadState, loadSteps, runPath,
  type Grid, type Job, type Opening, type RunDetails, type RunSummary, type State, type Steps,
} from "./api";
import { issueText } from "./told";

export type View = "map" | "schedule" | "data" | "studies";
export type Mode = "n" | "n1" | "change";
export type Theme = "dark" | "light";
const VIEWS: View[] = ["map", "schedule", "data", "studies"];

export const view = signal<View>("map");
export const run = signal("");
export const step = signal(0);
export const outage = signal(-1);
export const mode = signal<Mode>("n");
export const element = signal("");
export const side = signal<"outages" | "element" | "similar">("outages");
export const playing = signal(false);

/** Further parts of a view: they stand in the address where they are not as at the start. */
const parts = new Map<string, [Signal<string | boolean>, string | boolean]>();
function part(name: string, initial: string): Signal<string>;
function part(name: string, initial: boolean): Signal<boolean>;
function part(name: string, initial: string | boolean): unknown {
  const made = signal(initial);
  parts.set(name, [made, initial]);
  return made;
}
export const camera = part("at", ""); // of the map: what is in the middle, and how near; empty: all of the grid
export const colourBy = part("by", ""); // buses by level or by value; empty: as suits the run
export const whole = part("whole", false); // outages of the whole run
export const filters = { kind: part("kind", ""), outageKind: part("outages", ""), kv: part("kv", ""), area: part("area", ""), text: part("find", "") };
export const similar = { where: part("where", ""), earlier: part("earlier", false), every: part("every", false) };
export const other = part("with", ""); // the run that the schedule is compared with
export const table = part("table", "violations");
export const query = part("sql", ""); // the query written; empty: the pane of tables is shown

export const session = signal<{ role: string; version: string } | null>(null);
export const refused = signal("");
export const connected = signal(true);
export const runs = signal<RunSummary[] | null>(null);
export const jobs = signal<Job[]>([]);
export const details = signal<RunDetails | null>(null);
export const grid = signal<Grid | null>(null);
export const steps = signal<Steps | null>(null);
export const base = signal<State | null>(null);
export const after = signal<State | null>(null);
export const afterBusy = signal(false);
export const fault = signal("");

/** Whether the first picture is on the screen. What else the page wants to know waits for it: the machine is busy enough. */
export const drawn = signal(false);
const picture = new Promise<void>((done) => drawn.subscribe((there) => { if (there) done(); }));
function soon(): void {
  const set = () => { drawn.value = true; };
  requestAnimationFrame(() => requestAnimationFrame(set));
  setTimeout(set, 700); // a hidden tab draws nothing
}

const stored = (name: string) => {
  try { return localStorage.getItem(`aurigrid.${name}`); } catch { return null; }
};
const keep = (name: string, value: string) => {
  try { localStorage.setItem(`aurigrid.${name}`, value); } catch { /* a private window keeps nothing */ }
};
const wanted = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
export const theme = signal<Theme>((stored("theme") as Theme) || wanted);
effect(() => {
  document.documentElement.dataset.theme = theme.value;
  keep("theme", theme.value);
});
export const lang = signal<"en" | "zh">((stored("lang") as "en" | "zh") || (navigator.language.startsWith("zh") ? "zh" : "en"));
effect(() => {
  document.documentElement.lang = lang.value === "zh" ? "zh-CN" : "en";
  keep("lang", lang.value);
});

/** Numbers of the finished steps, ascending. */
export const stepNumbers = computed(() => (steps.value ? Array.from(steps.value.table.i("step")) : []));
/** What the present run is: states with outages, operating points alone, or a plan. */
export const kind = computed(() => runs.value?.find((r) => r.key === run.value)?.kind ?? "day");
/** Of a plan: the middle of its prices, and how far the farthest usual one is from it. */
export const prices = computed<[number, number] | null>(() => {
  const found = steps.value?.shares.spread_price_per_mwh;
  if (!found) return null;
  const median = Float32Array.from(found.f("q50")).filter((v) => v === v).sort(), mid = median[median.length >> 1] ?? 0;
  const far = [...found.f("q10"), ...found.f("q90")].filter((v) => v === v).map((v) => Math.abs(v - mid)).sort((a, b) => a - b);
  return [mid, Math.max(1, far[Math.floor(0.95 * (far.length - 1))] ?? 1)];
});
/** Row of the present step. */
export const row = computed(() => Math.max(0, stepNumbers.value.indexOf(step.value)));

/** The state on the map: before or after the outage. */
export const shown = computed(() => {
  const found = after.value;
  return outage.value >= 0 && mode.value !== "n" && found && solved(found.status) ? found : base.value;
});

export const solved = (status: string) => status === "converged" || status === "islanded";

export function readAddress(): void {
  const [place = "", rest = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", seen = ""] = place.split("/").map(decodeURIComponent);
  const given = new URLSearchParams(rest);
  batch(() => {
    if (name) run.value = name;
    view.value = VIEWS.includes(seen as View) ? (seen as View) : "map";
    step.value = Number(given.get("step") ?? 0) || 0;
    outage.value = given.has("outage") ? Number(given.get("outage")) : -1;
    mode.value = (given.get("mode") as Mode) || (outage.value >= 0 ? "n1" : "n");
    element.value = given.get("element") ?? "";
    side.value = (given.get("side") as "outages") || (element.value ? "element" : "outages");
    for (const [name, [at, initial]] of parts) at.value = typeof initial === "boolean" ? given.has(name) : given.get(name) ?? initial;
  });
}

function address(): string {
  const given = new URLSearchParams();
  given.set("step", String(step.value));
  if (outage.value >= 0) {
    given.set("outage", String(outage.value));
    given.set("mode", mode.value);
  }
  if (element.value) given.set("element", element.value);
  if (side.value !== "outages") given.set("side", side.value);
  for (const [name, [at, initial]] of parts) if (at.value !== initial) given.set(name, at.value === true ? "1" : String(at.value));
  return `#/${encodeURIComponent(run.value)}/${view.value}?${given}`;
}

export function seek(to: number): void {
  const numbers = stepNumbers.value;
  if (!numbers.length) return;
  step.value = numbers[Math.min(numbers.length - 1, Math.max(0, to))]!;
}

export function selectOutage(contingency: number, at?: number): void {
  batch(() => {
    if (at !== undefined && at >= 0) step.value = at;
    if (contingency < 0) {
      outage.value = -1;
      mode.value = "n";
    } else {
      outage.value = contingency;
      if (mode.value === "n") mode.value = "n1";
    }
    side.value = "outages";
  });
}

export function selectElement(table: string, index: number): void {
  batch(() => {
    element.value = index < 0 ? "" : `${table}:${index}`;
    if (index >= 0) side.value = "element";
  });
}

export function tell(error: unknown): void {
  if ((error as Error).name === "AbortError") return;
  if (error instanceof ApiError && error.status === 401) refused.value = "session";
  else fault.value = error instanceof ApiError ? error.issues.map(issueText).join("\n") : error instanceof Error ? error.message : String(error);
}

// --- loading ---------------------------------------------------------------------------------------------------------

const states = new Map<string, Promise<State>>();

function remembered(key: string, make: () => Promise<State>): Promise<State> {
  let found = states.get(key);
  if (!found) {
    found = make();
    found.catch(() => states.delete(key));
    states.set(key, found);
    if (states.size > 240) states.delete(states.keys().next().value!);
  }
  return found;
}

/** The answer of the first question, until it has been used; asked before the page sets up its graphics. */
let first: Promise<Opening> | null = null;

async function openRun(name: string): Promise<void> {
  batch(() => {
    grid.value = steps.value = base.value = after.value = details.value = null;
    fault.value = "";
  });
  try {
    const asked = first && (await first).key === name ? first : loadOpening(name, step.peek());
    first = null;
    const found = await asked;
    if (run.peek() !== name) return;
    if (found.key === name && found.issues.length) throw new ApiError(400, found.issues);
    if (found.key === name) show(name, found);
    await picture;
    if (run.peek() === name) details.value = await ask<RunDetails>(runPath(name));
  } catch (error) {
    tell(error);
  }
}

function show(name: string, found: Opening): void {
  const { state } = found;
  if (state) void remembered(`${name}/${state.step}`, () => Promise.resolve(state));
  batch(() => {
    grid.value = found.grid;
    steps.value = found.steps;
    if (found.steps?.table.rows && !stepNumbers.value.includes(step.peek())) step.value = stepNumbers.value[0]!;
    if (state && state.step === step.peek()) base.value = state;
  });
}

export async function refresh(): Promise<void> {
  const name = run.peek();
  try {
    const table = await loadSteps(name);
    if (run.peek() === name) steps.value = table;
  } catch (error) {
    tell(error);
  }
}

readAddress();
addEventListener("hashchange", () => { if (location.hash !== address()) readAddress(); }); // from now on: none is lost before the page is drawn
first = loadOpening(run.peek(), step.peek());
first.catch(() => undefined); // told by `begin`
export const opened = first;

export async function begin(): Promise<void> {
  try {
    const found = await first!;
    batch(() => {
      session.value = found.session;
      runs.value ??= found.runs;
      if (!run.peek()) run.value = found.key;
    });
  } catch (error) {
    refused.value = "session";
    return;
  }
  void picture.then(follow);
  effect(() => { if (base.value || run.value === "" || (steps.value && !steps.value.table.rows) || fault.value) soon(); });
  effect(() => {
    const now = address();
    if (run.value && location.hash !== now) history.replaceState(null, "", now);
  });
  effect(() => {
    const found = runs.value?.find((r) => r.steps > 0) ?? runs.value?.[0];
    if (found && !run.peek()) run.value = found.key;
  });
  effect(() => {
    if (run.value) void openRun(run.value);
  });
  effect(() => {
    const [name, at, table] = [run.value, step.value, steps.value];
    if (!name || !table || !stepNumbers.value.includes(at)) return;
    remembered(`${name}/${at}`, () => loadState(name, at)).then((found) => {
      if (run.peek() === name && step.peek() === at) base.value = found;
      const next = stepNumbers.value[row.peek() + 1];
      if (next !== undefined && drawn.value) void remembered(`${name}/${next}`, () => loadState(name, next)).catch(() => undefined);
    }, tell);
  });
  effect(() => {
    const [name, at, lost, table] = [run.value, step.value, outage.value, steps.value];
    if (lost < 0 || !table || !stepNumbers.value.includes(at)) {
      after.value = null;
      return;
    }
    afterBusy.value = true;
    remembered(`${name}/${at}/${lost}`, () => loadAfter(name, lost, at)).then(
      (found) => {
        if (step.peek() === at && outage.peek() === lost) batch(() => { after.value = found; afterBusy.value = false; });
      },
      (error) => { afterBusy.value = false; tell(error); },
    );
  });
}

function follow(): void {
  const news = new EventSource("/api/events");
  news.onmessage = (event) => {
    const found = JSON.parse(event.data) as { runs: RunSummary[]; jobs: Job[] };
    const before = runs.peek()?.find((r) => r.key === run.peek())?.steps;
    batch(() => {
      connected.value = true;
      runs.value = found.runs;
      jobs.value = found.jobs;
    });
    const now = found.runs.find((r) => r.key === run.peek())?.steps;
    if (before !== undefined && now !== undefined && now > before) void refresh();
  };
  news.onerror = () => { connected.value = false; };
  news.onopen = () => { connected.value = true; };
}
