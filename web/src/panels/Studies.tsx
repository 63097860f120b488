import { batch } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { ApiError, loadFound, query, said, send, type Found, type Job } from "../api";
import { num, percent, unitOf, valueOf } from "../format";
import { t } from "../i18n";
import { details, jobs, run, runs, selectOutage, session, tell, view } from "../state";
import { Empty, Skeleton } from "./Side";

export function Studies() {
  return (
    <main class="page studies" data-testid="studies">
      <div class="column">
        <section class="card">
          <h2>{t("runs_here")}</h2>
          {!runs.value ? <Skeleton /> : runs.value.length === 0 ? <Empty text={t("no_runs_hint")} /> : (
            <table class="list">
              <tbody>{runs.value.map((r) => (
                <tr key={r.key} class={r.key === run.value ? "on" : ""} tabIndex={0} onClick={() => (run.value = r.key)} onKeyDown={(e) => { if (e.key === "Enter") run.value = r.key; }}>
                  <td><b>{r.key}</b><small>{r.name}</small>{r.issues.map((i, k) => <small key={k} class="error">{said(i)}</small>)}</td>
                  <td>{t(r.status)}</td>
                  <td class="r wide"><Progress done={r.steps} total={r.n_steps} /></td>
                </tr>
              ))}</tbody>
            </table>
          )}
        </section>
        {details.value && details.value.sentences.length > 0 && (
          <section class="card"><h2>{t("summary")}: {details.value.key}</h2>{details.value.sentences.map((s) => <p key={s}>{s}</p>)}</section>
        )}
      </div>
      <div class="column">
        <section class="card"><h2>{t("start_study")}</h2>{session.value?.role === "operator" ? <Form /> : <p class="muted">{t("viewer")}</p>}</section>
        <section class="card" aria-live="polite"><h2>{t("started")}</h2>{jobs.value.length === 0 ? <Empty text={t("started_none")} /> : jobs.value.map((j) => <Work key={j.id} job={j} />)}</section>
      </div>
    </main>
  );
}

function Progress({ done, total }: { done: number; total: number }) {
  return <span class="progress" role="progressbar" aria-label={t("steps")} aria-valuenow={done} aria-valuemax={total} aria-valuemin={0}><i style={{ width: `${total ? (100 * done) / total : 0}%` }} /><b>{num(done)} / {num(total)}</b></span>;
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
    <table class="list" data-testid="n1-list">
      <thead><tr><th>{t("outage")}</th><th>{t("worst")}</th><th class="r">{t("after")}</th><th class="r">{t("limit")}</th><th class="r">{t("past")}</th></tr></thead>
      <tbody>
        {Array.from(c, (n, i) => (
          <tr key={n} tabIndex={0} onClick={() => open(i)} onKeyDown={(e) => { if (e.key === "Enter") open(i); }}>
            <td><b>{label[i]}</b></td><td>{kind[i] ? `${t(kind[i]!)} ${id[i]}` : t(status[i]!)}</td><td class="r">{valueOf(kind[i]!, value[i]!)} {unitOf(kind[i]!)}</td><td class="r">{valueOf(kind[i]!, limit[i]!)}</td><td class="r">{percent(severity[i], 1)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot><tr><td colSpan={5}>{num(v.rows)} {t("of")} {num(found.total)}</td></tr></tfoot>
    </table>
  );
}

function Work({ job }: { job: Job }) {
  const [error, setError] = useState("");
  const act = (what: string) => send(`studies/${job.id}/${what}`).catch((e) => setError((e as ApiError).message));
  const going = job.state === "running" || job.state === "cancelling", operator = session.value?.role === "operator";
  const key = job.run ? runs.value?.find((r) => r.path.endsWith(`/${job.run}`))?.key : undefined;
  return (
    <article class="job" data-testid="job" data-state={job.state}>
      <div class="job-head"><b>{job.title}</b><span class="muted">{t(job.kind === "day" ? "study_day" : "study_n1")} · {num(job.seconds)} {t("seconds")}</span>
        <span class={`chip state-${job.state}`}><i />{t(job.state)}</span>
        {operator && going && <button onClick={() => act("cancel")} disabled={job.state === "cancelling"} data-testid="cancel">{t("cancel")}</button>}
        {operator && !going && job.state !== "finished" && <button onClick={() => act("resume")} data-testid="resume">{t("resume")}</button>}
        {key && <button onClick={() => { run.value = key; view.value = "map"; }}>{t("open")}</button>}
      </div>
      {job.kind === "day" && <Progress done={job.done} total={job.total} />}
      {job.state === "finished" && job.kind === "n1" && key && <N1 name={key} />}
      {(job.message || error) && <p class="error" role="alert">{job.message || error}</p>}
    </article>
  );
}

function Form() {
  const [kind, setKind] = useState("day"), [error, setError] = useState<string[]>([]);
  const [f, set] = useState({ grid: "1-EHV-mixed--0-no_sw", date: "2016-12-06", contingencies: "branches+generators", q_limits: true, slack: "distributed", name: "" });
  const field = (name: "grid" | "date" | "contingencies" | "name", label: string, type: "text" | "date" = "text") => (
    <label>{label}{type === "date"
      ? <input type="date" name={name} value={f[name]} onInput={(e) => set({ ...f, [name]: (e.target as HTMLInputElement).value })} />
      : <input type="text" name={name} value={f[name]} onInput={(e) => set({ ...f, [name]: (e.target as HTMLInputElement).value })} />}</label>
  );
  const start = async (e: Event) => {
    e.preventDefault();
    setError([]);
    try { await send("studies", { kind, ...f }); } catch (e) { setError((e as ApiError).issues?.map(said) ?? [String(e)]); }
  };
  return (
    <form class="form" onSubmit={start} data-testid="study-form">
      <div class="seg">{["day", "n1"].map((k) => <button type="button" key={k} class={kind === k ? "on" : ""} aria-pressed={kind === k} onClick={() => setKind(k)} data-testid={`kind-${k}`}>{t(`study_${k}`)}</button>)}</div>
      {field("grid", t("grid_name"))}
      {kind === "day" && field("date", t("date"), "date")}
      {field("contingencies", t("outage_list"))}
      <label>{t("slack")}<select value={f.slack} onChange={(e) => set({ ...f, slack: (e.target as HTMLSelectElement).value })}><option value="distributed">{t("distributed")}</option><option value="reference">{t("reference")}</option></select></label>
      {field("name", t("name"))}
      <label class="check"><input type="checkbox" checked={f.q_limits} onChange={() => set({ ...f, q_limits: !f.q_limits })} /> {t("q_limits")}</label>
      {error.map((m) => <p key={m} class="error" role="alert">{m}</p>)}
      <button class="primary" type="submit" data-testid="start">{t("start")}</button>
    </form>
  );
}
