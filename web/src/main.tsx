import { render } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { effect, signal } from "@preact/signals";
import { t } from "./i18n";
import { ask } from "./api";
import {
  base, begin, connected, details, fault, grid, lang, mode, opened, outage, playing, refused, row, run, runs, seek, selectElement, selectOutage, side, steps, theme, view, type View,
} from "./state";
import { followOutages, MapPane } from "./map/Map";
import { Data } from "./panels/Data";
import { Schedule } from "./panels/Schedule";
import { Side } from "./panels/Side";
import { Studies } from "./panels/Studies";
import { Search } from "./search";
import { Timeline } from "./timeline";
import "./style.css";

const VIEWS: View[] = ["map", "schedule", "data", "studies"];
const help = signal(false);

function Top() {
  const list = runs.value ?? [];
  return (
    <header class="top">
      <div class="brand"><svg width="18" height="18" viewBox="0 0 16 16" aria-hidden="true"><path d="M2 13 8 3l6 10M4.4 9h7.2" fill="none" stroke="currentColor" stroke-width="1.6" /><circle cx="8" cy="3" r="2" fill="var(--accent)" /></svg>Aurigrid</div>
      <label class="run"><span class="vh">{t("run")}</span>
        <select value={run.value} onChange={(e) => (run.value = (e.target as HTMLSelectElement).value)} data-testid="run">
          {list.map((r) => <option key={r.key} value={r.key}>{r.key}{r.status === "running" ? ` (${r.steps}/${r.n_steps})` : ""}</option>)}
        </select>
      </label>
      <nav class="views" aria-label={t("views")}>
        {VIEWS.map((v, i) => <button key={v} class={view.value === v ? "on" : ""} aria-current={view.value === v ? "page" : undefined} title={String(i + 1)} onClick={() => (view.value = v)} data-testid={`view-${v}`}>{t(v)}</button>)}
      </nav>
      <Search />
      <div class="top-end">
        <button onClick={() => (lang.value = lang.value === "en" ? "zh" : "en")} data-testid="lang" lang={lang.value === "en" ? "zh-CN" : "en"}>{lang.value === "en" ? "中文" : "English"}</button>
        <button onClick={() => (theme.value = theme.value === "dark" ? "light" : "dark")} data-testid="theme" aria-label={t("theme")}>{theme.value === "dark" ? t("light") : t("dark")}</button>
        <button onClick={() => (help.value = !help.value)} aria-label={t("help")} aria-expanded={help.value}>?</button>
      </div>
    </header>
  );
}

const KEYS: [string, string][] = [
  [",  .", "k_step"], ["␣", "k_play"], ["/", "k_search"], ["1 – 4", "k_views"], ["← → ↑ ↓  + − 0", "k_map"], ["⏎", "k_select"], ["o  e  s", "k_side"], ["n  m  c", "k_mode"], ["Esc", "k_clear"], ["t  l", "k_theme"],
];

function Help() {
  if (!help.value) return null;
  return (
    <div class="help" role="dialog" aria-label={t("keys")}>
      <h2>{t("keys")}</h2>
      <dl>{KEYS.map(([k, what]) => <div key={k}><dt><kbd>{k}</kbd></dt><dd>{t(what)}</dd></div>)}</dl>
      <button onClick={() => (help.value = false)}>{t("close")}</button>
    </div>
  );
}

/** A tab of the side panel, on the view that has it. */
function show(tab: "outages" | "element" | "similar"): void {
  view.value = "map";
  side.value = tab;
}

function keys(e: KeyboardEvent): void {
  const tag = (e.target as HTMLElement).tagName;
  if (e.key === "Escape") {
    if (help.value) help.value = false;
    else if (outage.value >= 0) selectOutage(-1);
    else selectElement("", -1);
    return;
  }
  if (e.ctrlKey || e.metaKey || e.altKey || tag === "TEXTAREA" || tag === "SELECT") return;
  if (tag === "INPUT" && (e.target as HTMLInputElement).type !== "range") return;
  const actions: Record<string, () => void> = {
    ",": () => seek(row.value - 1), ".": () => seek(row.value + 1), "/": () => document.getElementById("search")?.focus(),
    n: () => (mode.value = "n"), m: () => outage.value >= 0 && (mode.value = "n1"), c: () => outage.value >= 0 && (mode.value = "change"),
    o: () => show("outages"), e: () => show("element"), s: () => show("similar"),
    t: () => (theme.value = theme.value === "dark" ? "light" : "dark"), l: () => (lang.value = lang.value === "en" ? "zh" : "en"), "?": () => (help.value = !help.value),
  };
  if (e.key === " " && tag !== "BUTTON" && (e.target as HTMLElement).getAttribute("role") !== "button") actions[" "] = () => (playing.value = !playing.value);
  const index = Number(e.key) - 1;
  if (index >= 0 && index < 4 && (e.target as HTMLElement).className !== "map-host") actions[e.key] = () => (view.value = VIEWS[index]!);
  const action = actions[e.key];
  if (action) { e.preventDefault(); action(); }
}

function App() {
  useLayoutEffect(() => {
    addEventListener("keydown", keys);
    followOutages();
    void begin();
    return () => removeEventListener("keydown", keys);
  }, []);
  if (refused.value) return <Gate />;
  const none = runs.value?.length === 0;
  const empty = steps.value !== null && steps.value.table.rows === 0;
  return (
    <div class={`app at-${view.value}`}>
      <Top />
      {!connected.value && <div class="banner" role="status">{t("offline")}</div>}
      {fault.value && <div class="banner bad" role="alert"><span>{fault.value}</span><button onClick={() => (fault.value = "")} aria-label={t("close")}>✕</button></div>}
      {view.value === "studies" ? <Studies /> : none ? <None /> : view.value === "map" ? (
        <div class="work">
          <div class="map-wrap">
            <MapPane />
            {!grid.value && !fault.value && <div class="cover" aria-busy="true"><i class="spin" /></div>}
            {empty && <div class="cover"><p>{t("no_steps")}</p></div>}
          </div>
          <Side />
        </div>
      ) : view.value === "schedule" ? <Schedule /> : run.value ? <Data /> : <main class="page" />}
      {view.value !== "studies" && !none && <Timeline />}
      <Help />
    </div>
  );
}

function None() {
  return <main class="page gate"><h1>{t("no_runs")}</h1><p>{t("no_runs_hint")}</p><button class="primary" onClick={() => (view.value = "studies")}>{t("start_study")}</button></main>;
}

function Gate() {
  return <main class="page gate"><h1>{t("no_session")}</h1><p>{t("no_session_hint")}</p><button aria-label={t("retry")} title={t("retry")} onClick={() => { refused.value = ""; void ask("session").then(() => location.reload(), () => (refused.value = "session")); }}>↻</button></main>;
}

// Kept where a tool or a test can ask how far the page is.
effect(() => {
  document.documentElement.dataset.ready = details.value && base.value ? "all" : grid.value && base.value ? "map" : "";
});

// The first answer is a matter of milliseconds where it was kept: with it the page is laid out and painted once. A slower one is
// waited for with what is shown while data load.
const PATIENCE = 200; // ms
const draw = () => render(<App />, document.getElementById("app")!);
void Promise.race([opened, new Promise((done) => setTimeout(done, PATIENCE))]).then(draw, draw);
