// Many days as scenarios of one: for each time of day the quantiles of a figure over all days of a run.
import { useMemo, useState } from "preact/hooks";
import type { Steps } from "../api";
import { clock, day } from "../format";
import { t } from "../i18n";
import { run, theme } from "../state";
import { Plot, type Band } from "../charts/plot";
import { INK } from "../charts/colours";

const SHARES = [0.05, 0.25, 0.5, 0.75, 0.95];
const LEAST_DAYS = 3;

export function daysOf(s: Steps): number {
  return new Set(s.table.t("time").map(day)).size;
}
export const spansDays = (s: Steps) => daysOf(s) >= LEAST_DAYS;

/** The quantile of sorted values, between neighbours in proportion, as numpy's. */
export function quantile(values: Float32Array, share: number): number {
  if (!values.length) return NaN;
  const at = share * (values.length - 1), low = Math.floor(at);
  return values[low]! + (at - low) * ((values[low + 1] ?? values[low])! - values[low]!);
}

export interface Fan { times: string[]; quantiles: Float32Array[] }

export function fanOf(s: Steps, values: Float32Array): Fan {
  const clocks = s.table.t("time").map(clock), groups = new Map<string, number[]>();
  clocks.forEach((at, i) => {
    const found = groups.get(at);
    if (found) found.push(values[i]!);
    else groups.set(at, [values[i]!]);
  });
  const times = [...groups.keys()].sort(), quantiles = SHARES.map(() => new Float32Array(times.length));
  times.forEach((at, k) => {
    const there = Float32Array.from(groups.get(at)!).filter((v) => v === v).sort();
    SHARES.forEach((share, q) => { quantiles[q]![k] = quantile(there, share); });
  });
  return { times, quantiles };
}

/** Figures that a fan can show: columns of the steps, and generation by fuel. */
function figures(s: Steps): [string, Float32Array][] {
  const found: [string, Float32Array][] = ["load_mw", "cost_per_h", "carbon_t_per_h", "curtailed_mw", "max_loading", "price_per_mwh", "losses_mw", "outages_violating"]
    .filter((n) => s.table.has(n)).map((n) => [n, s.table.f(n)]);
  const fuels = s.shares.gen_by_fuel_mw;
  if (fuels) {
    const weather = ["wind", "solar"].filter((f) => fuels.has(f));
    const rest = s.table.f("load_mw").map((v, i) => v - weather.reduce((a, f) => a + (fuels.f(f)[i] || 0), 0));
    found.splice(1, 0, ["residual", rest], ...fuels.names.map((f): [string, Float32Array] => [f, fuels.f(f)]));
  }
  return found;
}

/** A choice of figures, and the fan of the one chosen. */
function Chosen({ title, unit, all, w, name, fan, more = {} }: { title: string; unit: string; all: string[]; w: number; name: string; fan: (quantity: string) => Fan; more?: { cursor?: number; onSeek?: (row: number) => void } }) {
  const [wanted, choose] = useState(all[0]!), chosen = all.includes(wanted) ? wanted : all[0]!;
  const colour = INK[theme.value].first, words = t("median");
  const made = useMemo(() => fan(chosen), [fan, chosen]);
  const bands = useMemo<Band[]>(() => [
    { label: "5–95 %", low: made.quantiles[0]!, high: made.quantiles[4]!, colour, opacity: 0.18 },
    { label: "25–75 %", low: made.quantiles[1]!, high: made.quantiles[3]!, colour, opacity: 0.34 },
  ], [made, colour]);
  const lines = useMemo(() => [{ label: t("median"), values: made.quantiles[2]!, colour }], [made, colour, words]);
  return (
    <div data-testid={name}>
      <Plot title={title} unit={unit} lines={lines} bands={bands} width={w} height={190} ticks={made.times} digits={chosen === "max_loading" ? 2 : 0} name={`${run.value}_${name}_${chosen}`} {...more}
        tools={<select value={chosen} aria-label={t("quantity")} onChange={(e) => choose((e.target as HTMLSelectElement).value)} data-testid={`${name}-quantity`}>{all.map((n) => <option key={n} value={n}>{t(n)}</option>)}</select>} />
    </div>
  );
}

/** Days as scenarios of one. */
export function Fans({ s, w }: { s: Steps; w: number }) {
  const all = useMemo(() => new Map(figures(s)), [s]), names = ["residual", ...[...all.keys()].filter((n) => n !== "residual")].filter((n) => all.has(n));
  const fan = useMemo(() => (quantity: string) => fanOf(s, all.get(quantity)!), [s]);
  return <Chosen title={t("fan")} unit={`${daysOf(s)} ${t("days")}`} all={names} w={w} name="fan" fan={fan} />;
}

/** The scenarios that were played against a plan: quantiles step by step, and how often a limit breaks. */
export function Played({ s, w, ticks, ...more }: { s: Steps; w: number; ticks: string[]; cursor: number; onSeek: (row: number) => void }) {
  const all = Object.keys(s.shares).filter((n) => n.startsWith("fan_")).sort((a, b) => Number(b === "fan_net_load") - Number(a === "fan_net_load"));
  const fan = useMemo(() => (quantity: string): Fan => ({ times: ticks, quantiles: SHARES.map((q) => s.shares[quantity]!.f(`q${Math.round(100 * q)}`)) }), [s, ticks]);
  const risk = s.shares.risk, words = t("risk"), colour = INK[theme.value].second;
  const bands = useMemo<Band[]>(() => (risk ? [{ label: t("interval"), low: shares(risk.f("p_low")), high: shares(risk.f("p_high")), colour, opacity: 0.25 }] : []), [s, words, colour]);
  const lines = useMemo(() => (risk ? [{ label: t("risk"), values: shares(risk.f("p_violation")), colour }] : []), [s, words, colour]);
  return (
    <>
      {all.length > 0 && <Chosen title={t("played")} unit="MW" all={all} w={w} name="scenarios" fan={fan} more={more} />}
      {risk && <Plot title={t("risk")} unit="%" lines={lines} bands={bands} width={w} height={190} ticks={ticks} digits={1} include={[0, 0]} name={`${run.value}_risk`} {...more} />}
    </>
  );
}

const shares = (values: Float32Array) => values.map((v) => 100 * v);
