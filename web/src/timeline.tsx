import { useEffect, useMemo, useRef } from "preact/hooks";
import { clock, day, num, percent } from "./format";
import { t } from "./i18n";
import { escaped, framed, SaveDrawing, standalone, type Drawn } from "./files/save";
import { kind, playing, row, run, seek, stepNumbers, steps, theme } from "./state";
import { STATE } from "./charts/colours";
import { useSize } from "./size";

export type Security = "secure" | "insecure" | "broken" | "unsolved";

/** Security of each step: a base state with broken limits is worse than outages that break some. */
export function security(): Security[] {
  const table = steps.value?.table;
  if (!table) return [];
  if (table.has("binding_limits")) { // a plan: short of power, held by flow limits, or neither
    const limits = table.f("binding_limits"), short = table.f("unserved_mw");
    return Array.from(limits, (n, i) => (short[i]! > 0.05 ? "broken" : n > 0 ? "insecure" : "secure"));
  }
  const of = (name: string) => (table.has(name) ? table.f(name) : new Float32Array(table.rows));
  const base = of("base_violations"), insecure = of("outages_violating"), failed = of("outages_failed");
  const status = table.has("status") ? table.t("status") : Array<string>(table.rows).fill("converged"), label = table.has("label") ? table.t("label") : null;
  return status.map((s, i) =>
    (label ? label[i] === "unsolved" : s !== "converged" && s !== "islanded") ? "unsolved" : label?.[i] === "infeasible" ? "broken" : base[i]! > 0 ? "broken" : failed[i]! > 0 ? "unsolved" : insecure[i]! > 0 ? "insecure" : "secure",
  );
}

interface Strip { key: string; label: string; values: Float32Array; text: (v: number) => string; colour: string }

function strips(): Strip[] {
  const s = steps.value;
  if (!s) return [];
  const found: Strip[] = [], dark = theme.value === "dark";
  const mw = (v: number) => `${num(v)} MW`;
  found.push({ key: "load", label: t("load"), values: s.table.f("load_mw"), text: mw, colour: dark ? "#b9c6cd" : "#42525a" });
  const fuels = s.shares.gen_by_fuel_mw;
  for (const [key, colour] of [["wind", dark ? "#62c0d6" : "#1b87a1"], ["solar", dark ? "#e8c64a" : "#9a7700"]] as const)
    found.push({ key, label: t(key), values: fuels?.has(key) ? fuels.f(key) : new Float32Array(s.table.rows).fill(NaN), text: mw, colour });
  if (s.table.has("price_per_mwh")) found.push({ key: "price", label: t("price"), values: s.table.f("price_per_mwh"), text: (v) => num(v, 1), colour: dark ? "#9bc48a" : "#3d7224" });
  const loading = s.table.has("max_loading") ? s.table.f("max_loading") : null;
  if (loading) found.push({ key: "margin", label: t("margin"), values: loading.map((v) => 1 - v), text: (v) => percent(v), colour: dark ? "#9bc48a" : "#3d7224" });
  return found;
}

const H = 21, LEFT = 120; // px of a strip, and of the names beside the strips of a saved drawing
const stateWord = (state: Security) => t(kind.value === "plan" ? `plan_${state}` : state);
const firstWord = () => t(kind.value === "plan" ? "limits" : "state");

export function Timeline() {
  const s = steps.value, states = useMemo(security, [s]), lines = useMemo(strips, [s, theme.value, t("load")]);
  const [host, width] = useSize<HTMLDivElement>(), svg = useRef<SVGSVGElement>(null);
  const n = s?.table.rows ?? 0, at = row.value, w = Math.max(10, width), times = s?.table.t("time") ?? [];
  const counted = s ? ["outages_violating", "binding_limits"].filter((name) => s.table.has(name)).map((name) => s.table.f(name))[0] ?? null : null;
  usePlaying();
  const scrub = (e: PointerEvent) => {
    if (e.type === "pointermove" && !(e.buttons & 1)) return;
    const box = (e.currentTarget as Element).getBoundingClientRect();
    seek(Math.floor(((e.clientX - box.left) / box.width) * n));
  };
  const names = [firstWord(), ...lines.map((l) => l.label)];
  return (
    <section class="timeline" aria-label={t("step")} data-testid="timeline">
      <Head times={times} state={states[at]} make={() => picture(svg.current!, times, w, names)} />
      <div class="strips">
        <div class="strip-labels">
          <div><span>{names[0]}</span>{counted && n > 0 && <b title={t(kind.value === "plan" ? "binding_limits" : "security_count")}>{num(counted[at])}</b>}</div>
          {lines.map((l) => <div key={l.key}><span>{l.label}</span><b>{n ? l.text(l.values[at]!) : "–"}</b></div>)}
        </div>
        <div class="strip-plots" ref={host} onPointerDown={scrub} onPointerMove={scrub}>
          <svg ref={svg} width={w} height={5 * H} aria-hidden="true">
            <Cells states={states} counted={counted} w={w} />
            <Curves lines={lines} w={w} />
            {n > 0 && <rect x={(at / n) * w} y={0} width={Math.max(2, w / n)} height={5 * H} class="now" />}
          </svg>
          <div class="hours" aria-hidden="true">{hours(times, n).map(([i, text]) => <span key={i} style={{ left: `${(i / n) * w}px` }}>{text}</span>)}</div>
          <input type="range" min={0} max={Math.max(0, n - 1)} value={at} aria-label={t("step")} aria-valuetext={`${times[at] ?? ""} ${states[at] ? stateWord(states[at]) : ""}`}
            onInput={(e) => seek(Number((e.target as HTMLInputElement).value))} data-testid="scrub" />
        </div>
      </div>
    </section>
  );
}

/** Steps on while the run is played, to its end. */
function usePlaying(): void {
  useEffect(() => {
    if (!playing.value) return;
    const timer = setInterval(() => {
      if (row.peek() >= stepNumbers.peek().length - 1) playing.value = false;
      else seek(row.peek() + 1);
    }, 350);
    return () => clearInterval(timer);
  }, [playing.value]);
}

/** Where in time the page is, and what moves it. */
function Head({ times, state, make }: { times: string[]; state: Security | undefined; make: () => Drawn }) {
  const at = row.value, numbers = stepNumbers.value;
  return (
    <div class="time-head">
      <div class="time-keys">
        <button onClick={() => seek(at - 1)} aria-label={t("previous")} title=",">‹</button>
        <button class="play" onClick={() => (playing.value = !playing.value)} aria-label={playing.value ? t("pause") : t("play")} title="␣">{playing.value ? "❚❚" : "▶"}</button>
        <button onClick={() => seek(at + 1)} aria-label={t("next")} title=".">›</button>
      </div>
      <div class="time-now" data-testid="now"><b>{clock(times[at])}</b><span class="muted">{day(times[at])}</span></div>
      <div class="time-step muted">{t("step")} {numbers[at] ?? "–"} / {numbers[numbers.length - 1] ?? "–"}{numbers.length > 0 && <SaveDrawing name={`${run.value}_timeline`} make={make} />}</div>
      {state && <div class="chip" style={{ "--chip": STATE[theme.value][state] }}><i />{stateWord(state)}</div>}
    </div>
  );
}

/** A step has the colour of its state, pale, and before it a bar in proportion with what is insecure there. */
function Cells({ states, counted, w }: { states: Security[]; counted: Float32Array | null; w: number }) {
  const n = states.length, colours = STATE[theme.value], gap = w / n > 4 ? 0.8 : 0;
  const cells = useMemo(() => runsOf(states), [states]), most = useMemo(() => Math.max(1, ...(counted ?? [])), [counted]);
  const share = (i: number) => (counted && n <= FEW ? (counted[i]! || 0) / most : 1);
  return (
    <>
      {cells.map(([from, to, state]) => {
        const bar = { x: (from / n) * w, width: Math.max(0.6, ((to - from) / n) * w - gap), fill: colours[state] }, tall = (H - 4) * share(from);
        return <g key={from}><rect {...bar} y={2} height={H - 4} opacity="0.3" /><rect {...bar} y={H - 2 - tall} height={tall} /></g>;
      })}
    </>
  );
}

function Curves({ lines, w }: { lines: Strip[]; w: number }) {
  const paths = useMemo(() => lines.map((l) => spark(l.values, w, H)), [lines, w]);
  return <>{paths.map((d, i) => <path key={i} d={d} transform={`translate(0 ${(i + 1) * H})`} fill="none" stroke={lines[i]!.colour} stroke-width="1.4" />)}</>;
}

/** The strips as a drawing, with their names and the hours. */
function picture(svg: SVGSVGElement, times: string[], w: number, names: string[]): Drawn {
  const page = getComputedStyle(document.documentElement), ink = page.getPropertyValue("--soft"), plots = standalone(svg, `${run.value} · ${day(times[0])}`), n = times.length;
  const words = names.map((text, i) => `<text x="12" y="${26 + i * H + 14}" font-size="12" fill="${ink}">${escaped(text)}</text>`);
  const marks = hours(times, n).map(([i, text]) => `<text x="${LEFT + (i / n) * w}" y="${26 + 5 * H + 12}" font-size="10" fill="${ink}">${text}</text>`);
  const width = plots.width + LEFT + 10, height = plots.height + 18;
  return { width, height, svg: framed(width, height, `<rect width="100%" height="100%" fill="${page.getPropertyValue("--panel")}"/><g transform="translate(${LEFT} 0)">${plots.svg}</g>${words.join("")}${marks.join("")}`) };
}

function spark(values: Float32Array, w: number, h: number): string {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (v === v) { low = Math.min(low, v); high = Math.max(high, v); }
  if (low > 0 && low < 0.5 * high) low = 0;
  const n = values.length, span = high - low || 1;
  let d = "", on = false;
  for (let i = 0; i < n; i++) {
    const v = values[i]!;
    if (v !== v) { on = false; continue; }
    d += `${on ? "L" : "M"}${((i + 0.5) / n * w).toFixed(1)} ${(h - 3 - ((v - low) / span) * (h - 6)).toFixed(1)}`;
    on = true;
  }
  return d;
}

const FEW = 400; // steps that are drawn one by one

/** Stretches of equal state; one rectangle a step while there are few, so that steps can be told apart. */
function runsOf(states: Security[]): [number, number, Security][] {
  if (states.length <= FEW) return states.map((s, i) => [i, i + 1, s]);
  const out: [number, number, Security][] = [];
  states.forEach((s, i) => {
    const last = out[out.length - 1];
    if (last && last[2] === s) last[1] = i + 1;
    else out.push([i, i + 1, s]);
  });
  return out;
}

function hours(times: string[], n: number): [number, string][] {
  const every = n <= 120 ? 3 : 24, out: [number, string][] = [];
  for (let i = 0; i < n; i++) {
    const text = times[i] ?? "";
    if (text.slice(14, 16) === "00" && Number(text.slice(11, 13)) % every === 0) out.push([i, every === 24 ? text.slice(5, 10) : clock(text)]);
  }
  return out.length > 30 ? out.filter((_, i) => i % Math.ceil(out.length / 30) === 0) : out;
}
