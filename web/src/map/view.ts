// The map as a part that needs no framework: camera, input, labels, and the renderer. The console's page and the
// notebook widget use the same one.
import type { Grid, State } from "../api";
import { drawing, toSegment, type Drawing } from "./geometry";
import { palette } from "./palette";
import { BACKWARD, busCode, DEAD, FORWARD, HALO, OUT, ratio, Renderer, SELECTED, type Camera, type Rgb } from "./renderer";
import { mapSvg, type GridLine, type Label } from "./svg";

export interface Scene {
  grid: Grid; state: State | null; before: State | null; change: boolean; theme: "dark" | "light"; byLevel: boolean;
  brokenBranch: Set<number>; brokenBus: Set<number>; selected: string; wentOut: Set<number>;
  prices: [number, number] | null; // of a plan: the middle price, and the distance from it that has the full colour
  lost: (Pick & { label: string })[]; // what the chosen outage takes away, where it stands
}
export interface Pick { table: "bus" | "branch"; index: number }

const LEAST_CHANGE = 0.02; // of loading, that is written beside a branch
const KM = 111.195, CELL = 8, LEGEND = 190; // px that the legend covers at the left, from below
const FONT = 'system-ui, "Noto Sans CJK SC", sans-serif', ROOMY = 1400; // px of a map whose labels may be larger
const widths = new Map<string, number>();

/** Width of a label of 11 px, near enough to keep labels apart. */
function textWidth(text: string): number {
  let found = widths.get(text);
  if (found === undefined) {
    found = 0;
    for (const c of text) found += c > "\u2e80" ? 11 : 6.2;
    if (widths.size > 20_000) widths.clear();
    widths.set(text, found);
  }
  return found;
}

const marks = new WeakMap<Set<number>, Uint8Array>();

/** Members of a set as ones, made once a set. */
function marked(members: Set<number>, rows: number): Uint8Array {
  let found = marks.get(members);
  if (!found || found.length !== rows) {
    found = new Uint8Array(rows);
    for (const k of members) found[k] = 1;
    marks.set(members, found);
  }
  return found;
}

/** Of each bus the deviation from 1 pu that has the full colour: to its nearer limit, within reason. */
function bands(grid: Grid): Float32Array {
  const low = grid.bus.f("v_min_pu"), high = grid.bus.f("v_max_pu");
  return low.map((v, i) => Math.max(0.02, Math.min(high[i]! < 2 ? high[i]! - 1 : 0.1, v > 0 ? 1 - v : 0.1, 0.1)));
}

export class MapView {
  camera: Camera = { x: 0, y: 0, scale: 1 };
  private gl: HTMLCanvasElement; private over: HTMLCanvasElement;
  private renderer: Renderer;
  private drawing: Drawing | null = null;
  private scene: Scene | null = null;
  private width = 1; private height = 1; private fitScale = 1;
  private asked = 0;
  private drag: { x: number; y: number; moved: boolean } | null = null;
  private loading = new Float32Array(0); private voltage = new Float32Array(0); private band: Float32Array = new Float32Array(0);
  private branches = new Uint8Array(0); private buses = new Uint8Array(0); // code and marks of each, in turn
  private watch: ResizeObserver;
  private colours = new Map<string, string>();
  private told: number[] = []; // branches whose figure is written, the most important first
  private taken = new Uint8Array(0);
  covered: [number, number, number, number][] = []; // left, top, width, height of what lies on the map, px; from the right and below where negative
  onmove: () => void = () => undefined; // the view has moved or is about to be drawn anew
  onpick: (pick: Pick | null) => void = () => undefined;
  onhover: (pick: Pick | null, x: number, y: number) => void = () => undefined;

  constructor(private host: HTMLElement) {
    [this.gl, this.over] = [0, 1].map(() => {
      const canvas = document.createElement("canvas");
      canvas.className = "map-layer";
      host.appendChild(canvas);
      return canvas;
    }) as [HTMLCanvasElement, HTMLCanvasElement];
    this.size();
    this.renderer = new Renderer(this.gl);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(host);
    host.addEventListener("pointerdown", this.down);
    host.addEventListener("pointermove", this.move);
    host.addEventListener("pointerup", this.up);
    host.addEventListener("pointerleave", () => this.onhover(null, 0, 0));
    host.addEventListener("wheel", this.wheel, { passive: false });
    host.addEventListener("dblclick", (e) => this.zoom(2, e.offsetX, e.offsetY));
  }

  close(): void {
    this.watch.disconnect();
    cancelAnimationFrame(this.asked);
    this.host.replaceChildren();
  }

  // --- what is shown -------------------------------------------------------------------------------------------------

  show(scene: Scene): void {
    const fresh = this.scene?.grid !== scene.grid;
    this.scene = scene;
    if (fresh) {
      const d = (this.drawing = drawing(scene.grid));
      this.renderer.setGrid(d.ends, d.shape, d.places, d.sizes, d.levels);
      const [m, n] = [scene.grid.branch.rows, scene.grid.bus.rows];
      [this.loading, this.voltage, this.branches, this.buses] = [new Float32Array(m), new Float32Array(n), new Uint8Array(2 * m), new Uint8Array(2 * n)];
      this.band = bands(scene.grid);
    }
    this.recolour();
    if (fresh) this.fit();
    this.later();
  }

  private recolour(): void {
    const s = this.scene!;
    this.renderer.palette = palette(s.theme, s.change);
    this.renderer.byLevel = s.byLevel;
    this.renderer.haloed = { lines: (this.recolourBranches(s) & (HALO | SELECTED)) !== 0, buses: this.recolourBuses(s) !== 0 };
    this.renderer.setState(this.branches, this.buses);
  }

  /** Codes and marks of the branches, and whose figure is written; all marks together. */
  private recolourBranches(s: Scene): number {
    const { branch } = s.grid, { branches, told, loading: shown } = this, { low, scale, of: codes } = this.renderer.palette.codes;
    const flows = s.state?.branch.has("loading") ? s.state.branch : null, loading = flows?.f("loading"), p = flows?.f("p_from_mw");
    const earlier = s.change ? s.before?.branch.f("loading") : undefined, [table, at] = s.selected.split(":");
    const inService = branch.i("in_service"), broken = marked(s.brokenBranch, branch.rows), out = marked(s.wentOut, branch.rows);
    const selected = table === "branch" ? Number(at) : -1, n = branch.rows;
    let all = 0;
    told.length = 0;
    for (let k = 0; k < n; k++) {
      const now = loading ? loading[k]! : 0, mw = p ? p[k]! : 0;
      const on = mw === mw, value = now === now ? now : on ? 0 : NaN; // no rating, no loading: drawn as unloaded
      const level = (shown[k] = earlier ? value - (earlier[k]! || 0) : value);
      const mark = (broken[k]! && HALO) | (k === selected ? SELECTED : 0) | (!inService[k] || out[k] ? OUT : on ? 0 : DEAD) | (mw > 0.5 ? FORWARD : mw < -0.5 ? BACKWARD : 0);
      const code = ((level - low) * scale) | 0; // of no value: 0
      branches[2 * k] = codes[code < 0 ? 0 : code > 2000 ? 2000 : code]!;
      branches[2 * k + 1] = mark;
      all |= mark;
      if (earlier ? Math.abs(level) >= LEAST_CHANGE : broken[k] && value > 1) told.push(k);
    }
    told.sort((a, b) => Math.abs(shown[b]!) - Math.abs(shown[a]!));
    return all;
  }

  private recolourBuses(s: Scene): number {
    const { bus } = s.grid, { buses, band, voltage } = this, [table, at] = s.selected.split(":");
    const price = s.prices && s.state?.bus.has("price_per_mwh") ? s.state.bus.f("price_per_mwh") : null;
    const v = s.state?.bus.has("v_mag") ? s.state.bus.f("v_mag") : null, broken = marked(s.brokenBus, bus.rows), selected = table === "bus" ? Number(at) : -1;
    let all = 0;
    for (let i = 0; i < bus.rows; i++) {
      const value = (voltage[i] = price ? (price[i]! - s.prices![0]) / s.prices![1] : v ? (v[i]! - 1) / band[i]! : 0);
      const mark = (broken[i]! && HALO) | (i === selected ? SELECTED : 0);
      buses[2 * i] = busCode(value);
      buses[2 * i + 1] = mark;
      all |= mark;
    }
    return all;
  }

  // --- the camera ----------------------------------------------------------------------------------------------------

  private resize(): void {
    const { clientWidth, clientHeight } = this.host, first = this.width === 1;
    if (this.width === (clientWidth || 1) && this.height === (clientHeight || 1)) return;
    this.size();
    if (first) this.fit();
    this.frame();
  }

  /** Sizes of the canvases; of the one that graphics are made on before they are, as changing it then is slow. */
  private size(): void {
    this.width = this.host.clientWidth || 1;
    this.height = this.host.clientHeight || 1;
    for (const canvas of [this.gl, this.over]) {
      canvas.width = Math.max(1, Math.round(this.width * ratio()));
      canvas.height = Math.max(1, Math.round(this.height * ratio()));
    }
  }

  fit(): void {
    if (!this.drawing) return;
    const [x0, y0, x1, y1] = this.drawing.box;
    const scale = Math.min(Math.max(8, this.width - 90) / Math.max(x1 - x0, 1e-6), Math.max(8, this.height - 70) / Math.max(y1 - y0, 1e-6));
    this.fitScale = Math.max(scale, 1e-9);
    this.camera = { x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale: this.fitScale };
    this.later();
  }

  zoom(by: number, x = this.width / 2, y = this.height / 2): void {
    const c = this.camera;
    const scale = Math.min(this.fitScale * 4000, Math.max(this.fitScale * 0.4, c.scale * by));
    const [dx, dy] = [x - this.width / 2, this.height / 2 - y];
    this.camera = { x: c.x + dx / c.scale - dx / scale, y: c.y + dy / c.scale - dy / scale, scale };
    this.later();
  }

  pan(dx: number, dy: number): void {
    this.camera = { ...this.camera, x: this.camera.x - dx / this.camera.scale, y: this.camera.y + dy / this.camera.scale };
    this.later();
  }

  /** Where the view is, to be looked at again: middle, and how much nearer than all of the grid; empty where it shows all. */
  get look(): string {
    const c = this.camera, near = c.scale / this.fitScale, d = this.drawing;
    if (!d || (Math.abs(near - 1) < 1e-3 && Math.hypot(c.x - (d.box[0] + d.box[2]) / 2, c.y - (d.box[1] + d.box[3]) / 2) * c.scale < 1)) return "";
    return [c.x, c.y, near].map((v) => Number(v.toPrecision(6))).join(",");
  }
  set look(text: string) {
    const [x, y, near] = text.split(",").map(Number);
    if (near! > 0 && Number.isFinite(x! + y! + near!)) this.camera = { x: x!, y: y!, scale: near! * this.fitScale };
    else this.fit();
    this.later();
  }

  /** Bring an element into view. */
  goto(table: string, index: number): void {
    const d = this.drawing;
    if (!d || index < 0) return;
    const e = d.ends, p = d.places;
    const [x, y, span] =
      table === "branch"
        ? [(e[4 * index]! + e[4 * index + 2]!) / 2, (e[4 * index + 1]! + e[4 * index + 3]!) / 2,
           Math.hypot(e[4 * index]! - e[4 * index + 2]!, e[4 * index + 1]! - e[4 * index + 3]!)]
        : [p[2 * index]!, p[2 * index + 1]!, 0];
    const scale = Math.min(Math.max(this.camera.scale, this.fitScale * 3), (0.5 * this.width) / Math.max(span, 1e-6));
    this.camera = { x, y, scale };
    this.later();
  }

  private down = (e: PointerEvent) => {
    if (e.button !== 0 || (e.target as HTMLElement).tagName !== "CANVAS") return;
    this.drag = { x: e.clientX, y: e.clientY, moved: false };
    this.host.setPointerCapture(e.pointerId);
  };
  private move = (e: PointerEvent) => {
    if (this.drag) {
      const [dx, dy] = [e.clientX - this.drag.x, e.clientY - this.drag.y];
      if (this.drag.moved || Math.hypot(dx, dy) > 3) {
        this.pan(dx, dy);
        this.drag = { x: e.clientX, y: e.clientY, moved: true };
        this.onhover(null, 0, 0);
      }
      return;
    }
    if ((e.target as HTMLElement).tagName !== "CANVAS") return;
    this.onhover(this.pick(e.offsetX, e.offsetY), e.offsetX, e.offsetY);
  };
  private up = (e: PointerEvent) => {
    const still = this.drag && !this.drag.moved;
    this.drag = null;
    if (still) this.onpick(this.pick(e.offsetX, e.offsetY));
  };
  private wheel = (e: WheelEvent) => {
    e.preventDefault();
    this.zoom(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0016)), e.offsetX, e.offsetY);
  };

  /** The element nearest to a place on the screen. */
  pick(px: number, py: number): Pick | null {
    const d = this.drawing;
    if (!d) return null;
    const x = this.camera.x + (px - this.width / 2) / this.camera.scale;
    const y = this.camera.y + (this.height / 2 - py) / this.camera.scale;
    let best = 9 / this.camera.scale, found: Pick | null = null;
    for (let i = 0; i < d.sizes.length; i++) {
      if (!d.sizes[i]) continue;
      const r = Math.hypot(d.places[2 * i]! - x, d.places[2 * i + 1]! - y);
      if (r < best) { best = r; found = { table: "bus", index: i }; }
    }
    if (found) return found;
    best = 6 / this.camera.scale;
    const e = d.ends;
    for (let k = 0; k < e.length / 4; k++) {
      const r = toSegment(x, y, e[4 * k]!, e[4 * k + 1]!, e[4 * k + 2]!, e[4 * k + 3]!);
      if (r < best) { best = r; found = { table: "branch", index: k }; }
    }
    return found;
  }

  /** The element under the middle of the view, or else the nearest bus to it: what Enter selects. */
  central(): Pick | null {
    const d = this.drawing;
    if (!d) return null;
    const there = this.pick(this.width / 2, this.height / 2);
    if (there) return there;
    let best = Infinity, found: Pick | null = null;
    for (let i = 0; i < d.sizes.length; i++) {
      const r = Math.hypot(d.places[2 * i]! - this.camera.x, d.places[2 * i + 1]! - this.camera.y);
      if (d.sizes[i] && r < best) { best = r; found = { table: "bus", index: i }; }
    }
    return found;
  }

  // --- frames --------------------------------------------------------------------------------------------------------

  later(): void {
    this.onmove();
    if (!this.asked) this.asked = requestAnimationFrame(() => { this.asked = 0; this.frame(); });
  }

  /** Sizes grow as the view comes closer; far away only a hint of the buses is left. */
  private get detail(): number {
    const apart = (this.drawing?.typical ?? 1) * this.camera.scale; // px between neighbours
    return Math.min(1.5, Math.max(0.34, Math.sqrt(apart / 46)));
  }

  private frame(): void {
    if (!this.scene || !this.renderer.palette) return;
    const lines = this.meridians();
    this.renderer.draw(this.camera, this.detail, lines, this.ruler());
    this.labels(lines);
  }

  private get labelSize(): number {
    return this.width > ROOMY ? 13 : 11;
  }

  private screenX(x: number): number {
    return this.width / 2 + (x - this.camera.x) * this.camera.scale;
  }
  private screenY(y: number): number {
    return this.height / 2 - (y - this.camera.y) * this.camera.scale;
  }

  /** Colours of the style sheet, asked for once a theme: asking makes the browser work out all styles. */
  private colour(name: string): string {
    const theme = this.scene!.theme;
    let found = this.colours.get(theme + name);
    if (found === undefined) this.colours.set(theme + name, (found = getComputedStyle(this.host).getPropertyValue(name)));
    return found;
  }

  private ruler(): Rgb {
    const hex = this.colour("--graticule").trim();
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255) as Rgb;
  }

  /** Meridians, at an x, and parallels, at a y, in view; named where there is room. */
  private meridians(): GridLine[] {
    const { grid } = this.scene!, out: GridLine[] = [];
    if (!grid.geographic || this.height / this.camera.scale > 360 * KM) return out;
    const [lon0, lat0] = grid.origin, c = this.camera;
    const perLon = KM * Math.cos((lat0 * Math.PI) / 180), spanLat = this.height / c.scale / KM;
    const every = [0.1, 0.25, 0.5, 1, 2, 5, 10].find((s) => spanLat / s < 7) ?? 20;
    const degrees = (v: number) => `${Math.abs(Number(v.toFixed(2)))}°`;
    const half = [this.width / 2 / c.scale, this.height / 2 / c.scale];
    for (let lon = Math.ceil((lon0 + (c.x - half[0]!) / perLon) / every) * every; ; lon += every) {
      const px = this.screenX((lon - lon0) * perLon);
      if (px > this.width) break;
      out.push({ x: Math.round(px), text: px > 40 && px < this.width - 90 ? `${degrees(lon)} ${lon < 0 ? "W" : "E"}` : "" });
    }
    for (let lat = Math.ceil((lat0 + (c.y - half[1]!) / KM) / every) * every; ; lat += every) {
      const py = this.screenY((lat - lat0) * KM);
      if (py < 0) break;
      out.push({ y: Math.round(py), text: py > 24 && py < this.height - LEGEND ? `${degrees(lat)} ${lat < 0 ? "S" : "N"}` : "" });
    }
    return out;
  }

  private labels(lines: GridLine[]): void {
    const context = this.over.getContext("2d")!, fine = ratio();
    context.setTransform(fine, 0, 0, fine, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.font = "10px system-ui, sans-serif";
    context.fillStyle = this.colour("--faint");
    context.textBaseline = "alphabetic";
    for (const line of lines) if (line.text) context.fillText(line.text, line.x === undefined ? 5 : line.x + 4, line.y === undefined ? 12 : line.y - 4);
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = this.colour("--map");
    const all = this.placed(), ink = this.colour("--ink"), soft = this.colour("--soft");
    for (const bold of [true, false]) { // a font is dear to change
      context.font = `${bold ? "600 " : ""}${this.labelSize}px ${FONT}`;
      context.fillStyle = bold ? ink : soft;
      for (const label of all) {
        if (label.bold !== bold) continue;
        context.strokeText(label.text, label.x, label.y);
        context.fillText(label.text, label.x, label.y);
      }
    }
  }

  /** Labels that have room: of what is selected, of the worst loadings, then of buses while they are far enough apart. */
  private placed(): Label[] {
    const d = this.drawing!, s = this.scene!, out: Label[] = [];
    const columns = Math.ceil(this.width / CELL), size = columns * Math.ceil(this.height / CELL);
    if (this.taken.length < size) this.taken = new Uint8Array(size);
    const taken = this.taken.fill(0), size11 = this.labelSize / 11, rows = size / columns;
    const take = (x: number, y: number, w: number, h: number, force: boolean): boolean => {
      const [c0, c1, r0, r1] = [Math.max(0, x / CELL | 0), Math.min(columns - 1, (x + w) / CELL | 0), Math.max(0, y / CELL | 0), Math.min(rows - 1, (y + h) / CELL | 0)];
      if (!force) for (let r = r0; r <= r1; r++) for (let c = c0; c <= c1; c++) if (taken[r * columns + c]) return false;
      for (let r = r0; r <= r1; r++) for (let c = c0; c <= c1; c++) taken[r * columns + c] = 1;
      return true;
    };
    for (const [x, y, w, h] of this.covered) take(x < 0 ? this.width + x : x, y < 0 ? this.height + y : y, w, h, true);
    const put = (text: string, x: number, y: number, bold: boolean): boolean => {
      const w = textWidth(text) * size11;
      if (x < 4 || y < 10 || x + w > this.width - 4 || y > this.height - 10) return false;
      if (!take(x, y - 7 * size11, w, 14 * size11, false)) return false;
      out.push({ text, x, y, bold });
      return true;
    };
    const loading = s.state?.branch.has("loading") ? s.state.branch.f("loading") : null, e = d.ends;
    const where = ({ table, index: i }: Pick): [number, number] => table === "bus"
      ? [this.screenX(d.places[2 * i]!), this.screenY(d.places[2 * i + 1]!)] : [this.screenX((e[4 * i]! + e[4 * i + 2]!) / 2), this.screenY((e[4 * i + 1]! + e[4 * i + 3]!) / 2)];
    for (const lost of s.lost) {
      const [x, y] = where(lost);
      put(`✕ ${lost.label}`, x - 5, y, true);
    }
    const [table, at] = s.selected.split(":"), i = Number(at);
    if (table === "branch") {
      const [x, y] = where({ table, index: i });
      put(`${s.grid.branch.t("id")[i]}  ${loading && loading[i]! === loading[i]! ? `${(100 * loading[i]!).toFixed(0)} %` : ""}`, x + 8, y - 10, true);
    } else if (table === "bus") {
      const [x, y] = where({ table, index: i });
      put(s.grid.bus.t("name")[i] || s.grid.bus.t("id")[i]!, x + 9, y - 9, true);
    }
    if (loading) {
      const end = Math.min(60, this.told.length), shown = this.loading;
      for (let i = 0, written = 0; i < end && written < 25; i++) {
        const k = this.told[i]!, [x, y] = where({ table: "branch", index: k }), share = Math.abs(100 * shown[k]!).toFixed(0);
        if (put(s.change ? `${shown[k]! < 0 ? "−" : "+"}${share} %` : `${share} %`, x + 6, y, true)) written++;
      }
    }
    if (d.typical * this.camera.scale < 34) return out;
    const names = s.grid.bus.t("name"), ids = s.grid.bus.t("id");
    let written = 0;
    for (const i of d.rank) {
      const x = this.screenX(d.places[2 * i]!), y = this.screenY(d.places[2 * i + 1]!); // of ten thousand: no pairs are made
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      if (put(names[i] || ids[i]!, x + 8, y + 1, false) && ++written > 70) break;
    }
    return out;
  }

  /** The map as it is on the screen, as a drawing of its own size. */
  picture(): { width: number; height: number; svg: string } {
    const frame = {
      labelSize: this.labelSize,
      drawing: this.drawing!, camera: this.camera, width: this.width, height: this.height, detail: this.detail, palette: this.renderer.palette, byLevel: this.renderer.byLevel,
      loading: this.loading, branches: this.branches, voltage: this.voltage, buses: this.buses,
    };
    const colours = { map: this.colour("--map"), ink: this.colour("--ink"), soft: this.colour("--soft"), faint: this.colour("--faint"), graticule: this.colour("--graticule") };
    return { width: this.width, height: this.height, svg: mapSvg(frame, this.meridians(), this.placed(), colours) };
  }

  /**
   * Script time of frames that pan and recolour, ms: what the benchmark reads. With a pause, ms, each frame begins when the one
   * before has been drawn; without one, drawing goes on beside the script.
   */
  async measure(frames: number, pause = 0): Promise<number[]> {
    const spent: number[] = [], scene = this.scene!, given = scene.state!;
    const shifted = { ...given, branch: given.branch.changed("loading", 1.02), bus: given.bus.changed("v_mag", 1.001) };
    for (let f = 0; f < frames; f++) {
      if (pause) await new Promise((done) => setTimeout(done, pause));
      await new Promise(requestAnimationFrame);
      const began = performance.now();
      this.scene = { ...scene, state: f % 2 ? shifted : given };
      this.camera = { ...this.camera, x: this.camera.x + (f % 2 ? 1 : -1) * (3 / this.camera.scale) };
      this.recolour();
      this.frame();
      spent.push(performance.now() - began);
    }
    this.show(scene);
    return spent;
  }

  /** Length of a round distance on the screen, for the scale bar: kilometres and pixels. */
  bar(): [number, number] {
    const want = 110 / this.camera.scale, power = 10 ** Math.floor(Math.log10(want));
    const km = [1, 2, 5, 10].map((m) => m * power).filter((k) => k <= want).pop() ?? power;
    return [km, km * this.camera.scale];
  }
}
