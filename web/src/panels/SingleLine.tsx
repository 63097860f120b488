// The single-line diagram of a substation: a busbar a bus, feeders with their flow, transformers between the levels.
import { useMemo, useRef } from "preact/hooks";
import type { Grid, State } from "../api";
import { num, percent } from "../format";
import { fuelName, t } from "../i18n";
import { SaveDrawing, standalone } from "../files/save";
import { useSize } from "../size";
import { base, element, grid, run, selectElement, shown, step, theme } from "../state";
import { LEVELS, LOADING, LOADING_STOPS } from "../map/palette";

function ramp(value: number): string {
  const colours = LOADING[theme.value];
  if (!(value === value)) return "var(--faint)";
  let i = LOADING_STOPS.findIndex((s) => value < s);
  if (i < 0) i = colours.length;
  return colours[Math.max(0, i - 1)]!;
}

/** What belongs to a substation: its buses, the highest level first, and at each of them what is joined to it. */
interface Plan {
  buses: number[]; feeders: number[][]; inside: { k: number; a: number; b: number }[]; gens: number[][]; loads: number[];
}

function plan(g: Grid, bus: number): Plan {
  const group = g.bus.i("substation"), volts = g.bus.f("v_nom_kv"), mine = group[bus];
  const buses: number[] = [];
  for (let i = 0; i < g.bus.rows; i++) if (group[i] === mine) buses.push(i);
  buses.sort((a, b) => volts[b]! - volts[a]! || a - b);
  const at = new Map(buses.map((b, i) => [b, i]));
  const feeders: number[][] = buses.map(() => []), inside: Plan["inside"] = [], gens: number[][] = buses.map(() => []), loads = buses.map(() => 0);
  const from = g.branch.i("from_bus"), to = g.branch.i("to_bus");
  for (let k = 0; k < g.branch.rows; k++) {
    const [a, b] = [at.get(from[k]!), at.get(to[k]!)];
    if (a !== undefined && b !== undefined) { if (a !== b) inside.push({ k, a: Math.min(a, b), b: Math.max(a, b) }); }
    else if (a !== undefined) feeders[a]!.push(k);
    else if (b !== undefined) feeders[b]!.push(k);
  }
  g.gen.i("bus").forEach((b, k) => { const i = at.get(b); if (i !== undefined) gens[i]!.push(k); });
  g.load.i("bus").forEach((b) => { const i = at.get(b); if (i !== undefined) loads[i]!++; });
  return { buses, feeders, inside, gens, loads };
}

interface Spot { k: number; bus: number; x: number; y: number }
/** Where each part stands, px. */
interface Layout {
  width: number; height: number; slot: number; bars: Spot[]; feeders: Spot[]; units: Spot[]; more: Spot[]; loads: Spot[]; inside: (Spot & { end: number })[];
}

const WIDEST = 58, NARROWEST = 46, TOP = 78, LEFT = 82, UNITS = 8, BESIDE = 0.6; // slots

/** Feeders are as wide apart as the panel allows; each bus takes the height that what is above and below its bar needs. */
function layout(p: Plan, panel: number): Layout {
  const below = p.buses.map((_, i) => Math.min(UNITS, p.gens[i]!.length) + Number(p.gens[i]!.length > UNITS) + Number(p.loads[i]! > 0));
  const ends = (i: number, side: "a" | "b") => p.inside.filter((x) => x[side] === i).length;
  const most = Math.max(3, ...p.buses.map((_, i) => Math.max(p.feeders[i]!.length + ends(i, "b"), below[i]! + ends(i, "a") + ends(i, "b") + BESIDE)));
  const slot = Math.max(NARROWEST, Math.min(WIDEST, (panel - 70) / most)), bars: number[] = [];
  let height = 0;
  p.buses.forEach((_, i) => {
    bars.push(height + (p.feeders[i]!.length ? TOP : 22));
    height = bars[i]! + (below[i] ? 76 : p.inside.some((x) => x.a === i) ? 72 : 18);
  });
  const used = p.buses.map(() => 0), from = p.buses.map(() => 0), found: Layout = { width: most * slot + 66, height, slot, bars: [], feeders: [], units: [], more: [], loads: [], inside: [] };
  const place = (i: number, k: number): Spot => ({ k, bus: p.buses[i]!, x: LEFT + used[i]!++ * slot, y: bars[i]! });
  for (const { k, a, b } of p.inside) {
    found.inside.push({ ...place(a, k), end: bars[b]! });
    used[b] = from[b] = Math.max(used[b]!, used[a]!); // what stands at the lower bar keeps clear of the lines that come down
  }
  p.inside.forEach(({ a, b }) => { for (const i of [a, b]) if (Number.isInteger(used[i])) used[i]! += BESIDE; }); // room for the last figures
  p.buses.forEach((bus, i) => {
    found.bars.push({ k: bus, bus, x: 52, y: bars[i]! });
    found.feeders.push(...p.feeders[i]!.map((k, j) => ({ k, bus, x: LEFT + (from[i]! + j) * slot, y: bars[i]! })));
    found.units.push(...p.gens[i]!.slice(0, UNITS).map((k) => place(i, k)));
    if (p.gens[i]!.length > UNITS) found.more.push(place(i, p.gens[i]!.length - UNITS));
    if (p.loads[i]! > 0) found.loads.push(place(i, bus));
  });
  return found;
}

interface Part { g: Grid; state: State | null; slot: number; at: Spot }
const nameOf = (g: Grid, bus: number) => g.bus.t("name")[bus] || g.bus.t("id")[bus]!;
const pick = (table: string, index: number) => ({
  class: "feeder", onClick: () => selectElement(table, index), tabIndex: 0, role: "button" as const,
  onKeyDown: (e: KeyboardEvent) => { if (e.key === "Enter") selectElement(table, index); },
});
/** Power that enters a branch at a bus. */
const entering = (g: Grid, state: State | null, k: number, bus: number) => state?.branch.f(g.branch.i("from_bus")[k] === bus ? "p_from_mw" : "p_to_mw")[k] ?? NaN;

export function SingleLine({ bus }: { bus: number }) {
  const g = grid.value!, state = shown.value ?? base.value, p = useMemo(() => plan(g, bus), [g, bus]);
  const [host, panel] = useSize<HTMLDivElement>(), svg = useRef<SVGSVGElement>(null);
  const d = useMemo(() => layout(p, panel), [p, panel]), shared = { g, state, slot: d.slot };
  return (
    <>
      <div class="list-head"><h3>{t("substation")}</h3><span class="grow" /><SaveDrawing name={`${run.value}_substation_${g.bus.t("id")[bus]}_${step.value}`} make={() => standalone(svg.current!, `${t("substation")} ${nameOf(g, bus)}`)} /></div>
      <div class="scroll single" ref={host} tabIndex={d.width > panel ? 0 : undefined} data-testid="single-line">
        <svg ref={svg} width={d.width} height={d.height} role="img" aria-label={t("substation")}>
          {d.feeders.map((at) => <Feeder key={`${at.k} ${at.bus}`} {...shared} at={at} />)}
          {d.inside.map((at) => <Joint key={at.k} {...shared} at={at} end={at.end} />)}
          {d.bars.map((at) => <Bar key={at.k} {...shared} at={at} width={d.width - 62} />)}
          {d.units.map((at) => <Unit key={at.k} {...shared} at={at} />)}
          {d.more.map((at) => <text key={at.bus} x={at.x} y={at.y + 33} text-anchor="middle" class="soft">+{num(at.k)}</text>)}
          {d.loads.map((at) => <Load key={at.k} {...shared} at={at} p={p} />)}
        </svg>
      </div>
    </>
  );
}

/** A branch that leaves the substation, with its loading and what flows. */
function Feeder({ g, state, slot, at: { k, bus, x, y } }: Part) {
  const here = g.branch.i("from_bus")[k] === bus, other = g.branch.i(here ? "to_bus" : "from_bus")[k]!;
  const mw = entering(g, state, k, bus), loading = state?.branch.f("loading")[k] ?? NaN, colour = ramp(loading);
  return (
    <g {...pick("branch", k)} aria-label={`${g.branch.t("id")[k]} ${percent(loading)}`}>
      <rect x={x - slot / 2} y={y - TOP + 6} width={slot} height={TOP - 8} class="hit" />
      <line x1={x} x2={x} y1={y} y2={y - 44} stroke={colour} stroke-width="2.2" />
      <path d={mw < 0 ? `M${x - 4.5} ${y - 30}h9l-4.5 9z` : `M${x - 4.5} ${y - 22}h9l-4.5-9z`} fill={colour} />
      <text x={x} y={y - 60} text-anchor="middle" class={element.value === `branch:${k}` ? "strong" : ""}>{short(nameOf(g, other), slot)}</text>
      <text x={x} y={y - 49} text-anchor="middle" class="soft">{percent(loading)}</text>
      <text x={x + 5} y={y - 9} class="soft small">{num(Math.abs(mw))}</text>
    </g>
  );
}

/** A transformer between two bars. */
function Joint({ g, state, at: { k, bus, x, y }, end }: Part & { end: number }) {
  const m = y + 44, mw = entering(g, state, k, bus), loading = state?.branch.f("loading")[k] ?? NaN, colour = ramp(loading);
  return (
    <g {...pick("branch", k)} aria-label={`${g.branch.t("id")[k]} ${percent(loading)}`}>
      <path d={`M${x} ${y}V${m - 13}M${x} ${m + 13}V${end}`} stroke={colour} stroke-width="2" fill="none" class="lead" />
      <circle cx={x} cy={m - 5} r="8" fill="none" stroke={colour} stroke-width="2" />
      <circle cx={x} cy={m + 5} r="8" fill="none" stroke={colour} stroke-width="2" />
      <text x={x + 11} y={m - 1} class="soft">{percent(loading)}</text>
      <text x={x + 11} y={m + 10} class="soft small">{mw < 0 ? "↑" : "↓"}{num(Math.abs(mw))}</text>
    </g>
  );
}

/** The bar of a bus, with its level and voltage. */
function Bar({ g, state, at: { bus, x, y }, width }: Part & { width: number }) {
  const volts = g.bus.f("v_nom_kv"), kv = useMemo(() => [...new Set(volts)].sort((a, b) => b - a), [g]);
  return (
    <g {...pick("bus", bus)} aria-label={g.bus.t("id")[bus]}>
      <rect x={x} y={y - 2.5} width={width} height={5} rx="1" fill={LEVELS[theme.value][Math.min(5, kv.indexOf(volts[bus]!))]} />
      <text x={4} y={y - 3} class="strong">{num(volts[bus])} kV</text>
      <text x={4} y={y + 10} class="soft">{num(state?.bus.f("v_mag")[bus], 3)}</text>
    </g>
  );
}

function Unit({ g, at: { k, x, y } }: Part) {
  return (
    <g {...pick("gen", k)} aria-label={g.gen.t("id")[k]}>
      <line x1={x} x2={x} y1={y} y2={y + 20} class="lead" stroke="var(--soft)" stroke-width="1.4" />
      <circle cx={x} cy={y + 29} r="9" fill="none" stroke="var(--soft)" stroke-width="1.4" />
      <path d={`M${x - 5} ${y + 29}q2.5-6 5 0t5 0`} fill="none" stroke="var(--soft)" stroke-width="1.4" />
      <text x={x} y={y + 50} text-anchor="middle">{num(base.value?.gen.f("p_mw")[k])}</text>
      <text x={x} y={y + 61} text-anchor="middle" class="soft small">{fuelName(g.gen.t("fuel")[k]!)}</text>
    </g>
  );
}

/** What the loads of a bus take: what its units feed and its branches do not carry away. */
function Load({ g, state, at: { bus, x, y }, p }: Part & { p: Plan }) {
  const i = p.buses.indexOf(bus), output = base.value?.gen.f("p_mw");
  const branches = [...p.feeders[i]!, ...p.inside.filter((b) => b.a === i || b.b === i).map((b) => b.k)];
  const mw = p.gens[i]!.reduce((sum, k) => sum + (output?.[k] || 0), 0) - branches.reduce((sum, k) => sum + (entering(g, state, k, bus) || 0), 0);
  return (
    <g>
      <path d={`M${x} ${y}V${y + 30}M${x - 5} ${y + 28}h10l-5 9z`} stroke="var(--soft)" fill="var(--soft)" stroke-width="1.4" />
      <text x={x} y={y + 50} text-anchor="middle">{num(state?.branch.has("p_from_mw") ? mw : NaN)}</text>
      <text x={x} y={y + 61} text-anchor="middle" class="soft small">{t("load")}</text>
    </g>
  );
}

/** A long name by its last words, which tell neighbours apart. */
function short(text: string, room: number): string {
  const most = Math.floor(room / 6.1);
  const words = text.split(/[\s_]+/);
  let out = words.pop() ?? "";
  while (words.length && out.length + words[words.length - 1]!.length < most) out = `${words.pop()} ${out}`;
  return out.length > most ? `…${out.slice(1 - most)}` : out;
}
