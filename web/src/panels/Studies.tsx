import { batch } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { ApiError, loadFound, query, send, type Found, type Job, type RunSummary, type StudyKind } from "../api";
import { num, percent, unitOf, valueOf } from "../format";
import { ofTotal, t } from "../i18n";
import { details, jobs, run, runs, selectOutage, session, tell, view } from "../state";
import { List } from "../table";
import { findings, issueText, lineText } from "../told";
import { Empty, Skeleton } from "./Side";

export function Studies() {
  return (
    <main class="page studies" data-testid="studies">
      <div class="column">
        <section class="card">
          {!runs.value ? <><h2>{t("runs_here")}</h2><Skeleton /></> : runs.value.length === 0 ? <><h2>{t("runs_here")}</h2><Empty text={t("no_runs_hint")} /></> : <Runs all={runs.value} />}
        </section>
        {details.value && details.value.sentences.length > 0 && (
          <section class="card"><h2>{t("summary")}: {details.value.key}</h2>{findings(details.value.sentences, details.value.facts).map((s) => <p key={s}>{s}</p>)}</section>
        )}
      </div>
      <div class="column">
        <section class="card"><h2>{t("start_study")}</h2>{session.value?.role === "operator" ? <Form /> : <p class="muted">{t("viewer")}</p>}</section>
        <section class="card" aria-live="polite"><h2>{t("started")}</h2>{jobs.value.length === 0 ? <Empty text={t("started_none")} /> : jobs.value.map((j) => <Work key={j.id} job={j} />)}</section>
      </div>
    </main>
  );
}

const FEW = 6; // runs that need no filter

/** The runs on show, sorted by a click on a column's name; many of them are filtered by what their row says. */
function Runs({ all }: { all: RunSummary[] }) {
  const [wanted, filter] = useState("");
  const said = (r: RunSummary) => [r.key, r.name, t(`run_${r.kind}`), t(r.status), r.created.slice(0, 10)].join(" ").toLowerCase();
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean), list = all.filter((r) => words.every((w) => said(r).includes(w)));
  const head = all.length > FEW && (
    <div class="filters"><input type="search" value={wanted} placeholder={t("filter")} aria-label={t("filter")} onInput={(e) => filter((e.target as HTMLInputElement).value)} data-testid="runs-filter" /></div>
  );
  return (
    <List testid="runs" name="runs" class="runs" rowKey={(i) => list[i]!.key} onPick={(i) => (run.value = list[i]!.key)} chosen={(i) => list[i]!.key === run.value}
      title={<><h2>{t("runs_here")}</h2><span class="muted">{all.length > FEW ? ofTotal(list.length, all.length) : ""}</span></>} head={head} columns={[
        { key: "run", label: t("run"), text: true, values: list.map((r) => r.key), cell: (i) => <><b>{list[i]!.key}</b><small>{list[i]!.name}</small>{list[i]!.issues.map((x, k) => <small key={k} class="error">{issueText(x)}</small>)}</> },
        { key: "grid", label: "", text: true, hidden: true, values: list.map((r) => r.name) },
        { key: "kind", label: t("kind"), text: true, values: list.map((r) => t(`run_${r.kind}`)) },
        { key: "status", label: t("status"), text: true, values: list.map((r) => t(r.status)) },
        { key: "created", label: t("created"), text: true, values: list.map((r) => r.created.slice(0, 16).replace("T", " ")) },
        { key: "steps", label: t("steps"), values: list.map((r) => r.steps), cell: (i) => <Progress done={list[i]!.steps} total={list[i]!.n_steps} /> },
      ]} />
  );
}

const problem = (error: unknown) => (error instanceof ApiError ? error.issues.map(issueText).join("\n") : String(error));

function Progress({ done, total, what = "" }: { done: number; total: number; what?: string }) {
  return <span class="progress" role="progressbar" aria-label={what || t("steps")} aria-valuenow={done} aria-valuemax={total} aria-valuemin={0}><i style={{ width: `${total ? (100 * done) / total : 0}%` }} /><b>{total ? `${num(done)} / ${num(total)} ${what}` : ""}</b></span>;
}

const SHOWN = 8;

/** The worst outages of a study of one state; all of them are in its run. */
function N1({ name }: { name: string }) {
  const [found, set] = useState<Found | null>(null);
  useEffect(() => { loadFound(name, `outages${query({ step: 0, limit: SHOWN })}`).then(set, tell); }, [name]);
  if (!found) return <Skeleton rows={3} />;
  const v = found.table, c = v.i("contingency"), label = v.t("label"), kind = v.t("kind"), id = v.t("element_id"), value = v.f("value"), limit = v.f("limit"), severity = v.f("severity"), status = v.t("status");
  const open = (i: number) => batch(() => { run.value = name; view.value = "map"; selectOutage(c[i]!, 0); });
  return (
    <List testid="n1-list" rowKey={(i) => c[i]!} name={`${name}_outages`} title={<span class="muted">{ofTotal(v.rows, found.total)}</span>} onPick={open} columns={[
      { key: "outage", label: t("outage"), text: true, values: label, cell: (i) => <b>{label[i]}</b> },
      { key: "worst", label: t("worst"), text: true, values: kind, cell: (i) => (kind[i] ? `${t(kind[i]!)} ${id[i]}` : t(status[i]!)) },
      { key: "element", label: "", text: true, hidden: true, values: id },
      { key: "after", label: t("after"), values: value, cell: (i) => `${valueOf(kind[i]!, value[i]!)} ${unitOf(kind[i]!)}` },
      { key: "limit", label: t("limit"), values: limit, cell: (i) => valueOf(kind[i]!, limit[i]!) },
      { key: "severity", label: t("past"), values: severity, cell: (i) => percent(severity[i], 1) },
    ]} />
  );
}

function Work({ job }: { job: Job }) {
  const [error, setError] = useState("");
  const act = (what: string) => send(`studies/${job.id}/${what}`).catch((e) => setError(problem(e)));
  const going = job.state === "running" || job.state === "cancelling", operator = session.value?.role === "operator";
  const said = job.issues.length ? job.issues.map(issueText).join("\n") : job.message && lineText(job.message);
  const key = job.run ? runs.value?.find((r) => r.path.endsWith(`/${job.run}`))?.key : undefined;
  return (
    <article class="job" data-testid="job" data-state={job.state}>
      <div class="job-head"><b>{job.title}</b><span class="muted">{t(`study_${job.kind}`)} · {num(job.seconds)} {t("seconds")}</span>
        <span class={`chip state-${job.state}`}><i />{t(job.state)}</span>
        {operator && going && <button onClick={() => act("cancel")} disabled={job.state === "cancelling"} data-testid="cancel">{t("cancel")}</button>}
        {operator && !going && job.state !== "finished" && <button onClick={() => act("resume")} data-testid="resume">{t("resume")}</button>}
        {key && <button onClick={() => { run.value = key; view.value = "map"; }}>{t("open")}</button>}
      </div>
      {job.kind !== "plan" && (going || job.kind === "day") && <Progress done={job.done} total={job.total} what={t(job.kind === "n1" ? "outages_done" : "steps_done")} />}
      {going && <p class="muted doing">{job.doing ? lineText(job.doing) : t(job.kind === "plan" ? "planning" : "preparing")}</p>}
      {job.state === "finished" && job.kind === "n1" && key && <N1 name={key} />}
      {(said || error) && <p class="error" role="alert">{said || error}</p>}
    </article>
  );
}

const GRIDS = ["1-EHV-mixed--0-no_sw", "case14", "case39", "case118", "case300", "case1354pegase", "case2869pegase"];
const LISTS = ["branches+generators", "n-1", "lines", "transformers", "generators", "towers", "buses", "n-2:lines"];
const FRESH = {
  grid: GRIDS[0]!, date: "2016-12-06", contingencies: LISTS[0]!, q_limits: true, slack: "distributed", dispatch: "points", security: "base", commit_seconds: 60, scale: "",
  tol_pu: 1e-8, max_iterations: 20, name: "",
};
type Asked = typeof FRESH;

function Form() {
  const [kind, setKind] = useState<StudyKind>("day"), [error, setError] = useState<string[]>([]), [f, set] = useState<Asked>(FRESH), [sending, setSending] = useState(false);
  const text = (name: "grid" | "date" | "contingencies" | "name" | "scale", label: string, more: Record<string, string> = {}) => (
    <label>{label}<input type="text" name={name} value={f[name]} onInput={(e) => set({ ...f, [name]: (e.target as HTMLInputElement).value })} {...more} /></label>
  );
  const number = (name: "commit_seconds" | "tol_pu" | "max_iterations", label: string, min: number, max: number) => (
    <label>{label}<input type="number" name={name} value={f[name]} min={min} max={max} step="any" required onInput={(e) => set({ ...f, [name]: Number((e.target as HTMLInputElement).value) })} /></label>
  );
  const choice = (name: "slack" | "dispatch" | "security", label: string, options: [string, string][]) => (
    <label>{label}<select name={name} value={f[name]} onChange={(e) => set({ ...f, [name]: (e.target as HTMLSelectElement).value })}>{options.map(([v, word]) => <option key={v} value={v}>{word}</option>)}</select></label>
  );
  const start = async (e: Event) => {
    e.preventDefault();
    setError([]);
    setSending(true);
    try { await send("studies", { kind, ...f }); } catch (e) { setError(e instanceof ApiError ? e.issues.map(issueText) : [String(e)]); }
    setSending(false);
  };
  const day = kind === "day", plan = kind === "plan", planned = plan || (day && f.dispatch === "plan");
  return (
    <form class="form" onSubmit={start} data-testid="study-form">
      <div class="seg">{(["day", "n1", "plan"] as const).map((k) => <button type="button" key={k} class={kind === k ? "on" : ""} aria-pressed={kind === k} onClick={() => setKind(k)} data-testid={`kind-${k}`}>{t(`study_${k}`)}</button>)}</div>
      {text("grid", t("grid_name"), { list: "grids" })}
      {kind !== "n1" && text("date", t("date"), { placeholder: "YYYY-MM-DD", pattern: "\\d{4}-\\d{2}-\\d{2}", inputmode: "numeric" })}
      {!plan && text("contingencies", t("outage_list"), { list: "lists" })}
      {day && choice("dispatch", t("dispatch"), [["points", t("dispatch_points")], ["data", t("dispatch_data")], ["plan", t("dispatch_plan")]])}
      {planned && choice("security", t("security_of_plan"), [["base", t("security_base")], ["n-1", t("security_n-1")]])}
      {planned && number("commit_seconds", t("commit_seconds"), 1, 3600)}
      {!plan && choice("slack", t("slack"), [["distributed", t("distributed")], ["reference", t("reference")]])}
      {text("name", t("name"))}
      {!plan && <label class="check"><input type="checkbox" checked={f.q_limits} onChange={() => set({ ...f, q_limits: !f.q_limits })} /> {t("q_limits")}</label>}
      <details>
        <summary>{t("options_more")}</summary>
        <div class="form">
          {kind !== "n1" && text("scale", t("scale"), { placeholder: t("scale_hint") })}
          {!plan && number("tol_pu", t("tol_pu"), 1e-12, 1e-2)}
          {!plan && number("max_iterations", t("max_iterations"), 1, 200)}
        </div>
      </details>
      <datalist id="grids">{GRIDS.map((g) => <option key={g} value={g} />)}</datalist>
      <datalist id="lists">{LISTS.map((g) => <option key={g} value={g} />)}</datalist>
      {error.map((m) => <p key={m} class="error" role="alert">{m}</p>)}
      <button class="primary" type="submit" disabled={sending} data-testid="start">{t("start")}</button>
    </form>
  );
}
