import { useEffect, useMemo, useState } from "preact/hooks";
import { loadSteps, type Steps, type Table } from "../api";
import { clock, num, percent } from "../format";
import { t } from "../i18n";
import { details, row, run, runs, seek, steps, tell, theme } from "../state";
import { Plot, type Line } from "../charts/plot";
import { byOrder, fuelColour } from "../charts/colours";
import { useSize } from "../size";
import { Empty, Skeleton } from "./Side";

export function Schedule() {
  const [host, width] = useSize<HTMLDivElement>();
  const [other, setOther] = useState("");
  const [second, setSecond] = useState<Steps | null>(null);
  const s = steps.value, others = (runs.value ?? []).filter((r) => r.key !== run.value && r.steps > 0);
  useEffect(() => {
    setSecond(null);
    if (other) loadSteps(other).then(setSecond, tell);
  }, [other]);
  const wide = width > 1000, w = Math.max(320, wide ? (width - 44) / 2 : width - 28);
  return (
    <main class="page" ref={host} data-testid="schedule">
      <div class="page-bar">
        <h1>{t("schedule")}</h1>
        <label>{t("compare")}
          <select value={other} onChange={(e) => setOther((e.target as HTMLSelectElement).value)} data-testid="compare">
            <option value="">{t("nothing")}</option>
            {others.map((r) => <option key={r.key} value={r.key}>{r.key}</option>)}
          </select>
        </label>
      </div>
      {!s || width === 0 ? <Skeleton /> : s.table.rows === 0 ? <Empty text={t("no_steps")} /> : <Body s={s} second={second} other={other} w={w} />}
    </main>
  );
}

function Body({ s, second, other, w }: { s: Steps; second: Steps | null; other: string; w: number }) {
  const ticks = useMemo(() => s.table.t("time").map(clock), [s]);
  const fuels = s.shares.gen_by_fuel_mw;
  const dark = theme.value === "dark";
  const ink = dark ? "#e7eef1" : "#1b262b", second_colour = dark ? "#ffb14d" : "#9a5200", first_colour = dark ? "#62c0d6" : "#1b7f99";
  const stack = useMemo<Line[]>(() => {
    if (!fuels) return [];
    const seen = fuels.names.filter((f) => fuels.f(f).some((v) => Math.abs(v) > 0.5));
    return seen.sort(byOrder).map((f, i) => ({ label: t(f), values: fuels.f(f), colour: fuelColour(f, theme.value, i) }));
  }, [s, theme.value, t("load")]);
  const over = useMemo<Line[]>(() => [{ label: t("load"), values: s.table.f("load_mw"), colour: ink, dash: true }], [s, ink, t("load")]);
  const residual = useMemo(() => s.table.f("load_mw").map((v, i) => v - (fuels?.has("wind") ? fuels.f("wind")[i] || 0 : 0) - (fuels?.has("solar") ? fuels.f("solar")[i] || 0 : 0)), [s]);
  const duration = useMemo<Line[]>(() => [
    { label: t("load"), values: sorted(s.table.f("load_mw")), colour: ink },
    { label: t("residual"), values: sorted(residual), colour: second_colour },
    ...(fuels?.has("wind") ? [{ label: t("wind"), values: sorted(fuels.f("wind")), colour: first_colour }] : []),
  ], [s, ink, t("load")]);
  const shares = useMemo(() => Array.from({ length: s.table.rows }, (_, i) => percent(i / Math.max(1, s.table.rows - 1))), [s]);
  const security = useMemo<Line[]>(() => [{ label: t("outages_violating"), values: s.table.f("outages_violating"), colour: first_colour }], [s, first_colour, t("load")]);
  const curtailed = Object.keys(s.shares).filter((k) => k.includes("curtail"));
  const single = s.table.names.filter((k) => /curtail/.test(k));
  const causes = useMemo<Line[]>(() => [
    ...curtailed.flatMap((k) => s.shares[k]!.names.map((c, i) => ({ label: t(c), values: s.shares[k]!.f(c), colour: fuelColour(c, theme.value, i) }))),
    ...(curtailed.length ? [] : single.map((k, i) => ({ label: t(k), values: s.table.f(k), colour: fuelColour(k, theme.value, i) }))),
  ], [s, theme.value]);
  const shared = { cursor: row.value, onSeek: seek };
  return (
    <div class="plots">
      <Plot title={t("generation")} unit="MW" lines={stack} over={over} stacked width={w} height={300} ticks={ticks} name={`${run.value}_generation`} {...shared} />
      <Energy fuels={fuels} hours={hoursOf()} w={w} />
      <Plot title={t("outages_violating")} unit="" lines={security} width={w} height={190} ticks={ticks} name={`${run.value}_insecure`} {...shared} />
      <Plot title={t("duration")} unit="MW" lines={duration} width={w} height={190} ticks={shares} name={`${run.value}_duration`} />
      {causes.length > 0
        ? <Plot title={t("curtailment")} unit="MW" lines={causes} stacked width={w} height={190} ticks={ticks} name={`${run.value}_curtailment`} {...shared} />
        : <section class="card" style={{ width: `${w}px` }}><h2>{t("curtailment")}</h2><p class="muted">{t("curtail_none")}</p></section>}
      <Costs table={s.table} w={w} />
      {other && (second ? <Compare a={s} b={second} names={[run.value, other]} w={w} colours={[first_colour, second_colour]} /> : <Skeleton />)}
    </div>
  );
}

const hoursOf = () => Number(details.value?.options.step_min ?? 15) / 60;
const sorted = (values: Float32Array) => Float32Array.from(values).sort().reverse();

function Energy({ fuels, hours, w }: { fuels: Table | undefined; hours: number; w: number }) {
  if (!fuels) return null;
  const rows = fuels.names.map((f) => {
    const v = fuels.f(f);
    return { f, gwh: (v.reduce((a, b) => a + (b || 0), 0) * hours) / 1000, peak: Math.max(...v.map((x) => x || 0)) };
  }).filter((r) => Math.abs(r.gwh) > 5e-4).sort((a, b) => b.gwh - a.gwh);
  const all = rows.reduce((a, r) => a + r.gwh, 0);
  return (
    <section class="card" style={{ width: `${w}px` }}>
      <h2>{t("energy")}</h2>
      <table class="list plain">
        <thead><tr><th>{t("fuel")}</th><th class="r">GWh</th><th class="r">{t("share")}</th><th class="r">{t("peak")}, MW</th></tr></thead>
        <tbody>{rows.map((r) => <tr key={r.f}><td><i class="dot" style={{ background: fuelColour(r.f, theme.value) }} />{t(r.f)}</td><td class="r">{num(r.gwh, 1)}</td><td class="r">{percent(r.gwh / all, 1)}</td><td class="r">{num(r.peak)}</td></tr>)}</tbody>
        <tfoot><tr><td /><td class="r">{num(all, 1)}</td><td class="r" /><td /></tr></tfoot>
      </table>
    </section>
  );
}

function Costs({ table, w }: { table: Table; w: number }) {
  const names = table.names.filter((n) => /cost|co2|carbon|price|emission/.test(n) && ["f32", "f64"].includes(table.kind(n)));
  return (
    <section class="card" style={{ width: `${w}px` }}>
      <h2>{t("costs")}</h2>
      {names.length === 0 ? <p class="muted">{t("costs_none")}</p> : (
        <table class="list plain"><tbody>
          {names.map((n) => <tr key={n}><td>{t(n)}</td><td class="r">Σ {num(table.f(n).reduce((a, b) => a + (b || 0), 0), 0)}</td><td class="r">⌀ {num(table.f(n).reduce((a, b) => a + (b || 0), 0) / Math.max(1, table.rows), 1)}</td></tr>)}
        </tbody></table>
      )}
    </section>
  );
}

const COMPARED = ["load_mw", "gen_mw", "losses_mw", "max_loading", "outages_violating", "base_violations"];

function Compare({ a, b, names, w, colours }: { a: Steps; b: Steps; names: [string, string] | string[]; w: number; colours: string[] }) {
  const mean = (x: Table, n: string) => x.f(n).reduce((s, v) => s + (v || 0), 0) / Math.max(1, x.rows);
  const [shown, show] = useState("losses_mw");
  const n = Math.min(a.table.rows, b.table.rows);
  const ticks = a.table.t("time").slice(0, n).map(clock);
  const [va, vb] = [a.table.f(shown).slice(0, n), b.table.f(shown).slice(0, n)];
  return (
    <>
      <section class="card" style={{ width: `${w}px` }} data-testid="comparison">
        <h2>{names[0]} · {names[1]}</h2>
        <table class="list plain">
          <thead><tr><th>{t("quantity")}</th><th class="r">{names[0]}</th><th class="r">{names[1]}</th><th class="r">{t("difference")}</th></tr></thead>
          <tbody>
            {COMPARED.filter((k) => a.table.has(k) && b.table.has(k)).map((k) => {
              const [x, y] = [mean(a.table, k), mean(b.table, k)], digits = k === "max_loading" ? 3 : 1;
              return <tr key={k} class={shown === k ? "on" : ""} tabIndex={0} onClick={() => show(k)} onKeyDown={(e) => { if (e.key === "Enter") show(k); }}><td>{t(k)}</td><td class="r">{num(x, digits)}</td><td class="r">{num(y, digits)}</td><td class="r">{num(y - x, digits)}</td></tr>;
            })}
          </tbody>
        </table>
      </section>
      <Plot title={t(shown)} unit="" lines={[{ label: names[0]!, values: va, colour: colours[0]! }, { label: names[1]!, values: vb, colour: colours[1]! }]} width={w} height={190} ticks={ticks} name="comparison" digits={shown === "max_loading" ? 2 : 0} />
      <Plot title={`${t("difference")}: ${t(shown)}`} unit="" lines={[{ label: t("difference"), values: vb.map((v, i) => v - va[i]!), colour: colours[1]! }]} width={w} height={190} ticks={ticks} name="difference" digits={shown === "max_loading" ? 2 : 0} />
    </>
  );
}
