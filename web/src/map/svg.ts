// The map as SVG: the same shapes at the same places as the renderer's, for what is in view.
import { escaped } from "../files/save";
import type { Drawing } from "./geometry";
import { BACKWARD, DEAD, FORWARD, HALO, LEAST_BUS, OUT, SELECTED, STRETCH, type Camera, type Palette, type Rgb } from "./renderer";

export interface Label { text: string; x: number; y: number; bold: boolean }
export interface GridLine { x?: number; y?: number; text: string }
export interface Frame {
  labelSize: number; drawing: Drawing; camera: Camera; width: number; height: number; detail: number; palette: Palette; byLevel: boolean;
  loading: Float32Array; branches: Uint8Array; voltage: Float32Array; buses: Uint8Array; // code and marks of each, in turn
}
interface Colours { map: string; ink: string; soft: string; faint: string; graticule: string }

const hex = (c: Rgb) => `#${c.map((v) => Math.round(255 * v).toString(16).padStart(2, "0")).join("")}`;
const mix = (a: Rgb, b: Rgb, share: number): Rgb => [0, 1, 2].map((i) => a[i]! + (b[i]! - a[i]!) * share) as Rgb;
const within = (v: number) => Math.min(1, Math.max(0, v));
const n = (v: number) => Number(v.toFixed(1));

function ramp(p: Palette, value: number): string {
  let c = p.ramp[0]!;
  for (let i = 1; i < p.ramp.length; i++) c = mix(c, p.ramp[i]!, within((value - p.stops[i - 1]!) / (p.stops[i]! - p.stops[i - 1]!)));
  return hex(c);
}

export function mapSvg(f: Frame, lines: GridLine[], labels: Label[], colour: Colours): string {
  const out = [`<rect width="${f.width}" height="${f.height}" fill="${colour.map}"/>`, ...lines.map((l) => graticule(l, f, colour))];
  const [halos, branches] = branchesOf(f), [rings, buses] = busesOf(f);
  out.push(...halos, ...branches, ...rings, ...buses);
  for (const l of labels)
    out.push(`<text x="${n(l.x)}" y="${n(l.y + 4)}" font-size="${f.labelSize}"${l.bold ? ' font-weight="600"' : ""} fill="${l.bold ? colour.ink : colour.soft}" stroke="${colour.map}" stroke-width="3" paint-order="stroke" stroke-linejoin="round">${escaped(l.text)}</text>`);
  return out.join("");
}

function graticule(l: GridLine, f: Frame, colour: Colours): string {
  const line = `<path d="${l.x === undefined ? `M0 ${l.y! + 0.5}H${f.width}` : `M${l.x + 0.5} 0V${f.height}`}" stroke="${colour.graticule}"/>`;
  return l.text ? `${line}<text x="${l.x === undefined ? 5 : l.x + 4}" y="${l.y === undefined ? 12 : l.y - 4}" font-size="10" fill="${colour.faint}">${l.text}</text>` : line;
}

function branchesOf(f: Frame): [string[], string[]] {
  const { ends, shape } = f.drawing, { x, y, scale } = f.camera, p = f.palette, halos: string[] = [], out: string[] = [];
  for (let k = 0; k < f.loading.length; k++) {
    const ax = f.width / 2 + (ends[4 * k]! - x) * scale, ay = f.height / 2 - (ends[4 * k + 1]! - y) * scale;
    const bx = f.width / 2 + (ends[4 * k + 2]! - x) * scale, by = f.height / 2 - (ends[4 * k + 3]! - y) * scale;
    if (Math.max(ax, bx) < 0 || Math.min(ax, bx) > f.width || Math.max(ay, by) < 0 || Math.min(ay, by) > f.height) continue;
    const l = Math.hypot(bx - ax, by - ay), [ux, uy] = l > 0.001 ? [(bx - ax) / l, (by - ay) / l] : [1, 0];
    const fan = shape[2 * k]! * Math.min(3.2, l * 0.06), value = f.loading[k]!, flag = f.branches[2 * k + 1]!;
    const [fx, fy] = [uy * fan, -ux * fan]; // the normal of the renderer, whose y points up
    const w = shape[2 * k + 1]! * f.detail * (1 + p.widen * within((f.branches[2 * k]! / STRETCH - 3) / 2));
    const d = `M${n(ax + fx)} ${n(ay + fy)}L${n(bx + fx)} ${n(by + fy)}`, gone = (flag & (OUT | DEAD)) !== 0 || value !== value;
    if (flag & SELECTED) halos.push(`<path d="${d}" stroke="${hex(p.selected)}" stroke-width="${n(w + 4)}" stroke-linecap="round"/>`);
    else if (flag & HALO) halos.push(`<path d="${d}" stroke="${hex(p.halo)}" stroke-opacity="0.34" stroke-width="${n(w + 9)}" stroke-linecap="round"/>`);
    const tone = gone ? hex(p.out) : ramp(p, value);
    out.push(`<path d="${d}" stroke="${tone}" stroke-width="${n(w)}"${gone ? ' stroke-dasharray="4 4"' : ""}/>`);
    if (l > 30 && flag & (FORWARD | BACKWARD) && !gone) {
      const s = 2.2 + shape[2 * k + 1]! * 0.9 * f.detail, way = flag & FORWARD ? 1 : -1, [mx, my] = [(ax + bx) / 2 + fx, (ay + by) / 2 + fy], [dx, dy] = [ux * way, uy * way];
      const tip = `${n(mx + dx * s * 1.25)} ${n(my + dy * s * 1.25)}`, foot = (side: number) => `${n(mx - dx * s * 0.85 - dy * s * side)} ${n(my - dy * s * 0.85 + dx * s * side)}`;
      out.push(`<path d="M${tip}L${foot(0.85)}L${foot(-0.85)}Z" fill="${tone}"/>`);
    }
  }
  return [halos, out];
}

function busesOf(f: Frame): [string[], string[]] {
  const { places, sizes, levels } = f.drawing, { x, y, scale } = f.camera, p = f.palette, halos: string[] = [], out: string[] = [];
  for (let i = 0; i < f.voltage.length; i++) {
    const flag = f.buses[2 * i + 1]!, plain = sizes[i]! * Math.max(f.detail, LEAST_BUS), s = flag & SELECTED ? Math.max(plain, 9) : plain;
    const cx = f.width / 2 + (places[2 * i]! - x) * scale, cy = f.height / 2 - (places[2 * i + 1]! - y) * scale;
    if (s < 1 || cx < -9 || cy < -9 || cx > f.width + 9 || cy > f.height + 9) continue;
    const place = `cx="${n(cx)}" cy="${n(cy)}"`;
    if (flag & (HALO | SELECTED)) halos.push(`<circle ${place} r="${n((Math.max(plain, 5) + 9) / 2)}" fill="${hex(flag & SELECTED ? p.selected : p.halo)}" opacity="${flag & SELECTED ? 0.95 : 0.34}"/>`);
    const v = f.voltage[i]!, gone = v !== v, edge = Math.max(1, s * 0.16), mid = p.bus[1]!;
    const tone = gone ? p.ring : f.byLevel ? p.bus[3 + levels[i]!]! : v < 0 ? mix(mid, p.bus[0]!, within(-v)) : mix(mid, p.bus[2]!, within(v));
    out.push(`<circle ${place} r="${n(Math.max(0.5, (s - edge) / 2))}" fill="${hex(tone)}" stroke="${hex(gone ? p.out : p.ring)}" stroke-width="${n(edge)}"/>`);
  }
  return [halos, out];
}
