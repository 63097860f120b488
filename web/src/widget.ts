// The map in a notebook: the console's own view, fed by the traits of `aurigrid.console.widget.GridMap`.
import { Table, type Grid, type RawTable, type State } from "./api";
import { HALO, LEVELS, LOADING, VOLTAGE } from "./map/palette";
import { drawing } from "./map/geometry";
import { MapView } from "./map/view";

interface Model {
  get(name: string): any;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(name: string, call: () => void): void;
  off(name: string, call: () => void): void;
}
type Raw = Record<string, RawTable>;

const COLOURS = {
  dark: { map: "#0f1519", ink: "#e7eef1", soft: "#a9b7bf", faint: "#8b9aa3", graticule: "#1c262c" },
  light: { map: "#ffffff", ink: "#1b262b", soft: "#4a5961", faint: "#66757d", graticule: "#e6ebee" },
};

function asGrid(raw: any): Grid {
  const of = (name: string) => new Table(raw[name]);
  return { name: raw.name, geographic: raw.geographic, origin: raw.origin, bus: of("bus"), branch: of("branch"), gen: of("gen"), load: of("load"), switches: of("switch") };
}
function asState(raw: Raw | null): State | null {
  if (!raw || !raw.bus) return null;
  return { step: 0, contingency: -1, status: "", agrees: true, lost: [], bus: new Table(raw.bus!), branch: new Table(raw.branch!), gen: new Table(raw.gen!) };
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const host = document.createElement("div"), key = document.createElement("div");
  host.className = "aurigrid-map";
  host.tabIndex = 0;
  key.className = "aurigrid-key";
  host.style.height = `${model.get("height")}px`; // before the view takes its size
  el.append(host, key);
  const view = new MapView(host);
  let grid = asGrid(model.get("grid"));
  const draw = () => {
    const theme = model.get("theme") === "dark" ? "dark" : "light", state = asState(model.get("state"));
    host.style.height = `${model.get("height")}px`;
    for (const [name, colour] of Object.entries(COLOURS[theme])) host.style.setProperty(`--${name}`, colour);
    host.style.background = COLOURS[theme].map;
    const loading = state?.branch.has("loading") ? state.branch.f("loading") : new Float32Array(), over = new Set<number>();
    loading.forEach((v, k) => { if (v > 1) over.add(k); });
    const out = new Set<number>();
    if (state?.branch.has("out")) state.branch.i("out").forEach((v, k) => { if (v) out.add(k); });
    view.show({
      grid, state, before: state, change: false, theme, byLevel: model.get("buses") === "level", brokenBranch: over, brokenBus: new Set(),
      selected: model.get("selected"), wentOut: out, prices: null, lost: [],
    });
    legend(theme);
  };
  const legend = (theme: "dark" | "light") => {
    const dot = (colour: string, text: string) => `<span><i style="background:${colour}"></i>${text}</span>`;
    const buses = model.get("buses") === "level"
      ? drawing(grid).kv.slice(0, 6).map((v, i) => dot(LEVELS[theme][i]!, `${v} kV`))
      : ["low", "1 pu", "high"].map((text, i) => dot(VOLTAGE[theme][i]!, text));
    const [km, px] = view.bar(), scale = grid.geographic ? `<span><b style="width:${px.toFixed(0)}px"></b>${km} km</span><span>N↑</span>` : "";
    key.innerHTML = `<span>loading 0 %<em style="background:linear-gradient(90deg,${LOADING[theme].join(",")})"></em>130 %</span>${dot(HALO[theme], "over 100 %")}${buses.join("")}${scale}`;
  };
  view.onpick = (pick) => {
    model.set("selected", pick ? `${pick.table}:${pick.index}` : "");
    model.save_changes();
  };
  const later = view.later.bind(view);
  view.later = () => { later(); legend(model.get("theme") === "dark" ? "dark" : "light"); };
  const keys: Record<string, () => void> = {
    ArrowLeft: () => view.pan(60, 0), ArrowRight: () => view.pan(-60, 0), ArrowUp: () => view.pan(0, 60), ArrowDown: () => view.pan(0, -60),
    "+": () => view.zoom(1.4), "-": () => view.zoom(1 / 1.4), "0": () => view.fit(),
  };
  host.addEventListener("keydown", (e) => {
    if (keys[e.key]) { e.preventDefault(); e.stopPropagation(); keys[e.key]!(); }
  });
  const regrid = () => { grid = asGrid(model.get("grid")); draw(); };
  const watched: [string, () => void][] = [["change:grid", regrid], ...["state", "theme", "buses", "height", "selected"].map((n): [string, () => void] => [`change:${n}`, draw])];
  watched.forEach(([name, call]) => model.on(name, call));
  draw();
  return () => { watched.forEach(([name, call]) => model.off(name, call)); view.close(); };
}

export default { render };
