// The drawing of a grid, made once: ends of branches, fans of parallel circuits, sizes by voltage level.
import type { Grid } from "../api";

export interface Drawing {
  ends: Float32Array; shape: Float32Array; places: Float32Array; sizes: Float32Array; levels: Float32Array;
  kv: number[]; // distinct levels, the highest first
  box: [number, number, number, number];
  rank: Int32Array; // buses in the order in which they deserve a label
  typical: number; // a typical distance between neighbours, map units
}

export function drawing(grid: Grid): Drawing {
  const { bus, branch } = grid;
  const x = bus.f("x"), y = bus.f("y"), volts = bus.f("v_nom_kv"), star = bus.i("star");
  const from = branch.i("from_bus"), to = branch.i("to_bus");
  const kv = [...new Set(volts)].sort((a, b) => b - a);
  const top = kv[0] ?? 1;
  const level = (v: number) => Math.min(5, kv.indexOf(v));
  const pairs = new Map<number, number[]>();
  for (let k = 0; k < from.length; k++) {
    const key = Math.min(from[k]!, to[k]!) * bus.rows + Math.max(from[k]!, to[k]!);
    const list = pairs.get(key);
    if (list) list.push(k);
    else pairs.set(key, [k]);
  }
  const ends = new Float32Array(4 * from.length), shape = new Float32Array(2 * from.length);
  const degree = new Int32Array(bus.rows), lengths: number[] = [];
  for (const list of pairs.values()) {
    list.forEach((k, i) => {
      const [a, b] = [from[k]!, to[k]!];
      ends.set([x[a]!, y[a]!, x[b]!, y[b]!], 4 * k);
      const side = a < b ? 1 : -1;
      shape[2 * k] = side * (i - (list.length - 1) / 2);
      shape[2 * k + 1] = 1.1 + 1.3 * Math.sqrt(Math.min(volts[a]!, volts[b]!) / top);
      degree[a]!++;
      degree[b]!++;
    });
    const k = list[0]!;
    lengths.push(Math.hypot(x[from[k]!]! - x[to[k]!]!, y[from[k]!]! - y[to[k]!]!));
  }
  const places = new Float32Array(2 * bus.rows), sizes = new Float32Array(bus.rows), levels = new Float32Array(bus.rows);
  let box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < bus.rows; i++) {
    places.set([x[i]!, y[i]!], 2 * i);
    sizes[i] = star[i] ? 0 : 4.5 + 3.5 * Math.sqrt(volts[i]! / top);
    levels[i] = level(volts[i]!);
    box = [Math.min(box[0], x[i]!), Math.min(box[1], y[i]!), Math.max(box[2], x[i]!), Math.max(box[3], y[i]!)];
  }
  const rank = Int32Array.from({ length: bus.rows }, (_, i) => i).filter((i) => !star[i]);
  rank.sort((a, b) => volts[b]! - volts[a]! || degree[b]! - degree[a]! || a - b);
  lengths.sort((a, b) => a - b);
  const real = lengths.filter((l) => l > 0);
  const typical = real.length ? real[real.length >> 1]! : 1;
  return { ends, shape, places, sizes, levels, kv, box, rank, typical };
}

/** Distance from a point to a segment. */
export function toSegment(px: number, py: number, ax: number, ay: number, bx: number, by: number): number {
  const dx = bx - ax, dy = by - ay, l = dx * dx + dy * dy;
  const s = l > 0 ? Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / l)) : 0;
  return Math.hypot(px - ax - s * dx, py - ay - s * dy);
}
