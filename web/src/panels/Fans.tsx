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

export interface Fan { times: string[]; quantiles: Float32Array[]; days: number }

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
  return { times, quantiles, days: daysOf(s) };
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

export function Fans({ s, w }: { s: Steps; w: number }) {
  const all = useMemo(() => figures(s), [s]);
  const [name, choose] = useState("residual");
  const [chosen, values] = all.find(([n]) => n === name) ?? all[0]!;
  const colour = INK[theme.value].first, words = t("median");
  const fan = useMemo(() => fanOf(s, values), [s, values]);
  const bands = useMemo<Band[]>(() => [
    { label: "5–95 %", low: fan.quantiles[0]!, high: fan.quantiles[4]!, colour, opacity: 0.18 },
    { label: "25–75 %", low: fan.quantiles[1]!, high: fan.quantiles[3]!, colour, opacity: 0.34 },
  ], [fan, colour]);
  const lines = useMemo(() => [{ label: t("median"), values: fan.quantiles[2]!, colour }], [fan, colour, words]);
  return (
    <div class="fan" data-testid="fan">
      <Plot title={`${t("fan")}: ${t(chosen)}`} unit={`${fan.days} ${t("days")}`} lines={lines} bands={bands} width={w} height={190} ticks={fan.times} digits={chosen === "max_loading" ? 2 : 0} name={`${run.value}_fan_${chosen}`} />
      <label class="check">{t("quantity")} <select value={chosen} onChange={(e) => choose((e.target as HTMLSelectElement).value)} data-testid="fan-quantity">{all.map(([n]) => <option key={n} value={n}>{t(n)}</option>)}</select></label>
    </div>
  );
}
