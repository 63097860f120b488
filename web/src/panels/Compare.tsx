// Two runs or plans: side by side, and as a difference. Steps are paired by their time, or by their number where no time agrees.
import { useMemo, useState } from "preact/hooks";
import type { Steps } from "../api";
import { clock, num } from "../format";
import { fuelName, t } from "../i18n";
import { theme } from "../state";
import { Plot, type Line } from "../charts/plot";
import { byOrder, fuelColour, INK } from "../charts/colours";
import { List } from "../table";
import { carbonOf, costsOf, reach, stackOf, ticksOf } from "./Schedule";

const FIGURES = [
  "load_mw", "gen_mw", "losses_mw", "curtailed_mw", "unserved_mw", "price_per_mwh", "carbon_t_per_mwh", "cost_per_h", "carbon_t_per_h",
  "redispatch_mw", "max_loading", "outages_violating", "base_violations", "binding_limits",
];
const DIGITS: Record<string, number> = { max_loading: 3, carbon_t_per_mwh: 3 };

/** Rows of both that belong together. */
export function paired(a: Steps, b: Steps): [number[], number[]] {
  const times = new Map(b.table.t("time").map((text, i) => [text, i]));
  const left: number[] = [], right: number[] = [];
  a.table.t("time").forEach((text, i) => {
    const j = text ? times.get(text) : undefined;
    if (j !== undefined) { left.push(i); right.push(j); }
  });
  if (left.length) return [left, right];
  const n = Math.min(a.table.rows, b.table.rows), all = Array.from({ length: n }, (_, i) => i);
  return [all, all];
}

const pick = (values: Float32Array, rows: number[]) => Float32Array.from(rows, (i) => values[i]!);
const minus = (b: Float32Array, a: Float32Array) => b.map((v, i) => v - a[i]!);

export function Compare({ a, b, names, w, columns }: { a: Steps; b: Steps; names: [string, string]; w: number; columns: number }) {
  const [wanted, show] = useState("gen_mw");
  const [left, right] = useMemo(() => paired(a, b), [a, b]);
  const ink = INK[theme.value], words = t("load"), colours = theme.value;
  const figures = FIGURES.filter((k) => a.table.has(k) && b.table.has(k));
  const shown = figures.includes(wanted) ? wanted : figures[0]!;
  const ticks = useMemo(() => { const all = ticksOf(a); return left.map((i) => all[i] ?? clock("")); }, [a, left]);
  const stacks = useMemo(() => [a, b].map((s) => ({ lines: stackOf(s), over: [{ label: t("load"), values: s.table.f("load_mw"), colour: ink.main, dash: true }] })), [a, b, words, colours]);
  const include = useMemo(() => stacks.map((s) => reach(s.lines, s.over)).reduce<[number, number]>(([l, h], [a, b]) => [Math.min(l, a), Math.max(h, b)], [0, 0]), [stacks]);
  const changed = useMemo<Line[]>(() => {
    const [fa, fb] = [a.shares.gen_by_fuel_mw, b.shares.gen_by_fuel_mw];
    const fuels = [...new Set([...(fa?.names ?? []), ...(fb?.names ?? [])])].sort(byOrder);
    const of = (s: typeof fa, f: string, rows: number[]) => (s?.has(f) ? pick(s.f(f), rows) : new Float32Array(rows.length));
    return fuels.map((f, i) => ({ label: fuelName(f), values: minus(of(fb, f, right), of(fa, f, left)), colour: fuelColour(f, theme.value, i) }))
      .filter((l) => l.values.some((v) => Math.abs(v) > 0.05));
  }, [a, b, words, colours]);
  const [va, vb] = useMemo(() => [pick(a.table.f(shown), left), pick(b.table.f(shown), right)], [a, b, shown, left]);
  const sides = useMemo<Line[]>(() => [{ label: names[0], values: va, colour: ink.first }, { label: names[1], values: vb, colour: ink.second }], [va, vb, colours]);
  const gap = useMemo<Line[]>(() => [{ label: `${names[1]} − ${names[0]}`, values: minus(vb, va), colour: ink.second }], [va, vb, colours]);
  const digits = DIGITS[shown] ?? 0, plot = { width: w, height: 190, ticks };
  const stacksOf = [a, b].map((s, i) => <Plot key={i} title={`${t("generation")}: ${names[i]}`} unit="MW" lines={stacks[i]!.lines} over={stacks[i]!.over} stacked include={include} width={w} height={230} ticks={ticksOf(s)} name={`${names[i]}_generation`} />);
  const difference = <Plot title={`${t("difference")}: ${t("generation")}`} unit={`MW, ${names[1]} − ${names[0]}`} lines={changed} stacked name="difference_generation" {...plot} height={230} />;
  const both = <Plot title={t(shown)} unit="" lines={sides} name={`compared_${shown}`} digits={digits} {...plot} />;
  const between = <Plot title={`${t("difference")}: ${t(shown)}`} unit="" lines={gap} name={`difference_${shown}`} digits={digits} {...plot} />;
  const figuresOf = <Figures a={a} b={b} rows={[left, right]} names={names} figures={figures} shown={shown} show={show} w={w} />;
  return (
    <div class="plots compared" data-testid="comparison">
      {columns > 2 ? <><div class="stack">{stacksOf}</div><div class="stack">{difference}{both}{between}</div>{figuresOf}</>
        : <>{stacksOf}<div class="stack">{difference}{both}</div><div class="stack">{figuresOf}{between}</div></>}
    </div>
  );
}

interface Told { a: Steps; b: Steps; rows: [number[], number[]]; names: [string, string]; figures: string[]; shown: string; show: (k: string) => void; w: number }

/** Means of the paired steps, and sums of cost and carbon of each whole. */
function Figures({ a, b, rows, names, figures, shown, show, w }: Told) {
  const mean = (s: Steps, name: string, of: number[]) => pick(s.table.f(name), of).reduce((sum, v) => sum + (v || 0), 0) / Math.max(1, of.length);
  const [ca, cb] = [costsOf(a), costsOf(b)].map((items) => new Map(items.map((c) => [c.item, c.cost])));
  const items = [...new Set([...ca!.keys(), ...cb!.keys()])];
  const total = (m: Map<string, number>) => [...m.values()].reduce((x, y) => x + y, 0);
  const rows_: { key: string; label: string; a: number; b: number; digits: number; figure: boolean }[] = [
    ...figures.map((k) => ({ key: `mean ${k}`, label: `⌀ ${t(k)}`, a: mean(a, k, rows[0]), b: mean(b, k, rows[1]), digits: DIGITS[k] ?? 1, figure: true })),
    ...items.map((k) => ({ key: `cost ${k}`, label: t(`cost_${k.replaceAll(" ", "_")}`), a: ca!.get(k) ?? 0, b: cb!.get(k) ?? 0, digits: 0, figure: false })),
    ...(items.length ? [{ key: "cost total", label: t("total"), a: total(ca!), b: total(cb!), digits: 0, figure: false }] : []),
    ...(carbonOf(a) === carbonOf(a) && carbonOf(b) === carbonOf(b) ? [{ key: "co2_t", label: "CO₂, t", a: carbonOf(a), b: carbonOf(b), digits: 0, figure: false }] : []),
  ];
  const column = (key: string, label: string, of: (r: (typeof rows_)[number]) => number) =>
    ({ key, label, values: rows_.map(of), cell: (i: number) => num(of(rows_[i]!), rows_[i]!.digits) });
  return (
    <section class="card" style={{ width: `${w}px` }} data-testid="figures">
      <List name={`${names[0]}_${names[1]}`} title={<h2>{names[0]} · {names[1]}</h2>} chosen={(i) => rows_[i]!.key === `mean ${shown}`}
        onPick={(i) => { if (rows_[i]!.figure) show(rows_[i]!.key.slice(5)); }} foot={<tr><td colSpan={4}>{num(rows[0].length)} {t("paired")}</td></tr>} columns={[
          { key: "quantity", label: t("quantity"), text: true, values: rows_.map((r) => r.key), cell: (i) => rows_[i]!.label },
          column(names[0], names[0], (r) => r.a), column(names[1], names[1], (r) => r.b), column("difference", t("difference"), (r) => r.b - r.a),
        ]} />
    </section>
  );
}
