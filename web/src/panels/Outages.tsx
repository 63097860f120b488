import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { loadFound, query, type Found, type Outage, type State } from "../api";
import { clock, num, percent, unitOf, valueOf } from "../format";
import { ofTotal, t } from "../i18n";
import { after, afterBusy, details, drawn, filters, grid, mode, outage, run, selectElement, selectOutage, step, stepNumbers, steps, tell, whole } from "../state";
import { chosenOutage, mapView, showLost } from "../map/Map";
import { List, type Column } from "../table";
import { place } from "../told";
import { Empty, Skeleton } from "./Side";

const { kind, outageKind, kv, area, text } = filters;
const found = signal<Found | null>(null);
const busy = signal(false);

const SHOWN = 300, MOST = 10_000; // outages on the page, and in a file

/** The question behind the list, for some number of outages. */
const asked = (limit: number) => query({
  step: step.value, whole: whole.value, kind: kind.value, outage_kind: outageKind.value, v_nom_kv: kv.value, area: area.value, text: text.value, limit,
});

const KINDS = ["overload", "overload_short_term", "voltage_low", "voltage_high", "voltage_step", "reactive_limit", "islanding", "no_convergence"];
const OUTAGE_KINDS = ["line", "transformer", "generator", "hvdc", "bus", "load", "tower", "multiple"];

export function Outages() {
  useEffect(() => {
    let timer = 0;
    const stop = effect(() => {
      const [name, at, table] = [run.value, step.value, steps.value];
      const rest = asked(SHOWN);
      if (!name || !table || !drawn.value || !stepNumbers.value.includes(at)) { found.value = null; return; }
      const abort = new AbortController();
      busy.value = true;
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        loadFound(name, `outages${rest}`, abort.signal).then(
          (answer) => { found.value = answer; busy.value = false; },
          (error) => { if ((error as Error).name !== "AbortError") { busy.value = false; tell(error); } },
        );
      }, 15);
      return () => abort.abort();
    });
    return () => { clearTimeout(timer); stop(); };
  }, []);
  const list = found.value;
  return (
    <>
      {outage.value >= 0 && <Detail />}
      <div class="filters" role="search" aria-label={t("filter")}>
        <span class="seg small">
          <button class={whole.value ? "" : "on"} aria-pressed={!whole.value} onClick={() => (whole.value = false)}>{t("this_step")}</button>
          <button class={whole.value ? "on" : ""} aria-pressed={whole.value} onClick={() => (whole.value = true)} data-testid="whole">{t("whole")}</button>
        </span>
        <input class="grow" type="search" placeholder={t("filter")} aria-label={t("filter")} value={text.value} onInput={(e) => (text.value = (e.target as HTMLInputElement).value)} />
      </div>
      <div class="filters four">
        <Choice value={kind} label={t("limit_short")} all={t("all_limits")} options={KINDS.map((k) => [k, t(k)])} name="kind" />
        <Choice value={outageKind} label={t("outage_short")} all={t("all_outages")} options={OUTAGE_KINDS.map((k) => [k, t(k)])} name="outage-kind" />
        <Choice value={kv} label={t("level_short")} all={t("all_kv")} options={levels().map((v) => [String(v), `${num(v)} kV`])} name="kv" />
        <Choice value={area} label={t("area_short")} all={t("all_areas")} options={areas().map((a) => [a, place(a)])} name="area" />
      </div>
      {!list ? <><div class="list-head muted">{t("loading_outages")}<i class="busy" /></div><Skeleton rows={12} /></>
        : list.total === 0 ? <><div class="list-head" /><Empty text={t("none_found")} /></> : <div aria-busy={busy.value}><Listed list={list} /></div>}
    </>
  );
}

const ok = (status: string) => status === "converged" || status === "islanded" || status === "skipped" || status === "";

function levels(): number[] {
  const g = grid.value;
  return g ? [...new Set(g.bus.f("v_nom_kv"))].sort((a, b) => b - a) : [];
}
const areas = () => details.value?.areas ?? [];

export function Choice({ value, label, all, options, name }: { value: { value: string }; label: string; all: string; options: [string, string][]; name: string }) {
  return (
    <select value={value.value} aria-label={all} title={all} data-testid={`filter-${name}`} class={value.value ? "set" : ""} disabled={options.length < 2 && !value.value} onChange={(e) => (value.value = (e.target as HTMLSelectElement).value)}>
      <option value="">{label}</option>
      {options.map(([v, label]) => <option key={v} value={v}>{label}</option>)}
    </select>
  );
}

/** What is known of each outage of a list, for the page and for a file. */
function columnsOf(found: Found): Column[] {
  const table = found.table, times = steps.value?.table.t("time") ?? [];
  const label = table.t("label"), what = table.t("kind"), id = table.t("element_id"), severity = table.f("severity"), broken = table.i("broken"), status = table.t("status");
  const at = table.i("step"), outKind = table.t("outage_kind"), lost = table.f("lost_load_mw"), infeed = table.f("lost_gen_mw");
  const when = Array.from(at, (s) => times[stepNumbers.value.indexOf(s)] ?? "");
  const worst = (i: number) => what[i] && ok(status[i]!)
    ? <>{t(what[i]!)}<small>{id[i]}</small></>
    : <>{t(status[i]!)}<small>{lost[i]! > 0.05 ? `${num(lost[i])} MW ${t("load")}` : infeed[i]! > 0.05 ? `${num(infeed[i])} MW ${t("infeed")}` : ""}</small></>;
  return [
    { key: "outage", label: t("outage"), text: true, values: label, cell: (i) => <><b>{label[i]}</b><small>{t(outKind[i]!)}{whole.value && at[i]! >= 0 ? ` · ${clock(when[i])}` : ""}</small></> },
    { key: "outage_kind", label: "", text: true, hidden: true, values: outKind },
    { key: "status", label: "", text: true, hidden: true, values: status },
    { key: "step", label: "", hidden: true, values: at },
    { key: "time", label: "", text: true, hidden: true, values: when },
    { key: "limit_kind", label: t("worst"), text: true, values: what, cell: worst },
    { key: "element_table", label: "", text: true, hidden: true, values: table.t("element_table") },
    { key: "element", label: "", text: true, hidden: true, values: id },
    { key: "value", label: "", hidden: true, values: table.f("value") },
    { key: "limit", label: "", hidden: true, values: table.f("limit") },
    { key: "severity", label: t("past"), values: severity, cell: (i) => <Bar share={severity[i]!} /> },
    { key: "limits_broken", label: t("count"), values: broken, cell: (i) => broken[i] || "" },
    { key: "max_loading", label: "", hidden: true, values: table.f("max_loading") },
    { key: "lost_load_mw", label: "", hidden: true, values: lost },
    { key: "lost_gen_mw", label: "", hidden: true, values: infeed },
  ];
}

function Listed({ list }: { list: Found }) {
  const c = list.table.i("contingency"), at = list.table.i("step");
  const all = async () => columnsOf(await loadFound(run.value, `outages${asked(MOST)}`));
  return (
    <List columns={columnsOf(list)} name={`${run.value}_outages`} testid="outages" class="free" rowKey={(i) => c[i]!} chosen={(i) => outage.value === c[i]} whole={all}
      title={<span class="muted" aria-live="polite">{ofTotal(list.table.rows, list.total)}</span>}
      onPick={(i) => selectOutage(c[i]!, whole.value ? at[i] : undefined)} />
  );
}

export function Bar({ share }: { share: number }) {
  if (!(share === share)) return <span class="muted">–</span>;
  return <span class="sev"><i style={{ width: `${Math.min(100, 100 * share)}%` }} class={share > 0.2 ? "hot" : ""} /><b>{percent(share, share < 0.1 ? 1 : 0)}</b></span>;
}

function Detail() {
  useEffect(() => document.getElementById("side-panel")?.scrollTo(0, 0), [outage.value]); // where this stands
  const found = chosenOutage.value;
  return (
    <section class="detail" data-testid="outage-detail">
      <div class="detail-head">
        <div><small class="muted">{t("outage")}{found ? ` · ${t(found.kind)}` : ""}</small><h2>{found?.label ?? "…"}</h2></div>
        <span class="seg small" role="group">
          {(["n", "n1", "change"] as const).map((m) => <button key={m} class={mode.value === m ? "on" : ""} aria-pressed={mode.value === m} onClick={() => (mode.value = m)}>{t(`mode_${m}`)}</button>)}
        </span>
        <button class="quiet" onClick={showLost} aria-label={t("on_map")} title={t("on_map")}>◎</button>
        <button class="quiet" onClick={() => selectOutage(-1)} aria-label={t("clear")}>✕</button>
      </div>
      {found ? <Body found={found} /> : <Skeleton rows={4} />}
    </section>
  );
}

function Body({ found }: { found: Outage }) {
  const v = found.violations, state = after.value;
  const table = v.t("element_table"), element = v.i("element"), id = v.t("element_id"), what = v.t("kind");
  const value = v.f("value"), before = v.f("base_value"), limit = v.f("limit"), severity = v.f("severity"), fresh = v.i("new");
  const split = (found.lost_load_mw ?? 0) > 0.05 || (found.lost_gen_mw ?? 0) > 0.05;
  const show = (i: number) => { selectElement(table[i]!, element[i]!); mapView.value?.goto(table[i]!, element[i]!); };
  return (
    <>
      <dl class="facts">
        <div><dt>{t("status")}</dt><dd>{t(found.status)}</dd></div>
        <div><dt>{t("max_loading")}</dt><dd>{percent(found.max_loading)}</dd></div>
        <div><dt>{t("voltage")}</dt><dd>{num(found.v_min_pu, 3)}–{num(found.v_max_pu, 3)} pu</dd></div>
      </dl>
      {split && (
        <div class="drops" data-testid="drops">
          <p>{t("lost_load")} <b>{num(found.lost_load_mw)} MW</b> · {t("lost_gen")} <b>{num(found.lost_gen_mw)} MW</b></p>
          {state && state.lost.length > 0 && <Lost lost={state.lost} name={`${run.value}_${found.label}_drops`} />}
        </div>
      )}
      {v.rows === 0 ? <><h3>{t("breaches")}</h3><p class="muted">{t("breaches_none")}</p></> : (
        <List class="short" testid="violations" name={`${run.value}_${found.label}_violations`} title={<h3>{t("breaches")}</h3>} onPick={show} columns={[
          { key: "element", label: t("element"), text: true, values: id, cell: (i) => <><b>{id[i] || "–"}</b><small>{t(what[i]!)}{fresh[i] ? ` · ${t("new")}` : ""}</small></> },
          { key: "element_table", label: "", text: true, hidden: true, values: table },
          { key: "kind", label: "", text: true, hidden: true, values: what },
          { key: "before", label: t("before"), values: before, cell: (i) => valueOf(what[i]!, before[i]!) },
          { key: "after", label: t("after"), values: value, cell: (i) => <>{valueOf(what[i]!, value[i]!)}<small>{unitOf(what[i]!)}</small></> },
          { key: "limit", label: t("limit"), values: limit, cell: (i) => valueOf(what[i]!, limit[i]!) },
          { key: "severity", label: t("past"), values: severity, cell: (i) => <Bar share={severity[i]!} /> },
          { key: "new", label: "", hidden: true, values: fresh },
        ]} />
      )}
      <p class={`note ${state && !state.agrees ? "warn" : ""}`}>{afterBusy.value ? t("solving") : state ? t(state.agrees ? "agrees" : "differs") : " "}</p>
    </>
  );
}

/** Loads, units and stores that an outage leaves without supply, the largest first. */
function Lost({ lost, name }: { lost: State["lost"]; name: string }) {
  const rows = [...lost].sort((a, b) => Math.abs(b.p_mw) - Math.abs(a.p_mw));
  const show = (i: number) => { selectElement("bus", rows[i]!.bus); mapView.value?.goto("bus", rows[i]!.bus); };
  return (
    <List class="short" testid="lost" name={name} title={<h3>{t("drops")}</h3>} onPick={show} columns={[
      { key: "id", label: t("element"), text: true, values: rows.map((r) => r.id), cell: (i) => <><b>{rows[i]!.id}</b><small>{t(rows[i]!.table)}</small></> },
      { key: "table", label: "", text: true, hidden: true, values: rows.map((r) => r.table) },
      { key: "p_mw", label: "MW", values: rows.map((r) => r.p_mw), digits: 1 },
    ]} />
  );
}
