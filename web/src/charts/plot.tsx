// Plots as SVG: a day is a hundred points, so the document draws them as fast as a canvas would, and a plot saved as
// SVG or PNG is the plot on the screen.
import { useMemo, useRef, useState } from "preact/hooks";
import { SaveDrawing, standalone, type KeyEntry } from "../files/save";
import { num } from "../format";

export interface Line { label: string; values: ArrayLike<number>; colour: string; dash?: boolean; hatch?: boolean }
/** A stretch between two curves, such as that of two quantiles. */
export interface Band { label: string; low: ArrayLike<number>; high: ArrayLike<number>; colour: string; opacity: number }
interface Props {
  title: string; lines: Line[]; stacked?: boolean; unit: string; width: number; height: number; ticks: string[];
  cursor?: number; onSeek?: (row: number) => void; digits?: number; name: string; over?: Line[]; bands?: Band[]; include?: [number, number]; // values that the axis must reach
}

const PAD = { left: 52, right: 10, top: 8, bottom: 20 };

function nice(low: number, high: number): number[] {
  const span = high - low || Math.abs(high) || 1, raw = span / 4, power = 10 ** Math.floor(Math.log10(raw));
  const by = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw)!;
  const out = [];
  for (let v = Math.floor(low / by) * by; v <= high + by * 0.999; v += by) out.push(Number(v.toPrecision(12)));
  return out;
}

export function Plot(p: Props) {
  const svg = useRef<SVGSVGElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const n = Math.max(0, ...p.lines.map((l) => l.values.length));
  const hatch = useMemo(() => `hatch${Math.random().toString(36).slice(2)}`, []);
  const made = useMemo(() => {
    const tops: Float64Array[] = [], sum = new Float64Array(n), negative = new Float64Array(n);
    let low = Infinity, high = -Infinity;
    if (p.stacked) {
      for (const line of p.lines) {
        const edge = new Float64Array(2 * n);
        for (let i = 0; i < n; i++) {
          const v = Number.isFinite(line.values[i]) ? line.values[i]! : 0, into = v >= 0 ? sum : negative;
          edge[i] = into[i]!;
          into[i]! += v;
          edge[n + i] = into[i]!;
        }
        tops.push(edge);
      }
      low = Math.min(0, ...negative);
      high = Math.max(...sum, 0);
    }
    const drawn = (p.stacked ? p.over ?? [] : p.lines).map((l) => l.values);
    for (const values of [...drawn, ...(p.bands ?? []).flatMap((b) => [b.low, b.high])])
      for (let i = 0; i < values.length; i++) {
        const v = values[i]!;
        if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
      }
    if (!Number.isFinite(low)) [low, high] = [0, 1];
    if (p.include) [low, high] = [Math.min(low, p.include[0]), Math.max(high, p.include[1])];
    const least = Math.max(1e-9, 0.02 * Math.abs(high));
    if (high - low < least) [low, high] = [low - least, high + least];
    if (low > 0 && low < 0.6 * high) low = 0;
    const marks = nice(low, high), [y0, y1] = [marks[0]!, marks[marks.length - 1]!];
    const w = p.width - PAD.left - PAD.right, h = p.height - PAD.top - PAD.bottom;
    const x = (i: number) => PAD.left + (n > 1 ? (i / (n - 1)) * w : w / 2);
    const y = (v: number) => PAD.top + h - ((v - y0) / (y1 - y0 || 1)) * h;
    const path = (values: ArrayLike<number>) => {
      let d = "", on = false;
      for (let i = 0; i < values.length; i++) {
        const v = values[i]!;
        if (!Number.isFinite(v)) { on = false; continue; }
        d += `${on ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
        on = true;
      }
      return d;
    };
    const areas = p.stacked
      ? tops.map((edge) => {
          let d = "";
          for (let i = 0; i < n; i++) d += `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(edge[n + i]!).toFixed(1)}`;
          for (let i = n - 1; i >= 0; i--) d += `L${x(i).toFixed(1)} ${y(edge[i]!).toFixed(1)}`;
          return `${d}Z`;
        })
      : [];
    const stretches = (p.bands ?? []).map((b) => {
      let d = "";
      for (let i = 0; i < n; i++) if (Number.isFinite(b.high[i])) d += `${d ? "L" : "M"}${x(i).toFixed(1)} ${y(b.high[i]!).toFixed(1)}`;
      for (let i = n - 1; i >= 0; i--) if (Number.isFinite(b.low[i])) d += `L${x(i).toFixed(1)} ${y(b.low[i]!).toFixed(1)}`;
      return d ? `${d}Z` : "";
    });
    const curves = (p.stacked ? p.over ?? [] : p.lines).map((l) => path(l.values));
    return { x, y, marks, areas, curves, stretches };
  }, [p.lines, p.over, p.bands, p.width, p.height, p.stacked, n, p.include?.[0], p.include?.[1]]);
  const row = (e: PointerEvent) => {
    const box = svg.current!.getBoundingClientRect();
    const share = (e.clientX - box.left - PAD.left) / (p.width - PAD.left - PAD.right);
    return Math.max(0, Math.min(n - 1, Math.round(share * (n - 1))));
  };
  const every = Math.max(1, Math.ceil(p.ticks.length / Math.max(2, Math.floor(p.width / 90))));
  const digits = p.digits ?? 0, seen = at ?? p.cursor;
  const all = [...p.lines, ...(p.over ?? [])];
  return (
    <figure class="plot" style={{ width: `${p.width}px` }}>
      <figcaption>
        <span>{p.title} <span class="muted">{p.unit}</span></span>
        <SaveDrawing name={p.name} make={() => standalone(svg.current!, `${p.title}${p.unit ? `, ${p.unit}` : ""}`, keyOf(p))} />
      </figcaption>
      <svg ref={svg} width={p.width} height={p.height} viewBox={`0 0 ${p.width} ${p.height}`} role="img" aria-label={`${p.title}, ${p.unit}`}
        onPointerMove={(e) => setAt(row(e))} onPointerLeave={() => setAt(null)} onClick={(e) => p.onSeek?.(row(e as unknown as PointerEvent))}>
        {made.marks.map((m) => (
          <g key={m}>
            <line x1={PAD.left} x2={p.width - PAD.right} y1={made.y(m)} y2={made.y(m)} class="gridline" />
            <text x={PAD.left - 6} y={made.y(m) + 3.5} class="tick" text-anchor="end">{num(m, m % 1 === 0 && made.marks.every((k) => k % 1 === 0) ? 0 : Math.abs(made.marks[1]! - made.marks[0]!) < 0.05 ? 3 : Math.abs(made.marks[1]! - made.marks[0]!) < 0.5 ? 2 : 1)}</text>
          </g>
        ))}
        {p.ticks.map((text, i) => i % every === 0 && (
          <text key={i} x={made.x(i)} y={p.height - 5} class="tick" text-anchor="middle">{text}</text>
        ))}
        {made.stretches.map((d, i) => <path key={`b${i}`} d={d} fill={p.bands![i]!.colour} opacity={p.bands![i]!.opacity} />)}
        {p.lines.some((l) => l.hatch) && (
          <defs>{p.lines.map((l, i) => l.hatch && (
            <pattern key={i} id={`${hatch}${i}`} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill={l.colour} opacity="0.25" /><rect width="2.4" height="6" fill={l.colour} /></pattern>
          ))}</defs>
        )}
        {made.areas.map((d, i) => <path key={i} d={d} fill={p.lines[i]!.hatch ? `url(#${hatch}${i})` : p.lines[i]!.colour} class="area" />)}
        {made.curves.map((d, i) => {
          const line = (p.stacked ? p.over! : p.lines)[i]!;
          return <path key={i} d={d} fill="none" stroke={line.colour} stroke-width="1.6" stroke-dasharray={line.dash ? "5 3" : undefined} />;
        })}
        {seen !== undefined && seen !== null && n > 0 && <line x1={made.x(seen)} x2={made.x(seen)} y1={PAD.top} y2={p.height - PAD.bottom} class="cursor" />}
      </svg>
      <div class="plot-key">
        {(p.bands ?? []).map((b) => (
          <span key={b.label}><i class="key-line" style={{ background: b.colour, opacity: Math.min(1, 2 * b.opacity) }} />{b.label}
            {seen !== undefined && seen !== null && <b> {num(b.low[seen], digits)}–{num(b.high[seen], digits)}</b>}
          </span>
        ))}
        {all.map((l) => (
          <span key={l.label}>
            <i class={l.dash ? "key-line dashed" : "key-line"} style={{ background: l.dash ? "none" : l.colour, borderColor: l.colour }} />{l.label}
            {seen !== undefined && seen !== null && <b> {num(l.values[seen], digits)}</b>}
          </span>
        ))}
      </div>
    </figure>
  );
}

const keyOf = (p: Props): KeyEntry[] => [
  ...(p.bands ?? []).map((b) => ({ label: b.label, colour: b.colour, opacity: Math.min(1, 2 * b.opacity) })),
  ...[...p.lines, ...(p.over ?? [])].map((l) => ({ label: l.label, colour: l.colour, dash: l.dash, opacity: l.hatch ? 0.5 : 1 })),
];
