import { useEffect, useMemo, useState } from "preact/hooks";
import { loadFound, loadSeries, query, type Found, type Table } from "../api";
import { clock, num, percent, valueOf } from "../format";
import { fuelName, t } from "../i18n";
import { base, element, grid, kind, row, run, seek, selectElement, selectOutage, shown, step, stepNumbers, steps, tell, theme } from "../state";
import { Plot, type Line } from "../charts/plot";
import { causeColour, INK } from "../charts/colours";
import { useSize } from "../size";
import { mapView } from "../map/Map";
import { List } from "../table";
import { Bar } from "./Outages";
import { pricesOf } from "./Schedule";
import { Empty, Skeleton } from "./Side";
import { SingleLine } from "./SingleLine";

export function ElementPanel() {
  const [table = "", text = ""] = element.value.split(":"), index = Number(text);
  const g = grid.value;
  if (!g) return <Skeleton />;
  if (!element.value || !(table === "bus" || table === "branch" || table === "gen")) return <Empty text={t("choose")} />;
  const rows = g[table];
  if (!(index >= 0 && index < rows.rows)) return <Empty text={t("choose")} />;
  return <Element key={element.value} table={table} index={index} />;
}

function Element({ table, index }: { table: "bus" | "branch" | "gen"; index: number }) {
  const g = grid.value!, rows = g[table];
  const [series, setSeries] = useState<Table | null>(null);
  const [threats, setThreats] = useState<Found | null>(null);
  const [host, width] = useSize<HTMLDivElement>();
  useEffect(() => { loadSeries(run.value, table, index, step.value).then(setSeries, tell); }, [run.value, table, index, steps.value]);
  const plan = kind.value === "plan";
  useEffect(() => {
    if (plan) return;
    const stop = new AbortController();
    loadFound(run.value, `threats/${table}/${index}${query({ step: step.value, whole: true, limit: 60 })}`, stop.signal).then(setThreats, tell);
    return () => stop.abort();
  }, [run.value, table, index, steps.value]);
  const bus = table === "bus" ? index : table === "gen" ? rows.i("bus")[index]! : rows.i("from_bus")[index]!;
  const shownColumn = table === "branch" ? "loading" : table === "bus" ? "v_mag" : "p_mw";
  const lines = useMemo(() => {
    if (!series) return [];
    if (plan) return planned(series, table);
    const raw = series.f(shownColumn), colour = theme.value === "dark" ? "#62c0d6" : "#1b7f99";
    return [{ label: t(table === "branch" ? "loading" : table === "bus" ? "voltage" : "output"), values: table === "branch" ? raw.map((v) => 100 * v) : raw, colour }];
  }, [series, theme.value]);
  const ticks = useMemo(() => {
    const times = steps.value?.table.t("time") ?? [];
    return series ? Array.from(series.i("step"), (s) => clock(times[stepNumbers.value.indexOf(s)])) : [];
  }, [series]);
  const unit = plan ? (table === "gen" ? "MW" : t(table === "bus" ? "per_mwh" : "per_mw")) : table === "branch" ? "%" : table === "bus" ? "pu" : "MW";
  return (
    <div class="element" ref={host} data-testid="element">
      <div class="detail-head">
        <div><small class="muted">{t(table)} {rows.t("id")[index]}</small><h2>{rows.t("name")[index] || rows.t("id")[index]}</h2></div>
        <button class="quiet" onClick={() => mapView.value?.goto(table === "gen" ? "bus" : table, table === "gen" ? bus : index)} aria-label={t("on_map")} title={t("on_map")}>◎</button>
        <button class="quiet" onClick={() => selectElement("", -1)} aria-label={t("clear")}>✕</button>
      </div>
      {plan ? <Planned table={table} index={index} /> : table === "branch" ? <BranchFacts k={index} /> : table === "bus" ? <BusFacts i={index} /> : <GenFacts k={index} />}
      <h3>{t("over_day")}</h3>
      <div style={{ minHeight: "168px" }}>
        {series && width > 0 && <Plot title={lines[0]!.label} unit={unit} lines={lines} width={width} height={128} ticks={ticks} cursor={row.value} onSeek={seek} digits={plan ? 1 : table === "bus" ? 3 : 0} name={`${run.value}_${table}_${rows.t("id")[index]}`} />}
      </div>
      <SingleLine bus={bus} />
      {plan ? null : threats && threats.total > 0 ? <Threats found={threats} name={`${run.value}_${rows.t("id")[index]}_threats`} /> : (
        <><div class="list-head"><h3>{t("threats")}</h3></div>{threats ? <p class="muted">{t("threats_none")}</p> : <Skeleton rows={3} />}</>
      )}
    </div>
  );
}

/** Lines of what a plan says of an element. */
function planned(series: Table, table: string): Line[] {
  const ink = INK[theme.value];
  if (table === "bus") return pricesOf(series, ink.main);
  const words: [string, string][] = table === "gen" ? [["p_mw", "output"], ["curtailed_mw", "curtailment"]] : [["price_per_mw", "saves"]];
  return words.map(([n, word], i) => ({ label: t(word), values: series.f(n), colour: i ? causeColour(i - 1, theme.value) : ink.first }));
}

function Planned({ table, index }: { table: "bus" | "branch" | "gen"; index: number }) {
  const g = grid.value!, state = base.value;
  const facts: [string, string][] = table === "bus"
    ? [...["price_per_mwh", "energy", "base", "outage", "loss"].map((n): [string, string] => [t(`part_${n}`), num(state?.bus.f(n)[index], 2)]), [t("carbon_marginal"), `${num(state?.bus.f("marginal_t_per_mwh")[index], 3)} t/MWh`]]
    : table === "gen"
      ? [[t("output"), `${num(state?.gen.f("p_mw")[index], 1)} MW`], [t("curtailment"), `${num(state?.gen.f("curtailed_mw")[index], 1)} MW`], [t("rating"), `${num(g.gen.f("p_max_mw")[index])} MW`], [t("fuel"), fuelName(g.gen.t("fuel")[index]!)]]
      : [[t("saves"), num(state?.branch.f("price_per_mw")[index], 2)], [t("rating"), `${num(g.branch.f("rate_mva")[index])} MVA`], [t("length"), `${num(g.branch.f("length_km")[index], 1)} km`]];
  return <dl class="facts">{facts.map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}</dl>;
}

function BranchFacts({ k }: { k: number }) {
  const g = grid.value!, state = shown.value ?? base.value, b = g.branch;
  const [from, to] = [b.i("from_bus")[k]!, b.i("to_bus")[k]!];
  const link = (i: number) => <button class="link" onClick={() => selectElement("bus", i)}>{g.bus.t("name")[i] || g.bus.t("id")[i]}</button>;
  return (
    <dl class="facts">
      <div><dt>{t("loading")}</dt><dd>{percent(state?.branch.f("loading")[k])}</dd></div>
      <div><dt>{t("flow")}</dt><dd>{num(state?.branch.f("p_from_mw")[k])} MW <small>{num(state?.branch.f("q_from_mvar")[k])} Mvar</small></dd></div>
      <div><dt>{t("rating")}</dt><dd>{num(b.f("rate_mva")[k])} MVA</dd></div>
      <div><dt>{t("from")}</dt><dd>{link(from)}</dd></div>
      <div><dt>{t("to")}</dt><dd>{link(to)}</dd></div>
      <div><dt>{t("length")}</dt><dd>{num(b.f("length_km")[k], 1)} km</dd></div>
    </dl>
  );
}

function BusFacts({ i }: { i: number }) {
  const g = grid.value!, state = shown.value ?? base.value, v = state?.bus.f("v_mag")[i];
  return (
    <dl class="facts">
      <div><dt>{t("voltage")}</dt><dd>{num(v, 3)} pu</dd></div>
      <div><dt>kV</dt><dd>{num((v ?? NaN) * g.bus.f("v_nom_kv")[i]!, 1)} / {num(g.bus.f("v_nom_kv")[i])}</dd></div>
      <div><dt>{t("limit")}</dt><dd>{num(g.bus.f("v_min_pu")[i], 2)}–{num(g.bus.f("v_max_pu")[i], 2)}</dd></div>
      {g.bus.t("area")[i] && <div><dt>{t("area")}</dt><dd>{g.bus.t("area")[i]}</dd></div>}
    </dl>
  );
}

function GenFacts({ k }: { k: number }) {
  const g = grid.value!, state = base.value;
  return (
    <dl class="facts">
      <div><dt>{t("output")}</dt><dd>{num(state?.gen.f("p_mw")[k], 1)} MW</dd></div>
      <div><dt>Mvar</dt><dd>{num(state?.gen.f("q_mvar")[k], 1)}</dd></div>
      <div><dt>{t("rating")}</dt><dd>{num(g.gen.f("p_max_mw")[k])} MW</dd></div>
      <div><dt>{t("fuel")}</dt><dd>{fuelName(g.gen.t("fuel")[k]!)}</dd></div>
    </dl>
  );
}

function Threats({ found, name }: { found: Found; name: string }) {
  const v = found.table, c = v.i("contingency"), label = v.t("label"), kind = v.t("kind"), at = v.i("step"), severity = v.f("severity"), value = v.f("value");
  const times = steps.value?.table.t("time") ?? [], when = Array.from(at, (s) => times[stepNumbers.value.indexOf(s)] ?? "");
  return (
    <List testid="threats" rowKey={(i) => c[i]!} name={name} title={<h3>{t("threats")}</h3>} onPick={(i) => selectOutage(c[i]!, at[i])} columns={[
      { key: "outage", label: t("outage"), text: true, values: label, cell: (i) => <><b>{label[i]}</b><small>{t(kind[i]!)} · {clock(when[i])}</small></> },
      { key: "outage_kind", label: "", text: true, hidden: true, values: v.t("outage_kind") },
      { key: "kind", label: "", text: true, hidden: true, values: kind },
      { key: "step", label: "", hidden: true, values: at },
      { key: "time", label: "", text: true, hidden: true, values: when },
      { key: "before", label: "", hidden: true, values: v.f("base_value") },
      { key: "after", label: t("after"), values: value, cell: (i) => valueOf(kind[i]!, value[i]!) },
      { key: "limit", label: "", hidden: true, values: v.f("limit") },
      { key: "severity", label: t("past"), values: severity, cell: (i) => <Bar share={severity[i]!} /> },
      { key: "steps", label: t("steps"), values: v.i("steps") },
    ]} />
  );
}
