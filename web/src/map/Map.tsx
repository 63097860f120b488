import { useLayoutEffect, useRef } from "preact/hooks";
import { computed, signal } from "@preact/signals";
import { num, percent } from "../format";
import { t } from "../i18n";
import {
  after, afterBusy, base, camera, colourBy, drawn, element, grid, kind, mode, outage, prices, row, run, selectElement, shown, step, stepNumbers, steps, tell, theme,
} from "../state";
import { loadOutage, type Outage } from "../api";
import { escaped, framed, SaveDrawing, type Drawn } from "../files/save";
import { effect } from "@preact/signals";
import { CHANGE, HALO, LEVELS, LOADING, VOLTAGE } from "./palette";
import { drawing } from "./geometry";
import { MapView, type Pick } from "./view";

/** Buses by voltage level; else by their value. What a plan has to show at its buses are prices. */
const byLevel = computed(() => (colourBy.value || (kind.value === "plan" ? "value" : "level")) === "level");
export const mapView = signal<MapView | null>(null);

/** Limits broken in the base state and, with an outage chosen, after it. */
export const brokenBefore = signal<Outage | null>(null);
export const chosenOutage = signal<Outage | null>(null);

export function followOutages(): void {
  effect(() => {
    const [name, at, table] = [run.value, step.value, steps.value];
    if (!name || !table || !drawn.value || kind.value === "plan" || !stepNumbers.value.includes(at)) { brokenBefore.value = null; return; }
    const stop = new AbortController();
    loadOutage(name, -1, at, stop.signal).then((found) => { brokenBefore.value = found; }, tell);
    return () => stop.abort();
  });
  effect(() => {
    const [name, at, lost, table] = [run.value, step.value, outage.value, steps.value];
    if (lost < 0 || !table || !stepNumbers.value.includes(at)) { chosenOutage.value = null; return; }
    const stop = new AbortController();
    loadOutage(name, lost, at, stop.signal).then((found) => { chosenOutage.value = found; }, tell);
    return () => stop.abort();
  });
}

const broken = computed(() => {
  const branch = new Set<number>(), bus = new Set<number>();
  const g = grid.value, state = shown.value;
  if (state?.branch.has("price_per_mw")) { // of a plan: the limits that cost something
    state.branch.f("price_per_mw").forEach((v, k) => { if (v > 1e-6) branch.add(k); });
    return { branch, bus };
  }
  const later = outage.value >= 0 && mode.value !== "n";
  const lists = [later ? null : brokenBefore.value, later ? chosenOutage.value : null];
  if (g && state && later && mode.value === "n1") {
    // After an outage a limit broken before counts only where it still is: the loading tells. The change shows what is new or worse.
    const loading = state.branch.f("loading");
    for (let k = 0; k < loading.length; k++) if (loading[k]! > 1.0005) branch.add(k);
  }
  for (const list of lists) {
    if (!list) continue;
    const table = list.violations.t("element_table"), at = list.violations.i("element"), kind = list.violations.t("kind");
    for (let i = 0; i < at.length; i++) {
      if (kind[i] === "reactive_limit") continue;
      if (table[i] === "branch") branch.add(at[i]!);
      else if (table[i] === "bus") bus.add(at[i]!);
    }
  }
  return { branch, bus };
});

const wentOut = computed(() => {
  const state = mode.value !== "n" ? after.value : null, out = new Set<number>();
  if (state?.branch.has("out")) state.branch.i("out").forEach((v, k) => { if (v) out.add(k); });
  return out;
});

/** Where the elements stand that the chosen outage takes away. */
const lost = computed(() => {
  const g = grid.value, found: (Pick & { label: string })[] = [];
  if (!g || outage.value < 0) return found;
  for (const element of chosenOutage.value?.elements ?? []) {
    const [table = "", ...rest] = element.split(":"), id = rest.join(":");
    const rows = table === "branch" || table === "bus" || table === "gen" || table === "load" ? g[table] : null, index = rows?.t("id").indexOf(id) ?? -1;
    if (rows && index >= 0) found.push(table === "branch" ? { table, index, label: id } : { table: "bus", index: table === "bus" ? index : rows.i("bus")[index]!, label: id });
  }
  return found;
});

/** Bring what the chosen outage takes away into view. */
export function showLost(): void {
  const first = lost.value[0];
  if (first) mapView.value?.goto(first.table, first.index);
}

let lookedAt = ""; // name of the grid that the view was last on: runs of one grid are seen from the same place
const broke = signal("");
const hover = signal<{ pick: Pick; x: number; y: number } | null>(null);
const bar = signal<[number, number]>([0, 0]);

export function MapPane() {
  const host = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => { // at once: graphics are set up while the first answer is on its way
    let view: MapView;
    try {
      view = new MapView(host.current!);
    } catch (error) {
      console.error(error);
      broke.value = String(error);
      return;
    }
    mapView.value = view;
    (window as any).aurigrid = { measure: (n: number, pause?: number) => view.measure(n, pause), view };
    view.onpick = (pick) => (pick ? selectElement(pick.table, pick.index) : selectElement("", -1));
    view.onhover = (pick, x, y) => { hover.value = pick ? { pick, x, y } : null; };
    view.covered = [[-60, 0, 60, 150], [0, -LEGEND_TALL, 240, LEGEND_TALL]]; // the tools, the legend
    let moved = 0, seen: object | null = null;
    view.onmove = () => {
      bar.value = view.bar();
      clearTimeout(moved);
      moved = window.setTimeout(() => { camera.value = view.look; }, 250); // the address follows when the view is still
    };
    const stopLook = effect(() => { if (grid.value && grid.value === seen && camera.value !== view.look) view.look = camera.value; });
    const stop = effect(() => {
      if (!grid.value) return;
      const fresh = seen !== grid.value, other = lookedAt && lookedAt !== grid.value.name, wanted = other ? "" : camera.peek();
      [seen, lookedAt] = [grid.value, grid.value.name];
      view.show({
        grid: grid.value, state: shown.value ?? base.value, before: base.value,
        change: mode.value === "change" && outage.value >= 0 && !!after.value,
        theme: theme.value, byLevel: byLevel.value, brokenBranch: broken.value.branch, brokenBus: broken.value.bus,
        selected: element.value, wentOut: wentOut.value, prices: prices.value, lost: lost.value,
      });
      if (fresh) view.look = wanted;
      bar.value = view.bar();
    });
    return () => { stop(); stopLook(); clearTimeout(moved); view.close(); mapView.value = null; };
  }, []);
  const keys = (e: KeyboardEvent) => {
    const view = mapView.value;
    if (!view) return;
    const moves: Record<string, () => void> = {
      ArrowLeft: () => view.pan(60, 0), ArrowRight: () => view.pan(-60, 0), ArrowUp: () => view.pan(0, 60),
      ArrowDown: () => view.pan(0, -60), "+": () => view.zoom(1.4), "=": () => view.zoom(1.4), "-": () => view.zoom(1 / 1.4),
      "0": () => view.fit(),
      Enter: () => { const found = view.central(); if (found) selectElement(found.table, found.index); },
    };
    const action = moves[e.key];
    if (action) { e.preventDefault(); e.stopPropagation(); action(); }
  };
  return (
    <div class="map" aria-busy={afterBusy.value}>
      <div ref={host} class="map-host" tabIndex={0} role="application" aria-label={t("map")} onKeyDown={keys} data-testid="map" />
      <Modes />
      <i class="aim" aria-hidden="true" />
      <div class="map-tools" role="toolbar" aria-label={t("map")}>
        <button onClick={() => mapView.value?.zoom(1.5)} aria-label={t("zoom_in")} title="+">+</button>
        <button onClick={() => mapView.value?.zoom(1 / 1.5)} aria-label={t("zoom_out")} title="−">−</button>
        <button onClick={() => mapView.value?.fit()} title="0">{t("fit")}</button>
        <SaveDrawing name={`${run.value}_map_${step.value}`} make={picture} />
      </div>
      {broke.value && <div class="cover"><p class="error">{broke.value}</p></div>}
      <Legend />
      <Tip />
    </div>
  );
}

function Modes() {
  if (outage.value < 0) return null;
  return (
    <div class="map-modes" role="group" aria-label={t("outage")}>
      {(["n", "n1", "change"] as const).map((m) => (
        <button key={m} class={mode.value === m ? "on" : ""} aria-pressed={mode.value === m} onClick={() => (mode.value = m)}>
          {t(`mode_${m}`)}
        </button>
      ))}
      <span class="map-what">{afterBusy.value ? t("solving") : chosenOutage.value?.label}</span>
    </div>
  );
}

function Legend() {
  const g = grid.value;
  if (!g) return null;
  const now = theme.value, change = mode.value === "change" && outage.value >= 0;
  const colours = (change ? CHANGE : LOADING)[now];
  const marks = rampMarks(change);
  return (
    <div class="legend" data-testid="legend">
      {kind.value !== "plan" && (
        <>
          <div class="legend-title">{change ? t("change") : t("loading")}</div>
          <div class="ramp" style={{ background: `linear-gradient(90deg, ${colours.join(",")})` }} />
          <div class="marks">{marks.map((m, i) => <span key={i}>{m}</span>)}</div>
        </>
      )}
      <div class="legend-row">
        <span class="legend-title">{t("colour_by")}</span>
        <span class="seg small">
          <button class={byLevel.value ? "on" : ""} aria-pressed={byLevel.value} onClick={() => (colourBy.value = "level")}>{t("by_kv")}</button>
          <button class={byLevel.value ? "" : "on"} aria-pressed={!byLevel.value} onClick={() => (colourBy.value = "value")} data-testid="by-value">{t(prices.value ? "by_price" : "by_pu")}</button>
        </span>
      </div>
      <div class="legend-row keys">
        {busMarks(g).map(([colour, label]) => <span key={label}><i class="dot" style={{ background: colour }} />{label}</span>)}
      </div>
      <div class="legend-row keys">
        <span><i class="halo" style={{ background: HALO[now] }} />{t(kind.value === "plan" ? "halo_plan" : "halo")}</span>
        <span><i class="dash" />{t("out")}</span>
      </div>
      <div class="legend-row foot">
        {g.geographic
          ? <><span class="bar" style={{ width: `${bar.value[1]}px` }} /><span>{num(bar.value[0], bar.value[0] < 1 ? 1 : 0)} km</span><span class="north" title={t("north")}>N<b aria-hidden="true">↑</b></span></>
          : <span>{t("layout")}</span>}
      </div>
      {kind.value === "points" && base.value && !base.value.bus.has("v_mag") && <p class="muted">{t("no_states")}</p>}
    </div>
  );
}

/** The map with title and legend, as a drawing. */
function picture(): Drawn {
  const view = mapView.value!, { width, height, svg } = view.picture(), g = grid.value!, now = theme.value;
  const style = getComputedStyle(document.documentElement), ink = style.getPropertyValue("--ink"), soft = style.getPropertyValue("--soft"), panel = style.getPropertyValue("--panel");
  const change = mode.value === "change" && outage.value >= 0, plan = kind.value === "plan", out: string[] = [];
  const text = (x: number, y: number, words: string, more = "") => `<text x="${x}" y="${y}" font-size="11" fill="${soft}" ${more}>${escaped(words)}</text>`;
  let y = 16;
  if (!plan) {
    const colours = (change ? CHANGE : LOADING)[now];
    out.push(text(10, y, t(change ? "change" : "loading")), `<defs><linearGradient id="ramp">${colours.map((c, i) => `<stop offset="${i / (colours.length - 1)}" stop-color="${c}"/>`).join("")}</linearGradient></defs><rect x="10" y="${y + 6}" width="204" height="7" fill="url(#ramp)"/>`);
    rampMarks(change).forEach((m, i, all) => out.push(text(10 + (204 * i) / (all.length - 1), y + 25, m, `text-anchor="${i === 0 ? "start" : i === all.length - 1 ? "end" : "middle"}"`)));
    y += 42;
  }
  busMarks(g).forEach(([colour, label], i) => out.push(`<circle cx="${15 + 104 * (i % 2)}" cy="${y - 4 + 16 * (i >> 1)}" r="4.5" fill="${colour}"/>`, text(24 + 104 * (i % 2), y + 16 * (i >> 1), label)));
  y += 16 * Math.ceil(busMarks(g).length / 2) + 4;
  out.push(`<rect x="10" y="${y - 9}" width="18" height="9" rx="4.5" fill="${HALO[now]}" opacity="0.5"/>`, text(34, y, t(plan ? "halo_plan" : "halo")));
  out.push(`<path d="M114 ${y - 4}h18" stroke="${soft}" stroke-width="2" stroke-dasharray="4 3"/>`, text(138, y, t("out")));
  y += 18;
  if (g.geographic) {
    const [km, px] = view.bar();
    out.push(`<path d="M10 ${y - 8}v6h${px}v-6" fill="none" stroke="${soft}"/>`, text(16 + px, y, `${num(km, km < 1 ? 1 : 0)} km`), text(214, y, "N ↑", 'text-anchor="end"'));
  } else out.push(text(10, y, t("layout")));
  y += 10;
  const when = steps.value?.table.t("time")[row.value]?.replace("T", " ").slice(0, 16) ?? "";
  const what = outage.value >= 0 ? ` · ${t("outage")} ${chosenOutage.value?.label ?? ""} · ${t(`mode_${mode.value}`)}` : "";
  const title = `<text x="12" y="40" font-size="14" font-weight="600" fill="${ink}" stroke="${panel}" stroke-width="4" paint-order="stroke">${escaped(`${run.value} · ${when || `${t("step")} ${step.value}`}${what}`)}</text>`;
  const legend = `<g transform="translate(10 ${height - y - 10})"><rect width="226" height="${y}" rx="5" fill="${panel}" opacity="0.92"/>${out.join("")}</g>`;
  return { width, height, svg: framed(width, height, `<g fill="none" stroke="none">${svg}</g>${title}${legend}`) };
}

const LEGEND_TALL = 172; // px from below
const rampMarks = (change: boolean) => (change ? ["−30", "−10", "", "", "+10", "+30 %"] : ["0", "30", "60", "80", "100", "130 %"]);

/** Colours of buses with what they mean. */
function busMarks(g: NonNullable<typeof grid.value>): [string, string][] {
  const now = theme.value;
  if (byLevel.value) {
    const kv = drawing_kv(g);
    return LEVELS[now].slice(0, kv.length).map((c, i) => [c, i === 5 && kv.length > 6 ? `≤ ${num(kv[5])} kV` : `${num(kv[i])} kV`]);
  }
  const marks = prices.value ? priceMarks(prices.value) : [["< 1 pu", 0], ["1 pu", 1], ["> 1 pu", 2]] as [string, number][];
  return marks.map(([label, i]) => [VOLTAGE[now][i]!, label]);
}

const priceMarks = ([mid, span]: [number, number]): [string, number][] => [[num(mid - span, 1), 0], [num(mid, 1), 1], [`${num(mid + span, 1)} ${t("per_mwh")}`, 2]];

const levels = new WeakMap<object, number[]>();
function drawing_kv(g: NonNullable<typeof grid.value>): number[] {
  let found = levels.get(g);
  if (!found) levels.set(g, (found = drawing(g).kv));
  return found;
}

function Tip() {
  const at = hover.value, g = grid.value, state = shown.value ?? base.value;
  if (!at || !g) return null;
  const { table, index } = at.pick;
  const left = Math.max(4, at.x + 14), top = Math.max(4, at.y + 14);
  return (
    <div class="tip" style={{ transform: `translate(${left}px, ${top}px)` }}>
      {table === "branch" ? (
        <>
          <b>{g.branch.t("name")[index] || g.branch.t("id")[index]}</b> <span class="muted">{g.branch.t("id")[index]}</span>
          {state?.branch.has("loading")
            ? <div>{t("loading")} {percent(state.branch.f("loading")[index])} · {num(Math.abs(state.branch.f("p_from_mw")[index] ?? NaN))} MW</div>
            : <div>{t("saves")} {num(state?.branch.f("price_per_mw")[index], 1)}</div>}
        </>
      ) : (
        <>
          <b>{g.bus.t("name")[index] || g.bus.t("id")[index]}</b> <span class="muted">{num(g.bus.f("v_nom_kv")[index])} kV</span>
          {state?.bus.has("v_mag") ? <div>{t("voltage")} {num(state.bus.f("v_mag")[index], 3)} pu</div> : <div>{t("price")} {num(state?.bus.f("price_per_mwh")[index], 2)}</div>}
        </>
      )}
    </div>
  );
}
