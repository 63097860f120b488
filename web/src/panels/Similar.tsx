import { batch } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { ApiError, ask, query, runPath, type Trait } from "../api";
import { SaveTable } from "../files/save";
import { clock, num, percent } from "../format";
import { t } from "../i18n";
import { drawn, run, similar, step, stepNumbers, steps, tell } from "../state";
import { issueText, traitOf } from "../told";
import { Empty, Skeleton } from "./Side";

interface After {
  secure: boolean; outages_violating: number; outages_failed: number; max_loading: number | null; worst_contingency: string | null; worst_element: string | null;
  load_change_mw: number; wind_change_mw: number;
}
interface Near {
  key: string; step: number; time: string; distance: number; alike: Trait[]; different: Trait[]; done: Record<string, unknown>[]; after: After | null;
}
interface Answer { searched: number; features: number; runs: number; neighbours: Near[] }

const { where, earlier, every } = similar;

/** What was done at a state: figures of at least one whole unit, and elements that were named. */
function doneWords(done: Record<string, unknown>[]): string {
  const parts = done.flatMap((row) => row.table === "points"
    ? Object.entries(row).filter(([, v]) => typeof v === "number" && Math.abs(v) >= 0.5).map(([name, v]) => figure(name, v as number))
    : [`${t(String(row.kind))} ${row.element_id} ${num(Number(row.amount), 1)} ${row.unit === "currency/MVAh" ? t("per_mwh") : row.unit}`]);
  return parts.length > 4 ? `${parts.slice(0, 4).join(", ")} … +${parts.length - 4}` : parts.join(", ");
}
function figure(name: string, value: number): string {
  const [label = "", unit = ""] = t(name).split(/[,，] ?|(?= M\w+$)/);
  return `${label.trim()} ${num(value)}${unit ? ` ${unit.trim()}` : ""}`;
}
const signed = (v: number) => `${v >= 0 ? "+" : "−"}${num(Math.abs(v))} MW`;
const traits = (list: Trait[]) => list.map(traitOf).map((x) => `${x.name} ${x.value} (${t("asked")} ${x.asked})`);
function next(after: After | null): string {
  if (!after) return "–";
  const state = after.secure ? t("secure") : `${num(after.outages_violating)} ${t("insecure_n")}, ${t("max_is")} ${percent(after.max_loading)}${after.worst_contingency ? `, ${t("worst_short")} ${after.worst_contingency}` : ""}`;
  return `${state}; ${t("load_change")} ${signed(after.load_change_mw)}, ${t("wind_change")} ${signed(after.wind_change_mw)}`;
}

const columns = (found: Answer) => {
  const all = found.neighbours, text = (name: string, of: (n: Near) => string) => ({ name, text: true, values: all.map(of) });
  const real = (name: string, of: (n: Near) => number | null | undefined) => ({ name, text: false, values: all.map((n) => of(n) ?? null) });
  return [
    text("run", (n) => n.key), real("step", (n) => n.step), text("time", (n) => n.time), real("distance", (n) => n.distance),
    text("why_near", (n) => traits(n.alike).join("; ")), text("differs_in", (n) => traits(n.different).join("; ")),
    real("insecure_after", (n) => n.after?.outages_violating), real("max_loading_after", (n) => n.after?.max_loading), text("worst_after", (n) => n.after?.worst_contingency ?? ""),
    real("load_change_mw", (n) => n.after?.load_change_mw), real("wind_change_mw", (n) => n.after?.wind_change_mw), text("done", (n) => doneWords(n.done)),
  ];
};

export function SimilarPanel() {
  const [found, set] = useState<Answer | null>(null), [draft, setDraft] = useState(where.value), [refused, refuse] = useState("");
  const ready = drawn.value && steps.value && stepNumbers.value.includes(step.value);
  useEffect(() => {
    if (!ready) return;
    const stop = new AbortController();
    ask<Answer>(`${runPath(run.value)}/similar${query({ step: step.value, k: 12, where: where.value, later: !earlier.value, every: every.value })}`, { signal: stop.signal }).then(
      (answer) => { set(answer); refuse(""); },
      (error) => { if (error instanceof ApiError && error.status === 400) { set(null); refuse(error.issues.map(issueText).join("\n")); } else tell(error); },
    );
    return () => stop.abort();
  }, [run.value, step.value, where.value, earlier.value, every.value, ready]);
  useEffect(() => setDraft(where.value), [where.value]);
  return (
    <div data-testid="similar">
      <form class="filters" onSubmit={(e) => { e.preventDefault(); where.value = draft.trim(); }}>
        <input class="grow" value={draft} placeholder={t("similar_hint")} aria-label={t("where")} onInput={(e) => setDraft((e.target as HTMLInputElement).value)} data-testid="similar-where" />
        <button class="primary" type="submit">{t("search_similar")}</button>
      </form>
      <div class="filters">
        <Pair value={earlier} off={t("any_time")} on={t("earlier")} name="earlier" />
        <Pair value={every} off={t("this_run")} on={t("all_runs")} name="every" />
      </div>
      <div class="list-head"><span class="muted">{found ? `${num(found.searched)} ${t("searched")} · ${num(found.features)} ${t("features_compared")}` : " "}</span><span class="grow" />
        {found && found.neighbours.length > 0 && <SaveTable name={`${run.value}_similar_${step.value}`} make={() => columns(found)} />}</div>
      {refused ? <p class="error" role="alert">{refused}</p> : !found ? <Skeleton /> : found.neighbours.length === 0 ? <Empty text={t("none_similar")} /> : found.neighbours.map((n) => <Card key={`${n.key}/${n.step}`} n={n} />)}
    </div>
  );
}

function Pair({ value, off, on, name }: { value: { value: boolean }; off: string; on: string; name: string }) {
  return (
    <span class="seg small">
      <button type="button" class={value.value ? "" : "on"} aria-pressed={!value.value} onClick={() => (value.value = false)}>{off}</button>
      <button type="button" class={value.value ? "on" : ""} aria-pressed={value.value} onClick={() => (value.value = true)} data-testid={name}>{on}</button>
    </span>
  );
}

function Card({ n }: { n: Near }) {
  const done = doneWords(n.done), go = () => batch(() => { run.value = n.key; step.value = n.step; });
  return (
    <article class="near">
      <button class="near-head" onClick={go}>
        <b>{clock(n.time.replace(" ", "T"))}</b><span class="muted">{n.time.slice(0, 10)} · {t("step")} {n.step}{n.key !== run.value && ` · ${n.key}`}</span>
        <span class="r">{t("distance")} {num(n.distance, 2)}</span>
      </button>
      <dl>
        <dt>{t("why_near")}</dt><dd>{traits(n.alike).slice(0, 2).map((x) => <span key={x}>{x}</span>)}{n.alike.length === 0 && "–"}</dd>
        <dt>{t("differs_in")}</dt><dd>{traits(n.different).slice(0, 2).map((x) => <span key={x}>{x}</span>)}{n.different.length === 0 && "–"}</dd>
        <dt>{t("next_hour")}</dt><dd>{next(n.after)}</dd>
        <dt>{t("was_done")}</dt><dd>{done || t("no_action")}</dd>
      </dl>
    </article>
  );
}
