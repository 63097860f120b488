// What runs, what it costs and what is held in reserve, step by step: of a stored day, of operating points, or of a plan.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { loadLimits, loadSeries, loadSteps, type Steps, type Table } from "../api";
import { clock, day, num, percent } from "../format";
import { fuelName, t } from "../i18n";
import { base, element, grid, kind, other, row, run, runs, seek, selectElement, stepNumbers, steps, tell, theme, view } from "../state";
import { Plot, type Band, type Line } from "../charts/plot";
import { byOrder, causeColour, fuelColour, INK } from "../charts/colours";
import { useSize } from "../size";
import { List } from "../table";
import { Compare } from "./Compare";
import { Fans, Played, spansDays } from "./Fans";
import { Empty, Skeleton } from "./Side";

export function Schedule() {
  const [host, width] = useSize<HTMLDivElement>();
  const [second, setSecond] = useState<Steps | null>(null);
  const s = steps.value, others = (runs.value ?? []).filter((r) => r.key !== run.value && r.steps > 0);
  useEffect(() => {
    setSecond(null);
    if (other.value) loadSteps(other.value).then(setSecond, tell);
  }, [other.value]);
  const columns = width > 2100 ? 3 : width > 1000 ? 2 : 1, w = Math.max(320, (width - 28 - 16 * (columns - 1)) / columns);
  return (
    <main class="page" ref={host} data-testid="schedule">
      <div class="page-bar">
        <h1>{t("schedule")}</h1>
        <label>{t("compare")}
          <select value={other.value} onChange={(e) => (other.value = (e.target as HTMLSelectElement).value)} data-testid="compare">
            <option value="">{t("nothing")}</option>
            {others.map((r) => <option key={r.key} value={r.key}>{r.key}</option>)}
          </select>
        </label>
      </div>
      {!s || width === 0 ? <Skeleton /> : s.table.rows === 0 ? <Empty text={t("no_steps")} /> : (
        <>
          {other.value && (second ? <Compare a={s} b={second} names={[run.value, other.value]} w={w} columns={columns} /> : <Skeleton />)}
          <Body s={s} w={w} columns={columns} />
        </>
      )}
    </main>
  );
}

/** Generation by fuel, what stores take below zero, and on top, hatched, what could have been given, by cause. */
export function stackOf(s: Steps): Line[] {
  const fuels = s.shares.gen_by_fuel_mw, storage = s.shares.storage_mw, causes = s.shares.curtailed_by_cause_mw;
  const lines: Line[] = [];
  if (fuels) {
    const seen = fuels.names.filter((f) => fuels.f(f).some((v) => Math.abs(v) > 0.05)).sort(byOrder);
    lines.push(...seen.map((f, i) => ({ label: fuelName(f), values: fuels.f(f), colour: fuelColour(f, theme.value, i) })));
  }
  if (storage) {
    const colour = fuelColour("storage", theme.value);
    lines.push(...["feeding", "charging"].map((n) => ({ label: `${t("storage")}: ${t(n)}`, values: storage.f(n), colour })));
  }
  const cut = (label: string, values: Float32Array, i: number) => lines.push({ label: `${t("not_used")}: ${label}`, values, colour: causeColour(i, theme.value), hatch: true });
  if (causes) causes.names.forEach((c, i) => cut(t(c), causes.f(c), i));
  else if (s.table.has("curtailed_mw") && s.table.f("curtailed_mw").some((v) => v > 0.05)) cut(t("curtailment"), s.table.f("curtailed_mw"), 0);
  return lines;
}

/** Lowest and highest point of a stack. */
export function reach(lines: Line[], over: Line[]): [number, number] {
  const n = Math.max(0, ...lines.map((l) => l.values.length));
  let low = 0, high = 0;
  for (let i = 0; i < n; i++) {
    let up = 0, down = 0;
    for (const l of lines) { const v = l.values[i] || 0; if (v > 0) up += v; else down += v; }
    for (const l of over) up = Math.max(up, l.values[i] || 0);
    [low, high] = [Math.min(low, down), Math.max(high, up)];
  }
  return [low, high];
}

export const ticksOf = (s: Steps) => (spansDays(s) ? s.table.t("time").map((x) => day(x).slice(5)) : s.table.t("time").map(clock));

function Body({ s, w, columns }: { s: Steps; w: number; columns: number }) {
  const ticks = useMemo(() => ticksOf(s), [s]);
  const fuels = s.shares.gen_by_fuel_mw, ink = INK[theme.value];
  const words = t("load"), colours = theme.value;
  const stack = useMemo(() => stackOf(s), [s, colours, words]);
  const over = useMemo<Line[]>(() => [{ label: t("load"), values: s.table.f("load_mw"), colour: ink.main, dash: true }], [s, colours, words]);
  const residual = useMemo(() => s.table.f("load_mw").map((v, i) => v - (fuels?.has("wind") ? fuels.f("wind")[i] || 0 : 0) - (fuels?.has("solar") ? fuels.f("solar")[i] || 0 : 0)), [s]);
  const duration = useMemo<Line[]>(() => [
    { label: t("load"), values: sorted(s.table.f("load_mw")), colour: ink.main },
    { label: t("residual"), values: sorted(residual), colour: ink.second },
    ...(fuels?.has("wind") ? [{ label: t("wind"), values: sorted(fuels.f("wind")), colour: ink.first }] : []),
  ], [s, colours, words]);
  const shares = useMemo(() => Array.from({ length: s.table.rows }, (_, i) => percent(i / Math.max(1, s.table.rows - 1))), [s]);
  const tall = innerHeight > 1200 ? 1.4 : 1, height = 190 * tall; // a large screen is used
  const shared = { cursor: row.value, onSeek: seek, ticks, width: w, height };
  const security = s.table.has("outages_violating"); // of three in a row, the first ones are as tall as the stack beside them
  const line = (name: string, colour = ink.first): Line[] => [{ label: t(name), values: s.table.f(name), colour }];
  return (
    <div class="plots">
      <Plot title={t("generation")} unit="MW" lines={stack} over={over} stacked name={`${run.value}_generation`} {...shared} height={300 * tall} />
      <Energy fuels={fuels} hours={s.step_h} w={w} />
      {security && <Plot title={t("outages_violating")} unit="" lines={line("outages_violating")} name={`${run.value}_insecure`} {...shared} height={columns > 2 ? 300 * tall : height} />}
      <Curtailed s={s} {...shared} height={columns > 2 && !security ? 300 * tall : height} />
      <Prices s={s} {...shared} />
      <Carbon s={s} {...shared} />
      <Stores s={s} {...shared} />
      <Reserves s={s} {...shared} />
      <Plot title={t("duration")} unit="MW" lines={duration} width={w} height={height} ticks={shares} name={`${run.value}_duration`} />
      {s.table.has("price_per_mwh") && <Plot title={`${t("duration")}: ${t("price")}`} unit={t("per_mwh")} lines={[{ label: t("price_per_mwh"), values: sorted(s.table.f("price_per_mwh")), colour: ink.second }]} width={w} height={height} ticks={shares} digits={1} name={`${run.value}_price_duration`} />}
      <Costs s={s} w={w} />
      {kind.value === "plan" && <Limits w={w} />}
      <Played s={s} w={w} ticks={ticks} cursor={row.value} onSeek={seek} />
      {spansDays(s) && <Fans s={s} w={w} />}
    </div>
  );
}

interface Shared { cursor: number; onSeek: (row: number) => void; ticks: string[]; width: number; height: number }
const sorted = (values: Float32Array) => Float32Array.from(values).filter((v) => v === v).sort().reverse();
const card = (w: number) => ({ style: { width: `${w}px` } });

function Energy({ fuels, hours, w }: { fuels: Table | undefined; hours: number; w: number }) {
  if (!fuels) return null;
  const rows = fuels.names.map((f) => {
    const v = fuels.f(f);
    return { f, gwh: (v.reduce((a, b) => a + (b || 0), 0) * hours) / 1000, peak: v.reduce((a, b) => Math.max(a, b || 0), 0) };
  }).filter((r) => Math.abs(r.gwh) > 5e-4).sort((a, b) => b.gwh - a.gwh);
  const all = rows.reduce((a, r) => a + r.gwh, 0), digits = all < 10 ? 3 : 1;
  return (
    <section class="card" {...card(w)}>
      <List name={`${run.value}_energy`} testid="energy" title={<h2>{t("energy")}</h2>} foot={<tr><td /><td class="r">{num(all, digits)}</td><td /><td /></tr>} columns={[
        { key: "fuel", label: t("fuel"), text: true, values: rows.map((r) => r.f), cell: (i) => <><i class="dot" style={{ background: fuelColour(rows[i]!.f, theme.value) }} />{fuelName(rows[i]!.f)}</> },
        { key: "gwh", label: "GWh", values: rows.map((r) => r.gwh), digits },
        { key: "share", label: t("share"), values: rows.map((r) => r.gwh / all), cell: (i) => percent(rows[i]!.gwh / all, 1) },
        { key: "peak_mw", label: `${t("peak")}, MW`, values: rows.map((r) => r.peak) },
      ]} />
    </section>
  );
}

function Curtailed({ s, ...shared }: { s: Steps } & Shared) {
  const causes = s.shares.curtailed_by_cause_mw, words = t("curtailment"), colours = theme.value;
  const lines = useMemo<Line[]>(() => {
    if (causes) return causes.names.map((c, i) => ({ label: t(c), values: causes.f(c), colour: causeColour(i, theme.value) }));
    return s.table.has("curtailed_mw") ? [{ label: t("curtailment"), values: s.table.f("curtailed_mw"), colour: causeColour(0, theme.value) }] : [];
  }, [s, words, colours]);
  if (!lines.length || !lines.some((l) => Array.from(l.values).some((v) => v > 1e-6)))
    return <section class="card" {...card(shared.width)}><h2>{t("curtailment")}</h2><p class="muted">{t(s.table.has("curtailed_mw") ? "curtail_zero" : "curtail_none")}</p></section>;
  return <Plot title={t("curtailment")} unit="MW" lines={lines} stacked name={`${run.value}_curtailment`} {...shared} />;
}

/** A spread over the buses as two bands and a median. */
export function spread(table: Table, colour: string): { bands: Band[]; median: Line } {
  return {
    bands: [
      { label: t("all_buses"), low: table.f("q0"), high: table.f("q100"), colour, opacity: 0.16, loose: true },
      { label: t("most_buses"), low: table.f("q10"), high: table.f("q90"), colour, opacity: 0.3 },
    ],
    median: { label: t("median"), values: table.f("q50"), colour },
  };
}

function Prices({ s, ...shared }: { s: Steps } & Shared) {
  const found = s.shares.spread_price_per_mwh, ink = INK[theme.value], words = t("price"), colours = theme.value;
  const made = useMemo(() => (found ? spread(found, ink.first) : null), [s, words, colours]);
  const lines = useMemo<Line[]>(() => (made ? [made.median, { label: t("price_per_mwh"), values: s.table.f("price_per_mwh"), colour: ink.main, dash: true }] : []), [made]);
  if (!made) return null;
  return (
    <>
      <Plot title={t("prices_nodal")} unit={t("per_mwh")} lines={lines} bands={made.bands} digits={1} name={`${run.value}_prices`} {...shared} />
      <PriceAt {...shared} />
    </>
  );
}

/** A nodal price and its parts, as lines; without a part that is nothing at every step. */
export function pricesOf(series: Table, colour: string): Line[] {
  return ["price_per_mwh", "energy", "base", "outage", "loss"].map((k, i) => ({
    label: t(`part_${k}`), values: series.f(k), colour: i ? causeColour(i - 1, theme.value) : colour, dash: i === 0,
  })).filter((l, i) => i < 2 || l.values.some((v) => Math.abs(v) > 1e-6));
}

/** Components of the price at the chosen bus; without one, at the bus that is dearest now. */
function PriceAt(shared: Shared) {
  const g = grid.value, state = base.value, [table, at] = element.value.split(":");
  const dearest = useMemo(() => {
    const price = state?.bus.has("price_per_mwh") ? state.bus.f("price_per_mwh") : null;
    return price ? price.reduce((best, v, i) => (v > (price[best] ?? -Infinity) || price[best] !== price[best] ? i : best), 0) : -1;
  }, [run.value, !!state]);
  const bus = table === "bus" ? Number(at) : dearest;
  const [series, set] = useState<Table | null>(null);
  useEffect(() => {
    if (bus >= 0) loadSeries(run.value, "bus", bus, 0).then(set, tell);
  }, [run.value, bus, steps.value]);
  const ink = INK[theme.value], words = t("price"), colours = theme.value;
  const lines = useMemo<Line[]>(() => (series ? pricesOf(series, ink.main) : []), [series, words, colours]);
  if (!g || bus < 0 || !series) return <section class="card" style={{ width: `${shared.width}px`, minHeight: "236px" }} />;
  const name = g.bus.t("name")[bus] || g.bus.t("id")[bus];
  return (
    <div data-testid="price-at">
      <Plot title={`${t("price_at")} ${name}`} unit={t("per_mwh")} lines={lines} digits={1} name={`${run.value}_price_${name}`} {...shared}
        tools={<button class="link" onClick={() => { selectElement("bus", bus); view.value = "map"; }}>{t("other_bus")}</button>} />
    </div>
  );
}

function Carbon({ s, ...shared }: { s: Steps } & Shared) {
  const found = s.shares.spread_marginal_t_per_mwh, ink = INK[theme.value], words = t("carbon"), colours = theme.value;
  const made = useMemo(() => (found ? spread(found, ink.second) : null), [s, words, colours]);
  const lines = useMemo<Line[]>(() => {
    if (s.table.has("carbon_t_per_mwh")) return [...(made ? [made.median] : []), { label: t("carbon_average"), values: s.table.f("carbon_t_per_mwh"), colour: ink.main, dash: true }];
    return s.table.has("carbon_t_per_h") ? [{ label: t("carbon_t_per_h"), values: s.table.f("carbon_t_per_h"), colour: ink.second }] : [];
  }, [made, s, words, colours]);
  if (!lines.length) return null;
  return <Plot title={t(made ? "carbon_marginal" : "carbon")} unit={made ? "t/MWh" : "t/h"} lines={lines} bands={made?.bands} digits={made ? 3 : 0} name={`${run.value}_carbon`} {...shared} />;
}

function Stores({ s, ...shared }: { s: Steps } & Shared) {
  const power = s.shares.storage_mw, energy = s.shares.storage_energy_mwh, words = t("storage"), colours = theme.value, ink = INK[theme.value];
  const flows = useMemo<Line[]>(() => (power ? [
    { label: t("feeding"), values: power.f("feeding"), colour: ink.first }, { label: t("charging"), values: power.f("charging"), colour: ink.second },
  ] : []), [s, words, colours]);
  const held = useMemo<Line[]>(() => (energy ? energy.names.map((n, i) => ({ label: n || t("storage"), values: energy.f(n), colour: causeColour(i, theme.value) })) : []), [s, words, colours]);
  if (!power || !energy) return null;
  return (
    <>
      <Plot title={t("storage_power")} unit="MW" lines={flows} stacked name={`${run.value}_storage`} {...shared} />
      <Plot title={t("storage_energy")} unit="MWh" lines={held} stacked name={`${run.value}_storage_energy`} {...shared} />
    </>
  );
}

function Reserves({ s, ...shared }: { s: Steps } & Shared) {
  const held = s.shares.reserve_held_mw, need = s.shares.reserve_need_mw, words = t("reserve"), colours = theme.value;
  const lines = useMemo<Line[]>(() => (held && need ? held.names.flatMap((n, i) => [
    { label: `${n}: ${t("held")}`, values: held.f(n), colour: causeColour(i, theme.value) },
    { label: `${n}: ${t("needed")}`, values: need.f(n), colour: causeColour(i, theme.value), dash: true },
  ]) : []), [s, words, colours]);
  if (!lines.length) return null;
  return <Plot title={t("reserve")} unit="MW" lines={lines} name={`${run.value}_reserve`} {...shared} digits={1} include={[0, 0]} />;
}

/** Items of the cost; of a run without items, sums of what it has for each step. */
export function costsOf(s: Steps): { item: string; cost: number }[] {
  if (s.costs.length) return s.costs.filter((c) => Math.abs(c.cost) > 0.005);
  const sum = (name: string) => s.table.f(name).reduce((a, b) => a + (b || 0), 0) * s.step_h;
  return s.table.has("cost_per_h") ? [{ item: "production", cost: sum("cost_per_h") }] : [];
}
export function carbonOf(s: Steps): number {
  const name = ["co2_t", "carbon_t_per_h"].find((n) => s.table.has(n));
  return name ? s.table.f(name).reduce((a, b) => a + (b || 0), 0) * (name === "co2_t" ? 1 : s.step_h) : NaN;
}

function Costs({ s, w }: { s: Steps; w: number }) {
  const items = costsOf(s), total = items.reduce((a, c) => a + c.cost, 0), co2 = carbonOf(s);
  return (
    <section class="card" {...card(w)} data-testid="costs">
      {items.length === 0 ? <><h2>{t("costs")}</h2><p class="muted">{t("costs_none")}</p></> : (
        <List name={`${run.value}_costs`} title={<h2>{t("costs")}</h2>} columns={[
          { key: "item", label: t("item"), text: true, values: items.map((c) => c.item), cell: (i) => t(`cost_${items[i]!.item.replaceAll(" ", "_")}`) },
          { key: "cost", label: t("cost"), values: items.map((c) => c.cost) },
          { key: "share", label: t("share"), values: items.map((c) => c.cost / total), cell: (i) => percent(items[i]!.cost / total, 1) },
        ]} foot={<><tr><td><b>{t("total")}</b></td><td class="r"><b>{num(total)}</b></td><td /></tr>{co2 === co2 && <tr><td>CO₂, t</td><td class="r">{num(co2)}</td><td /></tr>}</>} />
      )}
    </section>
  );
}

/** Flow limits that cost something, over the whole plan. */
function Limits({ w }: { w: number }) {
  const [found, set] = useState<Table | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    loadLimits(run.value, null, stop.signal).then(set, tell);
    return () => stop.abort();
  }, [run.value, steps.value]);
  return <section class="card" {...card(w)} data-testid="limits">{!found ? <><h2>{t("limits")}</h2><Skeleton rows={3} /></> : <LimitList found={found} most={12} title={<h2>{t("limits")}</h2>} />}</section>;
}

export function LimitList({ found, most = 200, now = false, title }: { found: Table; most?: number; now?: boolean; title?: ComponentChildren }) {
  if (!found.rows) return <>{title}<p class="muted">{t("limits_none")}</p></>;
  const branch = found.i("branch"), id = found.t("branch_id"), outage = found.t("outage"), price = found.f("price_per_mw"), steps_ = found.i("steps"), excess = found.f("excess_mw");
  const show = (i: number) => { selectElement("branch", branch[i]!); view.value = "map"; };
  const n = Math.min(found.rows, most), part = <T,>(values: ArrayLike<T>) => Array.from({ length: n }, (_, i) => values[i]!);
  return (
    <List testid="limit-list" name={`${run.value}_limits`} title={title} onPick={show} columns={[
      { key: "branch", label: t("element"), text: true, values: part(id), cell: (i) => <><b>{id[i]}</b>{excess[i]! > 0.05 && <small class="error">+{num(excess[i], 1)} MW</small>}</> },
      { key: "outage", label: t("after_outage"), text: true, values: part(outage), cell: (i) => outage[i] || t("intact") },
      { key: "price_per_mw", label: t("saves"), values: part(price), digits: 1 },
      { key: "excess_mw", label: "", hidden: true, values: part(excess) },
      ...(now ? [] : [{ key: "steps", label: t("steps"), values: part(steps_), cell: (i: number) => `${num(steps_[i])} / ${num(stepNumbers.value.length)}` }]),
    ]} />
  );
}
