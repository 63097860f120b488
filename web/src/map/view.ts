// The map as a part that needs no framework: camera, input, labels, and the renderer. The console's page and the
// notebook widget use the same one.
import type { Grid, State } from "../api";
import { drawing, toSegment, type Drawing } from "./geometry";
import { palette } from "./palette";
import { DEAD, HALO, OUT, Renderer, SELECTED, type Camera } from "./renderer";

export interface Scene {
  grid: Grid; state: State | null; before: State | null; change: boolean; theme: "dark" | "light"; byLevel: boolean;
  brokenBranch: Set<number>; brokenBus: Set<number>; selected: string; wentOut: Set<number>;
  prices: [number, number] | null; // of a plan: the middle price, and the distance from it that has the full colour
}
export interface Pick { table: "bus" | "branch"; index: number }

const KM = 111.195;

export class MapView {
  camera: Camera = { x: 0, y: 0, scale: 1 };
  private gl: HTMLCanvasElement; private under: HTMLCanvasElement; private over: HTMLCanvasElement;
  private renderer: Renderer;
  private drawing: Drawing | null = null;
  private scene: Scene | null = null;
  private width = 1; private height = 1; private fitScale = 1;
  private asked = 0;
  private drag: { x: number; y: number; moved: boolean } | null = null;
  private loading = new Float32Array(0); private lineFlag = new Float32Array(0); private flow = new Float32Array(0);
  private voltage = new Float32Array(0); private busFlag = new Float32Array(0);
  private watch: ResizeObserver;
  private colours = new Map<string, string>();
  private worst: number[] = [];
  onpick: (pick: Pick | null) => void = () => undefined;
  onhover: (pick: Pick | null, x: number, y: number) => void = () => undefined;

  constructor(private host: HTMLElement) {
    [this.under, this.gl, this.over] = [0, 1, 2].map(() => {
      const canvas = document.createElement("canvas");
      canvas.className = "map-layer";
      host.appendChild(canvas);
      return canvas;
    }) as [HTMLCanvasElement, HTMLCanvasElement, HTMLCanvasElement];
    this.renderer = new Renderer(this.gl);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(host);
    host.addEventListener("pointerdown", this.down);
    host.addEventListener("pointermove", this.move);
    host.addEventListener("pointerup", this.up);
    host.addEventListener("pointerleave", () => this.onhover(null, 0, 0));
    host.addEventListener("wheel", this.wheel, { passive: false });
    host.addEventListener("dblclick", (e) => this.zoom(2, e.offsetX, e.offsetY));
    this.resize();
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
      this.loading = new Float32Array(m);
      this.lineFlag = new Float32Array(m);
      this.flow = new Float32Array(m);
      this.voltage = new Float32Array(n);
      this.busFlag = new Float32Array(n);
    }
    this.recolour();
    if (fresh) this.fit();
    this.later();
  }

  private recolour(): void {
    const s = this.scene!, { bus, branch } = s.grid;
    this.renderer.palette = palette(s.theme, s.change);
    this.renderer.byLevel = s.byLevel;
    const inService = branch.i("in_service");
    const flows = s.state?.branch.has("loading") ? s.state.branch : null, loading = flows?.f("loading"), p = flows?.f("p_from_mw");
    const earlier = s.change ? s.before?.branch.f("loading") : undefined;
    const [table, at] = s.selected.split(":");
    const chosen = Number(at ?? -1);
    for (let k = 0; k < branch.rows; k++) {
      const now = loading ? loading[k]! : 0;
      const on = p ? p[k]! === p[k]! : true;
      const value = now === now ? now : on ? 0 : NaN; // no rating, no loading: drawn as unloaded
      this.loading[k] = earlier ? value - (earlier[k]! || 0) : value;
      this.flow[k] = p ? p[k]! : 0;
      this.lineFlag[k] =
        (s.brokenBranch.has(k) ? HALO : 0) | (table === "branch" && chosen === k ? SELECTED : 0) |
        (!inService[k] || s.wentOut.has(k) ? OUT : on ? 0 : DEAD);
    }
    const price = s.prices && s.state?.bus.has("price_per_mwh") ? s.state.bus.f("price_per_mwh") : null;
    const v = s.state?.bus.has("v_mag") ? s.state.bus.f("v_mag") : null, low = bus.f("v_min_pu"), high = bus.f("v_max_pu");
    for (let i = 0; i < bus.rows; i++) {
      const band = Math.max(0.02, Math.min(high[i]! < 2 ? high[i]! - 1 : 0.1, low[i]! > 0 ? 1 - low[i]! : 0.1, 0.1));
      this.voltage[i] = price ? (price[i]! - s.prices![0]) / s.prices![1] : v ? (v[i]! - 1) / band : 0;
      this.busFlag[i] = (s.brokenBus.has(i) ? HALO : 0) | (table === "bus" && chosen === i ? SELECTED : 0);
    }
    const now = this.loading;
    this.worst = [...s.brokenBranch].sort((a, b) => (now[b]! || 0) - (now[a]! || 0)).slice(0, 60);
    this.renderer.set("loading", this.loading);
    this.renderer.set("flow", this.flow);
    this.renderer.set("lineFlag", this.lineFlag);
    this.renderer.set("voltage", this.voltage);
    this.renderer.set("busFlag", this.busFlag);
  }

  // --- the camera ----------------------------------------------------------------------------------------------------

  private resize(): void {
    const { clientWidth, clientHeight } = this.host;
    const first = this.width === 1;
    this.width = clientWidth || 1;
    this.height = clientHeight || 1;
    this.renderer.resize(this.width, this.height);
    const ratio = this.renderer.ratio;
    for (const canvas of [this.under, this.over]) {
      canvas.width = Math.round(this.width * ratio);
      canvas.height = Math.round(this.height * ratio);
    }
    if (first) this.fit();
    this.frame();
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

  // --- frames --------------------------------------------------------------------------------------------------------

  later(): void {
    if (!this.asked) this.asked = requestAnimationFrame(() => { this.asked = 0; this.frame(); });
  }

  /** Sizes grow as the view comes closer; far away only a hint of the buses is left. */
  private get detail(): number {
    const apart = (this.drawing?.typical ?? 1) * this.camera.scale; // px between neighbours
    return Math.min(1.5, Math.max(0.34, Math.sqrt(apart / 46)));
  }

  private frame(): void {
    if (!this.scene || !this.renderer.palette) return;
    this.graticule();
    this.renderer.draw(this.camera, this.detail);
    this.labels();
  }

  private screen(x: number, y: number): [number, number] {
    return [this.width / 2 + (x - this.camera.x) * this.camera.scale, this.height / 2 - (y - this.camera.y) * this.camera.scale];
  }

  /** Colours of the style sheet, asked for once a theme: asking makes the browser work out all styles. */
  private colour(name: string): string {
    const theme = this.scene!.theme;
    let found = this.colours.get(theme + name);
    if (found === undefined) this.colours.set(theme + name, (found = getComputedStyle(this.host).getPropertyValue(name)));
    return found;
  }

  private graticule(): void {
    const context = this.under.getContext("2d")!;
    const ratio = this.renderer.ratio, { grid } = this.scene!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (!grid.geographic || this.height / this.camera.scale > 360 * KM) return;
    const [lon0, lat0] = grid.origin, c = this.camera;
    const perLon = KM * Math.cos((lat0 * Math.PI) / 180);
    const spanLat = this.height / c.scale / KM;
    const every = [0.1, 0.25, 0.5, 1, 2, 5, 10].find((s) => spanLat / s < 7) ?? 20;
    context.strokeStyle = this.colour("--graticule");
    context.fillStyle = this.colour("--faint");
    context.font = "10px system-ui, sans-serif";
    context.lineWidth = 1;
    context.beginPath();
    const degrees = (v: number) => `${Math.abs(Number(v.toFixed(2)))}°`;
    const half = [this.width / 2 / c.scale, this.height / 2 / c.scale];
    for (let lon = Math.ceil((lon0 + (c.x - half[0]!) / perLon) / every) * every; ; lon += every) {
      const [px] = this.screen((lon - lon0) * perLon, 0);
      if (px > this.width) break;
      context.moveTo(Math.round(px) + 0.5, 0);
      context.lineTo(Math.round(px) + 0.5, this.height);
      if (px > 40 && px < this.width - 90) context.fillText(`${degrees(lon)} ${lon < 0 ? "W" : "E"}`, px + 4, 12);
    }
    for (let lat = Math.ceil((lat0 + (c.y - half[1]!) / KM) / every) * every; ; lat += every) {
      const [, py] = this.screen(0, (lat - lat0) * KM);
      if (py < 0) break;
      context.moveTo(0, Math.round(py) + 0.5);
      context.lineTo(this.width, Math.round(py) + 0.5);
      if (py > 24 && py < this.height - 60) context.fillText(`${degrees(lat)} ${lat < 0 ? "S" : "N"}`, 5, py - 4);
    }
    context.stroke();
  }

  private labels(): void {
    const context = this.over.getContext("2d")!, d = this.drawing!, s = this.scene!;
    const ratio = this.renderer.ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const paper = this.colour("--map"), ink = this.colour("--ink"), soft = this.colour("--soft");
    const cell = 8, columns = Math.ceil(this.width / cell), taken = new Uint8Array(columns * Math.ceil(this.height / cell));
    const put = (text: string, x: number, y: number, bold: boolean): boolean => {
      context.font = `${bold ? "600 " : ""}11px system-ui, "Noto Sans CJK SC", sans-serif`;
      const w = text.length * 6.2;
      if (x < 4 || y < 10 || x + w > this.width - 4 || y > this.height - 10) return false;
      const [c0, c1, r0, r1] = [x / cell | 0, (x + w) / cell | 0, (y - 7) / cell | 0, (y + 7) / cell | 0];
      for (let r = r0; r <= r1; r++) for (let c = c0; c <= c1; c++) if (taken[r * columns + c]) return false;
      for (let r = r0; r <= r1; r++) for (let c = c0; c <= c1; c++) taken[r * columns + c] = 1;
      context.strokeStyle = paper;
      context.lineWidth = 3;
      context.strokeText(text, x, y);
      context.fillStyle = bold ? ink : soft;
      context.fillText(text, x, y);
      return true;
    };
    const loading = s.state?.branch.has("loading") ? s.state.branch.f("loading") : null, e = d.ends;
    const middle = (k: number) => this.screen((e[4 * k]! + e[4 * k + 2]!) / 2, (e[4 * k + 1]! + e[4 * k + 3]!) / 2);
    const [table, at] = s.selected.split(":");
    if (table === "branch") {
      const k = Number(at), [x, y] = middle(k);
      put(`${s.grid.branch.t("id")[k]}  ${loading && loading[k]! === loading[k]! ? `${(100 * loading[k]!).toFixed(0)} %` : ""}`, x + 8, y - 10, true);
    } else if (table === "bus") {
      const i = Number(at), [x, y] = this.screen(d.places[2 * i]!, d.places[2 * i + 1]!);
      put(s.grid.bus.t("name")[i] || s.grid.bus.t("id")[i]!, x + 9, y - 9, true);
    }
    let written = 0;
    if (loading) {
      for (const k of this.worst) {
        const [x, y] = middle(k);
        if (loading[k]! > 1 && put(`${(100 * loading[k]!).toFixed(0)} %`, x + 6, y, true) && ++written > 24) break;
      }
    }
    const apart = d.typical * this.camera.scale;
    if (apart < 34) return;
    const names = s.grid.bus.t("name"), ids = s.grid.bus.t("id");
    written = 0;
    for (const i of d.rank) {
      const [x, y] = this.screen(d.places[2 * i]!, d.places[2 * i + 1]!);
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      if (put(names[i] || ids[i]!, x + 8, y + 1, false) && ++written > 70) break;
    }
  }

  /** Script time of frames that pan and recolour, ms, each in its turn on the screen: what the benchmark reads. */
  async measure(frames: number): Promise<number[]> {
    const spent: number[] = [];
    for (let f = 0; f < frames; f++) {
      await new Promise(requestAnimationFrame);
      const began = performance.now();
      this.camera = { ...this.camera, x: this.camera.x + (f % 2 ? 1 : -1) * (3 / this.camera.scale) };
      this.recolour();
      this.frame();
      spent.push(performance.now() - began);
    }
    return spent;
  }

  /** Length of a round distance on the screen, for the scale bar: kilometres and pixels. */
  bar(): [number, number] {
    const want = 110 / this.camera.scale, power = 10 ** Math.floor(Math.log10(want));
    const km = [1, 2, 5, 10].map((m) => m * power).filter((k) => k <= want).pop() ?? power;
    return [km, km * this.camera.scale];
  }
}
