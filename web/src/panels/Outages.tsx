import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { loadFound, query, type Found, type Outage } from "../api";
import { clock, num, percent, unitOf, valueOf } from "../format";
import { t } from "../i18n";
import { after, afterBusy, grid, mode, outage, run, selectElement, selectOutage, step, stepNumbers, steps, tell } from "../state";
import { chosenOutage, mapView } from "../map/Map";
import { Empty, Skeleton } from "./Side";

export const whole = signal(false);
const kind = signal(""), outageKind = signal(""), kv = signal(""), area = signal(""), text = signal("");
const found = signal<Found | null>(null);
const busy = signal(false);

const KINDS = ["overload", "overload_short_term", "voltage_low", "voltage_high", "voltage_step", "reactive_limit", "islanding", "no_convergence"];
const OUTAGE_KINDS = ["line", "transformer", "generator", "hvdc", "bus", "load", "tower", "multiple"];

export function Outages() {
  useEffect(() => {
    let timer = 0;
    const stop = effect(() => {
      const [name, at, table] = [run.value, step.value, steps.value];
      const rest = query({
        step: at, whole: whole.value, kind: kind.value, outage_kind: outageKind.value, v_nom_kv: kv.value, area: area.value,
        text: text.value, limit: 300,
      });
      if (!name || !table || !stepNumbers.value.includes(at)) { found.value = null; return; }
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
        <Choice value={kind} all={t("all_limits")} options={KINDS.map((k) => [k, t(k)])} name="kind" />
        <Choice value={outageKind} all={t("all_outages")} options={OUTAGE_KINDS.map((k) => [k, t(k)])} name="outage-kind" />
        <Choice value={kv} all={t("all_kv")} options={levels().map((v) => [String(v), `${num(v)} kV`])} name="kv" />
        <Choice value={area} all={t("all_areas")} options={areas().map((a) => [a, a])} name="area" />
        <input class="grow" type="search" placeholder={t("filter")} aria-label={t("filter")} value={text.value} onInput={(e) => (text.value = (e.target as HTMLInputElement).value)} />
      </div>
      <div class="list-head muted" aria-live="polite">
        {list ? `${num(list.table.rows)} ${t("of")} ${num(list.total)}` : t("loading_outages")}
        {busy.value && <i class="busy" />}
      </div>
      {!list ? <Skeleton rows={12} /> : list.total === 0 ? <Empty text={t("none_found")} /> : <List list={list} />}
    </>
  );
}

const ok = (status: string) => status === "converged" || status === "islanded" || status === "skipped" || status === "";

function levels(): number[] {
  const g = grid.value;
  return g ? [...new Set(g.bus.f("v_nom_kv"))].sort((a, b) => b - a) : [];
}
function areas(): string[] {
  const g = grid.value;
  return g ? [...new Set(g.bus.t("area"))].filter(Boolean).sort() : [];
}

export function Choice({ value, all, options, name }: { value: { value: string }; all: string; options: [string, string][]; name: string }) {
  return (
    <select value={value.value} aria-label={all} data-testid={`filter-${name}`} class={value.value ? "set" : ""} disabled={options.length < 2 && !value.value} onChange={(e) => (value.value = (e.target as HTMLSelectElement).value)}>
      <option value="">{all}</option>
      {options.map(([v, label]) => <option key={v} value={v}>{label}</option>)}
    </select>
  );
}

function List({ list }: { list: Found }) {
  const table = list.table;
  const c = table.i("contingency"), label = table.t("label"), what = table.t("kind"), id = table.t("element_id");
  const severity = table.f("severity"), broken = table.i("broken"), status = table.t("status"), at = table.i("step");
  const outKind = table.t("outage_kind"), lost = table.f("lost_load_mw"), infeed = table.f("lost_gen_mw");
  const times = steps.value?.table.t("time") ?? [];
  const choose = (i: number) => selectOutage(c[i]!, whole.value ? at[i] : undefined);
  return (
    <table class="list" data-testid="outages">
      <thead><tr><th>{t("outage")}</th><th>{t("worst")}</th><th class="r">{t("past")}</th><th class="r">{t("count")}</th></tr></thead>
      <tbody>
        {Array.from(c, (number, i) => (
          <tr key={number} class={outage.value === number ? "on" : ""} tabIndex={0} aria-selected={outage.value === number}
            onClick={() => choose(i)} onKeyDown={(e) => { if (e.key === "Enter") choose(i); }}>
            <td><b>{label[i]}</b><small>{t(outKind[i]!)}{whole.value && at[i]! >= 0 ? ` · ${clock(times[stepNumbers.value.indexOf(at[i]!)])}` : ""}</small></td>
            <td>{what[i] && ok(status[i]!) ? <>{t(what[i]!)}<small>{id[i]}</small></> : <>{t(status[i]!)}<small>{lost[i]! > 0.05 ? `${num(lost[i])} MW ${t("load")}` : infeed[i]! > 0.05 ? `${num(infeed[i])} MW` : ""}</small></>}</td>
            <td class="r"><Bar share={severity[i]!} /></td>
            <td class="r">{broken[i] || ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
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
          <h3>{t("drops")}</h3>
          <p>{t("lost_load")} <b>{num(found.lost_load_mw)} MW</b> · {t("lost_gen")} <b>{num(found.lost_gen_mw)} MW</b></p>
          {state && state.lost.length > 0 && (
            <ul>{state.lost.slice(0, 6).map((l) => <li key={l.table + l.id}><button class="link" onClick={() => { selectElement("bus", l.bus); mapView.value?.goto("bus", l.bus); }}>{t(l.table)} {l.id}</button> {num(l.p_mw)} MW</li>)}</ul>
          )}
        </div>
      )}
      <h3>{t("breaches")}</h3>
      {v.rows === 0 ? <p class="muted">{t("breaches_none")}</p> : (
        <div class="scroll short">
          <table class="list" data-testid="violations">
            <thead><tr><th>{t("element")}</th><th class="r">{t("before")}</th><th class="r">{t("after")}</th><th class="r">{t("limit")}</th><th class="r">{t("past")}</th></tr></thead>
            <tbody>
              {Array.from(element, (_, i) => (
                <tr key={i} tabIndex={0} onClick={() => show(i)} onKeyDown={(e) => { if (e.key === "Enter") show(i); }}>
                  <td><b>{id[i] || "–"}</b><small>{t(what[i]!)}{fresh[i] ? ` · ${t("new")}` : ""}</small></td>
                  <td class="r">{valueOf(what[i]!, before[i]!)}</td>
                  <td class="r">{valueOf(what[i]!, value[i]!)}<small>{unitOf(what[i]!)}</small></td>
                  <td class="r">{valueOf(what[i]!, limit[i]!)}</td>
                  <td class="r"><Bar share={severity[i]!} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class={`note ${state && !state.agrees ? "warn" : ""}`}>{afterBusy.value ? t("solving") : state ? t(state.agrees ? "agrees" : "differs") : " "}</p>
    </>
  );
}
