// The single-line diagram of a substation: a busbar a bus, feeders with their flow, transformers between the levels.
import { useMemo, useRef } from "preact/hooks";
import type { Grid } from "../api";
import { num, percent } from "../format";
import { fuelName, t } from "../i18n";
import { SaveDrawing, standalone } from "../files/save";
import { useSize } from "../size";
import { base, element, grid, run, selectElement, shown, step, theme } from "../state";
import { LEVELS, LOADING, LOADING_STOPS } from "../map/palette";

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
    if (a !== undefined && b !== undefined) inside.push({ k, a, b });
    else if (a !== undefined) feeders[a]!.push(k);
    else if (b !== undefined) feeders[b]!.push(k);
  }
  g.gen.i("bus").forEach((b, k) => { const i = at.get(b); if (i !== undefined) gens[i]!.push(k); });
  g.load.i("bus").forEach((b) => { const i = at.get(b); if (i !== undefined) loads[i]!++; });
  return { buses, feeders, inside, gens, loads };
}

function ramp(value: number): string {
  const colours = LOADING[theme.value];
  if (!(value === value)) return "var(--faint)";
  let i = LOADING_STOPS.findIndex((s) => value < s);
  if (i < 0) i = colours.length;
  return colours[Math.max(0, i - 1)]!;
}

const WIDEST = 58, NARROWEST = 46, TOP = 78;

export function SingleLine({ bus }: { bus: number }) {
  const g = grid.value!, state = shown.value ?? base.value;
  const p = useMemo(() => plan(g, bus), [g, bus]);
  const [host, panel] = useSize<HTMLDivElement>();
  const svg = useRef<SVGSVGElement>(null), name = `${run.value}_substation_${g.bus.t("id")[bus]}_${step.value}`;
  const most = Math.max(3, ...p.buses.map((_, i) => Math.max(p.feeders[i]!.length, p.gens[i]!.length + Number(p.loads[i]! > 0) + p.inside.filter((x) => x.a === i || x.b === i).length)));
  // Feeders are as wide apart as the panel allows; each bus takes the height that what is above and below its bar needs.
  const SLOT = Math.max(NARROWEST, Math.min(WIDEST, (panel - 70) / most)), width = most * SLOT + 66;
  const above = p.buses.map((_, i) => (p.feeders[i]!.length ? TOP : 22)), below = p.buses.map((_, i) => (p.gens[i]!.length || p.loads[i]! > 0 ? 76 : p.inside.some((x) => x.a !== x.b && Math.min(x.a, x.b) === i) ? 72 : 18));
  const bars: number[] = [];
  let height = 0;
  p.buses.forEach((_, i) => { bars.push(height + above[i]!); height += above[i]! + below[i]!; });
  const from = g.branch.i("from_bus"), to = g.branch.i("to_bus");
  const loading = state?.branch.f("loading"), flow = state?.branch.f("p_from_mw"), flowTo = state?.branch.f("p_to_mw");
  const output = base.value?.gen.f("p_mw"), v = state?.bus.f("v_mag");
  const kv = [...new Set(g.bus.f("v_nom_kv"))].sort((a, b) => b - a);
  const used = p.buses.map(() => 0);
  const slot = (i: number) => 60 + used[i]!++ * SLOT + 22;
  const bar = (i: number) => bars[i]!;
  const pick = (table: string, index: number) => ({ onClick: () => selectElement(table, index), tabIndex: 0, role: "button" as const, onKeyDown: (e: KeyboardEvent) => { if (e.key === "Enter") selectElement(table, index); } });
  return (
    <>
    <div class="list-head"><h3>{t("substation")}</h3><span class="grow" /><SaveDrawing name={name} make={() => standalone(svg.current!, `${t("substation")} ${g.bus.t("name")[bus] || g.bus.t("id")[bus]!}`)} /></div>
    <div class="scroll single" ref={host} tabIndex={width > panel ? 0 : undefined} data-testid="single-line">
      <svg ref={svg} width={width} height={height} role="img" aria-label={t("substation")}>
        {p.buses.map((b, i) => p.feeders[i]!.map((k, j) => {
          const x = 60 + j * SLOT + 22, y = bar(i), here = from[k] === b, other = here ? to[k]! : from[k]!;
          const mw = here ? flow?.[k] : flowTo?.[k], out = (mw ?? 0) >= 0, colour = ramp(loading?.[k] ?? NaN);
          return (
            <g key={k} class="feeder" {...pick("branch", k)} aria-label={`${g.branch.t("id")[k]} ${percent(loading?.[k])}`}>
              <rect x={x - SLOT / 2} y={y - TOP + 6} width={SLOT} height={TOP - 8} class="hit" />
              <line x1={x} x2={x} y1={y} y2={y - 44} stroke={colour} stroke-width="2.2" />
              <path d={out ? `M${x - 4.5} ${y - 22}h9l-4.5-9z` : `M${x - 4.5} ${y - 30}h9l-4.5 9z`} fill={colour} />
              <text x={x} y={y - 60} text-anchor="middle" class={element.value === `branch:${k}` ? "strong" : ""}>{short(g.bus.t("name")[other] || g.bus.t("id")[other]!, SLOT)}</text>
              <text x={x} y={y - 49} text-anchor="middle" class="soft">{percent(loading?.[k])}</text>
              <text x={x + 5} y={y - 9} class="soft small">{num(Math.abs(mw ?? NaN))}</text>
            </g>
          );
        }))}
        {p.inside.map(({ k, a, b }) => {
          const [up, down] = a < b ? [a, b] : [b, a], x = slot(up);
          if (a === b) return null;
          used[down] = Math.max(used[down]!, used[up]!);
          const y0 = bar(up), y1 = bar(down), m = y0 + 44, colour = ramp(loading?.[k] ?? NaN);
          const mw = from[k] === p.buses[up] ? flow?.[k] : flowTo?.[k];
          return (
            <g key={k} class="feeder" {...pick("branch", k)} aria-label={`${g.branch.t("id")[k]} ${percent(loading?.[k])}`}>
              <path d={`M${x} ${y0}V${m - 13}M${x} ${m + 13}V${y1}`} stroke={colour} stroke-width="2" fill="none" class="lead" />
              <circle cx={x} cy={m - 5} r="8" fill="none" stroke={colour} stroke-width="2" />
              <circle cx={x} cy={m + 5} r="8" fill="none" stroke={colour} stroke-width="2" />
              <text x={x + 11} y={m - 1} class="soft">{percent(loading?.[k])}</text>
              <text x={x + 11} y={m + 10} class="soft small">{(mw ?? 0) >= 0 ? "↓" : "↑"}{num(Math.abs(mw ?? NaN))}</text>
            </g>
          );
        })}
        {p.buses.map((b, i) => {
          const y = bar(i), level = Math.min(5, kv.indexOf(g.bus.f("v_nom_kv")[b]!));
          const units = p.gens[i]!.slice(0, 8);
          return (
            <g key={b}>
              <g class="feeder" {...pick("bus", b)} aria-label={g.bus.t("id")[b]}>
                <rect x={52} y={y - 2.5} width={width - 62} height={5} rx="1" fill={LEVELS[theme.value][level]} />
                <text x={4} y={y - 3} class="strong">{num(g.bus.f("v_nom_kv")[b])} kV</text>
                <text x={4} y={y + 10} class="soft">{num(v?.[b], 3)}</text>
              </g>
              {units.map((k) => {
                const x = slot(i);
                return (
                  <g key={k} class="feeder" {...pick("gen", k)} aria-label={g.gen.t("id")[k]}>
                    <line x1={x} x2={x} y1={y} y2={y + 20} class="lead" stroke="var(--soft)" stroke-width="1.4" />
                    <circle cx={x} cy={y + 29} r="9" fill="none" stroke="var(--soft)" stroke-width="1.4" />
                    <path d={`M${x - 5} ${y + 29}q2.5-6 5 0t5 0`} fill="none" stroke="var(--soft)" stroke-width="1.4" />
                    <text x={x} y={y + 50} text-anchor="middle">{num(output?.[k])}</text>
                    <text x={x} y={y + 61} text-anchor="middle" class="soft small">{fuelName(g.gen.t("fuel")[k]!)}</text>
                  </g>
                );
              })}
              {p.loads[i]! > 0 && (() => {
                const x = slot(i), mw = demand(g, b, p.gens[i]!, output, flow, flowTo);
                return (
                  <g>
                    <path d={`M${x} ${y}V${y + 30}M${x - 5} ${y + 28}h10l-5 9z`} stroke="var(--soft)" fill="var(--soft)" stroke-width="1.4" />
                    <text x={x} y={y + 50} text-anchor="middle">{num(mw)}</text>
                    <text x={x} y={y + 61} text-anchor="middle" class="soft small">{t("load")}</text>
                  </g>
                );
              })()}
            </g>
          );
        })}
      </svg>
    </div>
    </>
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

/** What the loads of a bus take: what its units feed and its branches do not carry away. */
function demand(g: Grid, bus: number, gens: number[], output?: Float32Array, flow?: Float32Array, flowTo?: Float32Array): number {
  if (!output || !flow || !flowTo) return NaN;
  let mw = gens.reduce((sum, k) => sum + (output[k] || 0), 0);
  const from = g.branch.i("from_bus"), to = g.branch.i("to_bus");
  for (let k = 0; k < from.length; k++) {
    if (from[k] === bus) mw -= flow[k] || 0;
    if (to[k] === bus) mw -= flowTo[k] || 0;
  }
  return mw;
}
