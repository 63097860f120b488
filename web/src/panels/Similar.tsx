import { useEffect, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { ask, query, runPath } from "../api";
import { clock, num, percent } from "../format";
import { t } from "../i18n";
import { run, step, stepNumbers, steps, tell } from "../state";
import { Empty, Skeleton } from "./Side";

interface Trait { name: string; words: string }
interface Near {
  step: number; time: string; distance: number; alike: Trait[]; different: Trait[]; done: Record<string, unknown>[];
  after: { secure: boolean; outages_violating: number; max_loading: number | null; worst_contingency: string | null } | null;
}
interface Answer { searched: number; features: number; neighbours: Near[] }

const where = signal("");

/** What was done at a state, in words: figures of at least one whole unit by name, and texts as they are. */
function told(done: Record<string, unknown>[]): string {
  const parts = done.slice(0, 3).flatMap((row) => Object.entries(row).filter(([name]) => name !== "table").map(([name, value]) =>
    typeof value === "number" ? (Math.abs(value) >= 0.5 ? `${t(name)} ${num(value)}` : "") : String(value ?? "")));
  return parts.filter(Boolean).join(", ");
}

export function SimilarPanel() {
  const [found, set] = useState<Answer | null>(null);
  const [draft, setDraft] = useState(where.value);
  const ready = steps.value && stepNumbers.value.includes(step.value);
  useEffect(() => {
    if (!ready) return;
    const stop = new AbortController();
    ask<Answer>(`${runPath(run.value)}/similar${query({ step: step.value, k: 12, where: where.value })}`, { signal: stop.signal }).then(set, tell);
    return () => stop.abort();
  }, [run.value, step.value, where.value, ready]);
  return (
    <div data-testid="similar">
      <form class="filters" onSubmit={(e) => { e.preventDefault(); where.value = draft.trim(); }}>
        <input class="grow" value={draft} placeholder={t("similar_hint")} aria-label={t("where")} onInput={(e) => setDraft((e.target as HTMLInputElement).value)} />
        <button class="primary" type="submit">{t("search_similar")}</button>
      </form>
      <div class="list-head muted">{found ? `${num(found.searched)} ${t("searched")} · ${num(found.features)}` : " "}</div>
      {!found ? <Skeleton /> : found.neighbours.length === 0 ? <Empty text={t("nothing")} /> : found.neighbours.map((n) => (
        <article key={n.step} class="near">
          <button class="near-head" onClick={() => (step.value = n.step)}>
            <b>{clock(n.time.replace(" ", "T"))}</b><span class="muted">{n.time.slice(0, 10)} · {t("step")} {n.step}</span>
            <span class="r">{t("distance")} {num(n.distance, 2)}</span>
          </button>
          <p><span class="muted">{t("why_near")}</span> {n.alike.slice(0, 2).map((x) => x.words).join("; ") || "–"}</p>
          <p><span class="muted">{t("differs_in")}</span> {n.different[0]?.words ?? "–"}</p>
          <p><span class="muted">{t("next_hour")}</span> {n.after ? (n.after.secure ? t("secure") : `${num(n.after.outages_violating)} ${t("insecure_n")}, ${t("max_is")} ${percent(n.after.max_loading)}`) : "–"}</p>
          {told(n.done) && <p><span class="muted">{t("was_done")}</span> {told(n.done)}</p>}
        </article>
      ))}
    </div>
  );
}
