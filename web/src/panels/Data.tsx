import { useEffect, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { ApiError, ask, query as asQuery, runPath, send, type Answer, type IssueInfo } from "../api";
import { download } from "../files/save";
import { num } from "../format";
import { t } from "../i18n";
import { query, run, step, table as chosen } from "../state";
import { issueText } from "../told";
import { Skeleton } from "./Side";

interface TableInfo { name: string; columns: { name: string; type: string; doc: string }[] }
const SQL = "SELECT time, load_mw, gen_by_fuel_mw['wind'] AS wind_mw, max_loading, outages_violating\nFROM steps ORDER BY outages_violating DESC LIMIT 20";
const written = signal(query.value || SQL), inSql = () => query.value !== "";
let arrived = inSql(); // with the address: its answer belongs to the view
/** The pane of SQL, or that of the tables. */
function show(sql: boolean): void {
  if (query.value) written.value = query.value;
  query.value = sql ? written.value : "";
}
const PAGE = 200;

export function Data() {
  const [schema, setSchema] = useState<TableInfo[] | null>(null);
  useEffect(() => { ask<{ tables: TableInfo[] }>(`${runPath(run.value)}/schema`).then((s) => setSchema(s.tables), () => setSchema([])); }, [run.value]);
  const info = schema?.find((s) => s.name === chosen.value);
  return (
    <main class="page data" data-testid="data">
      <nav class="schema" aria-label={t("schema")}>
        <div class="seg"><button class={inSql() ? "" : "on"} aria-pressed={!inSql()} onClick={() => show(false)}>{t("tables")}</button><button class={inSql() ? "on" : ""} aria-pressed={inSql()} onClick={() => show(true)} data-testid="sql-tab">{t("sql")}</button></div>
        {!schema ? <Skeleton /> : schema.map((s) => (
          <div key={s.name}>
            <button class={`table-name ${chosen.value === s.name ? "on" : ""}`} aria-pressed={chosen.value === s.name} onClick={() => (chosen.value = s.name)} data-testid={`table-${s.name}`}>{s.name}</button>
            {chosen.value === s.name && inSql() && <ul class="columns">{s.columns.map((c) => <li key={c.name} title={c.doc}><b>{c.name}</b> <span class="muted">{c.type.toLowerCase()}</span></li>)}</ul>}
          </div>
        ))}
      </nav>
      <section class="data-body">{inSql() ? <SqlPane /> : info ? <TablePane key={`${run.value}/${info.name}`} info={info} /> : schema ? <p class="muted">{t("nothing")}</p> : <Skeleton rows={16} />}</section>
    </main>
  );
}

const words = (e: unknown) => (e instanceof ApiError ? e.issues.map(issueText).join("\n") : String(e));

function TablePane({ info }: { info: TableInfo }) {
  const [only, setOnly] = useState(true), [sort, setSort] = useState<[string, boolean] | null>(null), [offset, setOffset] = useState(0);
  const [found, set] = useState<Answer | null>(null), [error, setError] = useState("");
  const stepped = info.columns.some((c) => c.name === "step") && info.name !== "steps";
  const rest = { step: only && stepped ? step.value : null, sort: sort?.[0], down: sort?.[1] };
  useEffect(() => {
    const stop = new AbortController();
    ask<Answer>(`${runPath(run.value)}/tables/${info.name}${asQuery({ ...rest, offset, limit: PAGE })}`, { signal: stop.signal }).then((a) => { set(a); setError(""); }, (e) => { if (e.name !== "AbortError") setError(words(e)); });
    return () => stop.abort();
  }, [run.value, info.name, rest.step, sort, offset]);
  const file = (form: string) => `/api/${runPath(run.value)}/download/${info.name}.${form}${asQuery(rest)}`;
  return (
    <>
      <div class="page-bar">
        <h1>{info.name}</h1>
        {stepped && <label class="check"><input type="checkbox" checked={only} onChange={() => { setOnly(!only); setOffset(0); }} /> {t("only_step")} ({step.value})</label>}
        <span class="grow" />
        <a class="button" href={file("csv")} download data-testid="csv">CSV</a><a class="button" href={file("parquet")} download data-testid="parquet">Parquet</a>
        <button disabled={offset === 0} onClick={() => setOffset(Math.max(0, offset - PAGE))} aria-label={t("page_prev")}>‹</button>
        <span class="muted">{found ? `${num(offset + (found.rows.length ? 1 : 0))}–${num(offset + found.rows.length)}` : "–"}</span>
        <button disabled={!found?.more} onClick={() => setOffset(offset + PAGE)} aria-label={t("page_next")}>›</button>
      </div>
      {error ? <p class="error" role="alert">{error}</p> : !found ? <Skeleton rows={16} /> : (
        <Rows found={found} sort={sort} docs={Object.fromEntries(info.columns.map((c) => [c.name, c.doc]))}
          onSort={(name) => { setOffset(0); setSort(sort?.[0] === name ? (sort[1] ? [name, false] : null) : [name, true]); }} />
      )}
    </>
  );
}

function SqlPane() {
  const [found, set] = useState<Answer | null>(null), [error, setError] = useState(""), [busy, setBusy] = useState(false);
  const [sort, setSort] = useState<[string, boolean] | null>(null);
  const go = async () => {
    setBusy(true);
    setError("");
    try { set(await send<Answer>(`${runPath(run.value)}/sql`, { query: query.value, limit: 2000 })); setSort(null); } catch (e) { setError(words(e)); set(null); }
    setBusy(false);
  };
  const save = async (form: string) => {
    const answer = await fetch(`/api/${runPath(run.value)}/sql.${form}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ query: query.value }) });
    if (answer.ok) download(`${run.value}_query.${form}`, await answer.blob());
    else setError(((await answer.json()).issues as IssueInfo[] | undefined)?.map(issueText).join("\n") ?? answer.statusText);
  };
  useEffect(() => { if (arrived) void go(); arrived = false; }, []);
  const at = found && sort ? found.names.indexOf(sort[0]) : -1;
  const shown = found && at >= 0 ? { ...found, rows: [...found.rows].sort((a, b) => compare(a[at], b[at]) * (sort![1] ? -1 : 1)) } : found;
  return (
    <>
      <textarea value={query.value} spellcheck={false} aria-label="SQL" rows={6} data-testid="sql"
        onInput={(e) => { const text = (e.target as HTMLTextAreaElement).value; query.value = written.value = text || " "; }}
        onKeyDown={(e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); void go(); } }} />
      <div class="page-bar">
        <button class="primary" onClick={go} disabled={busy} data-testid="sql-run">{t("execute")}</button><kbd>Ctrl ⏎</kbd>
        <span class="muted" aria-live="polite">{busy ? "…" : found ? `${num(found.rows.length)}${found.more ? "+" : ""} ${t("rows")} · ${num(found.seconds, 3)} ${t("seconds")}` : ""}</span>
        <span class="grow" />
        <button onClick={() => save("csv")}>CSV</button><button onClick={() => save("parquet")}>Parquet</button>
      </div>
      {error && <p class="error" role="alert">{error}</p>}
      {shown && <Rows found={shown} sort={sort} docs={{}} onSort={(name) => setSort(sort?.[0] === name ? (sort[1] ? [name, false] : null) : [name, true])} />}
    </>
  );
}

function compare(a: unknown, b: unknown): number {
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function Rows({ found, sort, onSort, docs }: { found: Answer; sort: [string, boolean] | null; onSort: (name: string) => void; docs: Record<string, string> }) {
  return (
    <div class="scroll fill" tabIndex={0}>
      <table class="list grid" data-testid="rows">
        <thead><tr>{found.names.map((n, i) => (
          <th key={i} class={found.numeric[i] ? "r" : ""} aria-sort={sort?.[0] === n ? (sort[1] ? "descending" : "ascending") : "none"} title={docs[n]}>
            <button onClick={() => onSort(n)}>{n}{sort?.[0] === n ? (sort[1] ? " ↓" : " ↑") : ""}</button>
          </th>))}</tr></thead>
        <tbody>{found.rows.map((row, r) => <tr key={r}>{row.map((v, i) => <td key={i} class={found.numeric[i] ? "r" : ""}>{cell(v)}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}

function cell(v: unknown): string {
  if (v === null || v === undefined) return "–";
  if (typeof v === "number") return Number.isInteger(v) ? String(v) : Math.abs(v) < 1e-3 ? v.toExponential(2) : String(Number(v.toPrecision(6)));
  if (Array.isArray(v)) return v.map((x) => (Array.isArray(x) ? `${x[0]} ${cell(x[1])}` : cell(x))).join(", ");
  return typeof v === "object" ? JSON.stringify(v) : String(v);
}
