// Plots as SVG: a day is a hundred points, so the document draws them as fast as a canvas would, and a plot saved as
// SVG or PNG is the plot on the screen.
import type { ComponentChildren } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { SaveDrawing, standalone, type KeyEntry } from "../files/save";
import { num } from "../format";
import { PAD, shapeOf, type Drawn, type Shape } from "./shape";

export type { Band, Line } from "./shape";
interface Props extends Drawn {
  title: string; unit: string; ticks: string[]; cursor?: number; onSeek?: (row: number) => void; digits?: number; name: string;
  tools?: ComponentChildren; // beside the title
}

export function Plot(p: Props) {
  const svg = useRef<SVGSVGElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const id = useMemo(() => `p${Math.random().toString(36).slice(2)}`, []);
  const made = useMemo(() => shapeOf(p), [p.lines, p.over, p.bands, p.width, p.height, p.stacked, p.include?.[0], p.include?.[1]]);
  const row = (e: PointerEvent) => {
    const box = svg.current!.getBoundingClientRect();
    const share = (e.clientX - box.left - PAD.left) / (p.width - PAD.left - PAD.right);
    return Math.max(0, Math.min(made.n - 1, Math.round(share * (made.n - 1))));
  };
  const seen = at ?? p.cursor ?? null, on = seen !== null && made.n > 0 ? Math.min(seen, made.n - 1) : null;
  return (
    <figure class="plot" style={{ width: `${p.width}px` }}>
      <figcaption>
        <span>{p.title} <span class="muted">{p.unit}</span></span><span class="grow" />{p.tools}
        <SaveDrawing name={p.name} make={() => standalone(svg.current!, `${p.title}${p.unit ? `, ${p.unit}` : ""}`, keyOf(p))} />
      </figcaption>
      <svg ref={svg} width={p.width} height={p.height} viewBox={`0 0 ${p.width} ${p.height}`} role="img" aria-label={`${p.title}, ${p.unit}`}
        onPointerMove={(e) => setAt(row(e))} onPointerLeave={() => setAt(null)} onClick={(e) => p.onSeek?.(row(e as unknown as PointerEvent))}>
        <Axes p={p} made={made} />
        <Marks p={p} made={made} id={id} />
        {on !== null && <line x1={made.x(on)} x2={made.x(on)} y1={PAD.top} y2={p.height - PAD.bottom} class="cursor" />}
      </svg>
      <Key p={p} at={on} />
    </figure>
  );
}

function Axes({ p, made }: { p: Props; made: Shape }) {
  const every = Math.max(1, Math.ceil(p.ticks.length / Math.max(2, Math.floor(p.width / 90)))), right = p.width - PAD.right;
  return (
    <>
      {made.marks.map((m) => (
        <g key={m}>
          <line x1={PAD.left} x2={right} y1={made.y(m)} y2={made.y(m)} class={m === 0 ? "gridline zero" : "gridline"} />
          <text x={PAD.left - 6} y={made.y(m) + 3.5} class="tick" text-anchor="end">{num(m, made.digits)}</text>
        </g>
      ))}
      {p.ticks.map((text, i) => i % every === 0 && <text key={i} x={made.x(i)} y={p.height - 5} class="tick" text-anchor="middle">{text}</text>)}
      {made.above !== null && <text x={right - 3} y={PAD.top + 11} class="tick" text-anchor="end">↑ {num(made.above, p.digits)}</text>}
      {made.below !== null && <text x={right - 3} y={p.height - PAD.bottom - 4} class="tick" text-anchor="end">↓ {num(made.below, p.digits)}</text>}
    </>
  );
}

function Marks({ p, made, id }: { p: Props; made: Shape; id: string }) {
  const hatched = p.stacked ? p.lines.map((l, i) => [l, i] as const).filter(([l]) => l.hatch) : [], curves = p.stacked ? p.over ?? [] : p.lines;
  return (
    <>
      <defs>
        <clipPath id={id}><rect x={PAD.left} y={PAD.top - 1} width={p.width - PAD.left - PAD.right} height={p.height - PAD.top - PAD.bottom + 2} /></clipPath>
        {hatched.map(([l, i]) => (
          <pattern key={i} id={`${id}h${i}`} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill={l.colour} opacity="0.25" /><rect width="2.4" height="6" fill={l.colour} /></pattern>
        ))}
      </defs>
      <g clip-path={`url(#${id})`}>
        {made.stretches.map((d, i) => <path key={`b${i}`} d={d} fill={p.bands![i]!.colour} opacity={p.bands![i]!.opacity} />)}
        {made.areas.map((d, i) => <path key={i} d={d} fill={p.lines[i]!.hatch ? `url(#${id}h${i})` : p.lines[i]!.colour} class="area" />)}
        {made.curves.map((d, i) => <path key={i} d={d} fill="none" stroke={curves[i]!.colour} stroke-width="1.6" stroke-dasharray={curves[i]!.dash ? "5 3" : undefined} />)}
      </g>
    </>
  );
}

/** What the colours mean, and the values at a place. */
function Key({ p, at }: { p: Props; at: number | null }) {
  const digits = p.digits ?? 0;
  return (
    <div class="plot-key">
      {(p.bands ?? []).map((b) => (
        <span key={b.label}><i class="key-line" style={{ background: b.colour, opacity: Math.min(1, 2 * b.opacity) }} />{b.label}{at !== null && <b> {num(b.low[at], digits)}–{num(b.high[at], digits)}</b>}</span>
      ))}
      {[...p.lines, ...(p.over ?? [])].map((l) => (
        <span key={l.label}>
          <i class={l.dash ? "key-line dashed" : "key-line"} style={{ background: l.dash ? "none" : l.hatch ? `repeating-linear-gradient(135deg, ${l.colour} 0 2px, transparent 2px 4px)` : l.colour, borderColor: l.colour }} />{l.label}{at !== null && <b> {num(l.values[at], digits)}</b>}
        </span>
      ))}
    </div>
  );
}

const keyOf = (p: Props): KeyEntry[] => [
  ...(p.bands ?? []).map((b) => ({ label: b.label, colour: b.colour, opacity: Math.min(1, 2 * b.opacity) })),
  ...[...p.lines, ...(p.over ?? [])].map((l) => ({ label: l.label, colour: l.colour, dash: l.dash, opacity: l.hatch ? 0.5 : 1 })),
];
