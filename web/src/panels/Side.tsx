import { useEffect, useState } from "preact/hooks";
import { loadLimits, type Table } from "../api";
import { t } from "../i18n";
import { kind, run, side, step, stepNumbers, steps, tell } from "../state";
import { Outages } from "./Outages";
import { ElementPanel } from "./Element";
import { LimitList } from "./Schedule";
import { SimilarPanel } from "./Similar";

export function Side() {
  const plan = kind.value === "plan", tabs = kind.value !== "day" ? (["outages", "element"] as const) : (["outages", "element", "similar"] as const);
  return (
    <aside class="side">
      <div class="tabs" role="tablist">
        {tabs.map((name) => (
          <button key={name} role="tab" id={`tab-${name}`} aria-selected={side.value === name} aria-controls="side-panel" tabIndex={side.value === name ? 0 : -1}
            onClick={() => (side.value = name)} onKeyDown={(e) => turn(e, tabs)}>{t(plan && name === "outages" ? "limits" : name)}</button>
        ))}
      </div>
      <div class="side-body" id="side-panel" role="tabpanel" aria-labelledby={`tab-${side.value}`}>
        {side.value === "element" ? <ElementPanel /> : plan ? <Bound /> : side.value === "outages" || kind.value !== "day" ? <Outages /> : <SimilarPanel />}
      </div>
    </aside>
  );
}

/** Arrow keys go from tab to tab, as tabs do. */
function turn(e: KeyboardEvent, tabs: readonly (typeof side.value)[]): void {
  const by = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
  if (!by) return;
  side.value = tabs[(tabs.indexOf(side.value) + by + tabs.length) % tabs.length]!;
  document.getElementById(`tab-${side.value}`)?.focus();
  e.preventDefault();
}

/** Flow limits of a plan that cost something at the present step. */
function Bound() {
  const [found, set] = useState<Table | null>(null);
  const ready = stepNumbers.value.includes(step.value);
  useEffect(() => {
    if (!ready) return;
    const stop = new AbortController();
    loadLimits(run.value, step.value, stop.signal).then(set, tell);
    return () => stop.abort();
  }, [run.value, step.value, steps.value, ready]);
  return found ? <LimitList found={found} now /> : <Skeleton />;
}

export function Empty({ text }: { text: string }) {
  return <div class="empty">{text}</div>;
}

export function Skeleton({ rows = 8 }: { rows?: number }) {
  return <div class="skeleton" aria-busy="true">{Array.from({ length: rows }, (_, i) => <i key={i} style={{ width: `${92 - ((i * 17) % 40)}%` }} />)}</div>;
}
