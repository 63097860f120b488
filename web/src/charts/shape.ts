// The geometry of a plot: its axis, and lines, stacked areas and bands as paths.

export interface Line { label: string; values: ArrayLike<number>; colour: string; dash?: boolean; hatch?: boolean }
/** A stretch between two curves, such as that of two quantiles; a loose one is cut off where it would press all else flat. */
export interface Band { label: string; low: ArrayLike<number>; high: ArrayLike<number>; colour: string; opacity: number; loose?: boolean }
export interface Drawn {
  lines: Line[]; over?: Line[]; bands?: Band[]; stacked?: boolean; width: number; height: number; include?: [number, number]; // values that the axis must reach
}
type Range = [number, number];

export const PAD = { left: 52, right: 10, top: 8, bottom: 20 };

/** Round values at which an axis is marked. */
function nice([low, high]: Range): number[] {
  const span = high - low || Math.abs(high) || 1, raw = span / 4, power = 10 ** Math.floor(Math.log10(raw));
  const by = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw)!;
  const out = [];
  for (let v = Math.floor(low / by) * by; v <= high + by * 0.999; v += by) out.push(Number(v.toPrecision(12)));
  return out;
}

function reached(all: ArrayLike<number>[], [low, high]: Range = [Infinity, -Infinity]): Range {
  for (const values of all)
    for (let i = 0; i < values.length; i++) {
      const v = values[i]!;
      if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    }
  return [low, high];
}

interface Layer { from: Float64Array; to: Float64Array }

/** Of each line what it adds above zero and below; a line without values below has no second layer. */
function layers(lines: Line[], n: number): Layer[][] {
  const sums = [new Float64Array(n), new Float64Array(n)];
  return lines.map(({ values }) => sums.flatMap((sum, side) => {
    const from = sum.slice();
    let any = side === 0;
    for (let i = 0; i < n; i++) {
      const v = values[i]!;
      if (Number.isFinite(v) && (side ? v < 0 : v > 0)) { sum[i]! += v; any = true; }
    }
    return any ? [{ from, to: sum.slice() }] : [];
  }));
}

/** The range of the axis, and that of what is cut off beyond it. */
function axis(p: Drawn, stack: Layer[][]): { range: Range; all: Range } {
  const curves = (p.stacked ? p.over ?? [] : p.lines).map((l) => l.values), tight = (p.bands ?? []).filter((b) => !b.loose);
  let range = reached([...curves, ...tight.flatMap((b) => [b.low, b.high]), ...stack.flat().map((l) => l.to)], p.stacked ? [0, 0] : undefined);
  if (p.include) range = [Math.min(range[0], p.include[0]), Math.max(range[1], p.include[1])];
  const all = reached((p.bands ?? []).flatMap((b) => [b.low, b.high]), range);
  if (!Number.isFinite(all[0])) return { range: [0, 1], all: [0, 1] };
  const more = Number.isFinite(range[0]) ? range[1] - range[0] : Infinity;
  let [low, high] = [Math.max(all[0], range[0] - more), Math.min(all[1], range[1] + more)];
  const least = Math.max(1e-9, 0.02 * Math.abs(high));
  if (high - low < least) [low, high] = [low - least, high + least];
  if (low > 0 && low < 0.6 * high) low = 0;
  return { range: [low, high], all };
}

export interface Shape {
  n: number; marks: number[]; digits: number; x: (i: number) => number; y: (v: number) => number;
  areas: string[]; curves: string[]; stretches: string[]; above: number | null; below: number | null; // ends of what is cut off
}

export function shapeOf(p: Drawn): Shape {
  const n = Math.max(0, ...p.lines.map((l) => l.values.length)), stack = p.stacked ? layers(p.lines, n) : [];
  const { range, all } = axis(p, stack), marks = nice(range), [y0, y1] = [marks[0]!, marks[marks.length - 1]!];
  const w = p.width - PAD.left - PAD.right, h = p.height - PAD.top - PAD.bottom;
  const x = (i: number) => PAD.left + (n > 1 ? (i / (n - 1)) * w : w / 2);
  const y = (v: number) => PAD.top + h - ((v - y0) / (y1 - y0 || 1)) * h;
  const at = (values: ArrayLike<number>, i: number) => `${x(i).toFixed(1)} ${y(values[i]!).toFixed(1)}`;
  const curve = (values: ArrayLike<number>) => {
    let d = "", on = false;
    for (let i = 0; i < values.length; i++) {
      const there = Number.isFinite(values[i]);
      if (there) d += `${on ? "L" : "M"}${at(values, i)}`;
      on = there;
    }
    return d;
  };
  const between = (low: ArrayLike<number>, high: ArrayLike<number>) => {
    let d = "";
    for (let i = 0; i < n; i++) if (Number.isFinite(high[i])) d += `${d ? "L" : "M"}${at(high, i)}`;
    for (let i = n - 1; i >= 0; i--) if (Number.isFinite(low[i])) d += `L${at(low, i)}`;
    return d ? `${d}Z` : "";
  };
  const apart = marks.length > 1 ? Math.abs(marks[1]! - marks[0]!) : 1;
  return {
    n, marks, x, y, digits: marks.every((m) => m % 1 === 0) ? 0 : apart < 0.05 ? 3 : apart < 0.5 ? 2 : 1,
    areas: stack.map((parts) => parts.map((l) => between(l.from, l.to)).join("")),
    curves: (p.stacked ? p.over ?? [] : p.lines).map((l) => curve(l.values)),
    stretches: (p.bands ?? []).map((b) => between(b.low, b.high)),
    above: all[1] > y1 ? all[1] : null, below: all[0] < y0 ? all[0] : null,
  };
}
