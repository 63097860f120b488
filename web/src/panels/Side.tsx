import { t } from "../i18n";
import { side } from "../state";
import { Outages } from "./Outages";
import { ElementPanel } from "./Element";
import { SimilarPanel } from "./Similar";

const TABS = ["outages", "element", "similar"] as const;

export function Side() {
  return (
    <aside class="side">
      <div class="tabs" role="tablist">
        {TABS.map((name) => (
          <button key={name} role="tab" id={`tab-${name}`} aria-selected={side.value === name} aria-controls="side-panel" onClick={() => (side.value = name)}>{t(name)}</button>
        ))}
      </div>
      <div class="side-body" id="side-panel" role="tabpanel" aria-labelledby={`tab-${side.value}`}>
        {side.value === "outages" ? <Outages /> : side.value === "element" ? <ElementPanel /> : <SimilarPanel />}
      </div>
    </aside>
  );
}

export function Empty({ text }: { text: string }) {
  return <div class="empty">{text}</div>;
}

export function Skeleton({ rows = 8 }: { rows?: number }) {
  return <div class="skeleton" aria-busy="true">{Array.from({ length: rows }, (_, i) => <i key={i} style={{ width: `${92 - ((i * 17) % 40)}%` }} />)}</div>;
}
