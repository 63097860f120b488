// The server's tables, unpacked: numbers as typed arrays, texts as words and codes.

export interface RawColumn { kind: string; data: string; words: string[]; values: unknown[] }
export interface RawTable { rows: number; columns: Record<string, RawColumn> }
export interface IssueInfo { where: string; field: string; message: string; hint: string; ids?: string[] }

export class ApiError extends Error {
  constructor(public status: number, public issues: IssueInfo[]) {
    super(issues.map(said).join("\n"));
  }
}

export function said(issue: IssueInfo): string {
  const place = [issue.where, issue.field].filter(Boolean).join(".");
  const ids = issue.ids?.length ? ` (${issue.ids.slice(0, 10).join(", ")}${issue.ids.length > 10 ? ` … +${issue.ids.length - 10}` : ""})` : "";
  return `${place ? `${place}: ` : ""}${issue.message}${ids}${issue.hint ? `; ${issue.hint}` : ""}`;
}

export async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`/api/${path}`, init);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError(0, [{ where: "", field: "", message: "offline", hint: "" }]);
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    throw new ApiError(answer.status, body.issues ?? [{ where: "", field: "", message: answer.statusText, hint: "" }]);
  }
  return answer.json() as Promise<T>;
}

export function send<T>(path: string, body?: unknown): Promise<T> {
  return ask<T>(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
}

export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const found = new URLSearchParams();
  for (const [k, v] of Object.entries(values)) if (v !== null && v !== undefined && v !== "") found.set(k, String(v));
  const text = found.toString();
  return text ? `?${text}` : "";
}

function bytes(data: string): ArrayBuffer {
  const text = atob(data);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out.buffer;
}

export class Table {
  readonly rows: number;
  private cache = new Map<string, unknown>();
  private none: Float32Array | undefined;
  constructor(private raw: RawTable) {
    this.rows = raw.rows;
  }
  has(name: string): boolean {
    return name in this.raw.columns;
  }
  get names(): string[] {
    return Object.keys(this.raw.columns);
  }
  kind(name: string): string {
    return this.raw.columns[name]?.kind ?? "";
  }
  /** Numbers of a column; none at all where the table has no such column. */
  f(name: string): Float32Array {
    if (!this.has(name)) return this.none ??= new Float32Array(this.rows).fill(NaN);
    return this.made(name, (c) => {
      if (c.kind === "f32") return new Float32Array(bytes(c.data));
      if (c.kind === "f64") return Float32Array.from(new Float64Array(bytes(c.data)));
      if (c.kind === "i32") return Float32Array.from(new Int32Array(bytes(c.data)));
      if (c.kind === "u8") return Float32Array.from(new Uint8Array(bytes(c.data)));
      return Float32Array.from(c.values.map((v) => (v === null ? NaN : Number(v))));
    });
  }
  i(name: string): Int32Array {
    return this.made(name, (c) =>
      c.kind === "i32" ? new Int32Array(bytes(c.data)) : Int32Array.from(new Uint8Array(bytes(c.data))),
    );
  }
  t(name: string): string[] {
    return this.made(name, (c) => {
      if (c.kind !== "text") return c.values.map((v) => (v === null ? "" : String(v)));
      return Array.from(new Int32Array(bytes(c.data)), (code) => (code < 0 ? "" : c.words[code]!));
    });
  }
  /** The same table with a column times a factor. */
  changed(name: string, factor: number): Table {
    const other = new Table(this.raw);
    for (const n of this.names) other.cache.set(n, n === name ? this.f(n).map((v) => factor * v) : this.f(n));
    return other;
  }
  private made<T>(name: string, make: (c: RawColumn) => T): T {
    if (!this.cache.has(name)) {
      const column = this.raw.columns[name];
      if (!column) throw new Error(`no column ${name}`);
      this.cache.set(name, make(column));
    }
    return this.cache.get(name) as T;
  }
}

export interface RunSummary {
  key: string; path: string; kind: "day" | "points" | "plan"; name: string; status: string; steps: number; n_steps: number; created: string;
  issues: IssueInfo[];
}
/** A finding as data; the server's sentence of the same place says it in English. */
export interface Fact { key: string; values: Record<string, unknown> }
/** A feature of a stored state beside that of the state asked about. */
export interface Trait { name: string; unit: string; value: number; asked: number }
export interface RunDetails extends RunSummary {
  grid: Record<string, unknown>; options: Record<string, unknown>; versions: Record<string, string>;
  summary: Record<string, unknown>; tables: string[]; outages: number; areas: string[]; sentences: string[]; facts: Fact[];
}
export type StudyKind = "day" | "n1" | "plan";
export interface Job {
  id: string; kind: StudyKind; title: string; state: string; done: number; total: number; seconds: number;
  doing: string; message: string; issues: IssueInfo[]; run: string; result: Record<string, unknown> | null;
}
export interface Grid {
  name: string; geographic: boolean; origin: [number, number];
  bus: Table; branch: Table; gen: Table; load: Table; switches: Table;
}
export interface State {
  step: number; contingency: number; status: string; agrees: boolean; bus: Table; branch: Table; gen: Table;
  lost: { table: string; id: string; bus: number; p_mw: number }[];
}
export interface Outage {
  contingency: number; label: string; kind: string; elements: string[]; status: string;
  lost_load_mw: number | null; lost_gen_mw: number | null; max_loading: number | null;
  v_min_pu: number | null; v_max_pu: number | null; violations: Table;
}
export interface Found { total: number; first_step: number; last_step: number; table: Table }
export interface CostItem { item: string; cost: number }
export interface Steps { table: Table; shares: Record<string, Table>; costs: CostItem[]; step_h: number }
export interface Answer { names: string[]; numeric: boolean[]; rows: unknown[][]; more: boolean; seconds: number }

const path = (run: string) => `runs/${encodeURIComponent(run)}`;

export interface Opening {
  session: { role: string; version: string }; runs: RunSummary[]; key: string; issues: IssueInfo[];
  grid: Grid | null; steps: Steps | null; state: State | null;
}

/** All that the first map of a run needs, in one answer. */
export async function loadOpening(run: string, step: number | null): Promise<Opening> {
  const raw = await ask<Record<string, any>>(`opening${query({ run, step })}`);
  return {
    ...(raw as Opening), grid: raw.grid && asGrid(raw.grid), steps: raw.steps && asSteps(raw.steps),
    state: raw.state && asState(raw.state),
  };
}
function asGrid(raw: Record<string, any>): Grid {
  return {
    name: raw.name, geographic: raw.geographic, origin: raw.origin,
    bus: new Table(raw.bus), branch: new Table(raw.branch), gen: new Table(raw.gen), load: new Table(raw.load),
    switches: new Table(raw.switch),
  };
}
export async function loadSteps(run: string): Promise<Steps> {
  return asSteps(await ask(`${path(run)}/steps`));
}
function asSteps(raw: { table: RawTable; shares: Record<string, RawTable>; costs: CostItem[]; step_h: number }): Steps {
  const shares = Object.fromEntries(Object.entries(raw.shares).map(([k, v]) => [k, new Table(v)]));
  return { table: new Table(raw.table), shares, costs: raw.costs, step_h: raw.step_h };
}
function asState(raw: Record<string, any>): State {
  return { ...(raw as State), bus: new Table(raw.bus), branch: new Table(raw.branch), gen: new Table(raw.gen) };
}
export async function loadState(run: string, step: number, signal?: AbortSignal): Promise<State> {
  return asState(await ask(`${path(run)}/steps/${step}`, { signal }));
}
export async function loadAfter(run: string, outage: number, step: number, signal?: AbortSignal): Promise<State> {
  return asState(await ask(`${path(run)}/outages/${outage}/state?step=${step}`, { signal }));
}
export async function loadOutage(run: string, outage: number, step: number, signal?: AbortSignal): Promise<Outage> {
  const raw = await ask<Record<string, any>>(`${path(run)}/outages/${outage}?step=${step}`, { signal });
  return { ...(raw as Outage), violations: new Table(raw.violations) };
}
export async function loadFound(run: string, rest: string, signal?: AbortSignal): Promise<Found> {
  const raw = await ask<Record<string, any>>(`${path(run)}/${rest}`, { signal });
  return { ...(raw as Found), table: new Table(raw.table) };
}
export async function loadSeries(run: string, table: string, element: number, step: number): Promise<Table> {
  const raw = await ask<{ table: RawTable }>(`${path(run)}/series/${table}/${element}?step=${step}`);
  return new Table(raw.table);
}
export async function loadLimits(run: string, step: number | null, signal?: AbortSignal): Promise<Table> {
  return new Table((await ask<{ table: RawTable }>(`${path(run)}/limits${query({ step })}`, { signal })).table);
}
export const runPath = path;
