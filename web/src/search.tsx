import { useMemo, useState } from "preact/hooks";
import { num } from "./format";
import { t } from "./i18n";
import { grid, kind, run, selectElement, selectOutage, view } from "./state";
import { ask, query, runPath, type RawTable, Table } from "./api";
import { mapView } from "./map/Map";

interface Hit { table: string; index: number; label: string; note: string }

export function Search() {
  const [text, setText] = useState(""), [at, setAt] = useState(0), [outages, setOutages] = useState<Hit[]>([]), [open, setOpen] = useState(false);
  const g = grid.value;
  const hits = useMemo<Hit[]>(() => {
    const wanted = text.trim().toLowerCase();
    if (!g || wanted.length < 1) return [];
    const found: Hit[] = [];
    for (const table of ["bus", "branch", "gen"] as const) {
      const ids = g[table].t("id"), names = g[table].t("name");
      for (let i = 0, n = 0; i < ids.length && n < 6; i++) {
        if (ids[i]!.toLowerCase().includes(wanted) || names[i]!.toLowerCase().includes(wanted)) {
          const note = table === "bus" ? `${num(g.bus.f("v_nom_kv")[i])} kV` : ids[i]!;
          found.push({ table, index: i, label: names[i] || ids[i]!, note: `${t(table)} · ${note}` });
          n++;
        }
      }
    }
    const exact = (h: Hit) => Number(!(h.label.toLowerCase() === wanted || h.note.toLowerCase().endsWith(` ${wanted}`)));
    return found.sort((a, b) => exact(a) - exact(b)).slice(0, 12);
  }, [text, g]);
  const all = [...hits, ...outages];
  const type = (value: string) => {
    setText(value);
    setAt(0);
    setOpen(true);
    setOutages([]);
    if (value.trim().length < 2 || kind.value === "plan") return;
    ask<{ table: RawTable }>(`${runPath(run.value)}/outages${query({ text: value.trim(), whole: true, limit: 5 })}`).then((found) => {
      const table = new Table(found.table), c = table.i("contingency"), label = table.t("label"), kind = table.t("outage_kind");
      setOutages(Array.from(c, (index, i) => ({ table: "outage", index, label: label[i]!, note: `${t("outage")} · ${t(kind[i]!)}` })));
    }, () => undefined);
  };
  const choose = (hit: Hit | undefined) => {
    if (!hit) return;
    setOpen(false);
    setText("");
    if (view.value !== "map") view.value = "map";
    if (hit.table === "outage") selectOutage(hit.index);
    else {
      selectElement(hit.table, hit.index);
      setTimeout(() => (hit.table === "gen" ? mapView.value?.goto("bus", g!.gen.i("bus")[hit.index]!) : mapView.value?.goto(hit.table, hit.index)), 30);
    }
    (document.activeElement as HTMLElement | null)?.blur();
  };
  const keys = (e: KeyboardEvent) => {
    if (e.key === "ArrowDown") setAt(Math.min(all.length - 1, at + 1));
    else if (e.key === "ArrowUp") setAt(Math.max(0, at - 1));
    else if (e.key === "Enter") choose(all[at]);
    else if (e.key === "Escape") { setOpen(false); (e.target as HTMLElement).blur(); } else return;
    e.preventDefault();
    e.stopPropagation();
  };
  return (
    <div class="search">
      <input id="search" type="text" list={undefined} role="combobox" aria-expanded={open && all.length > 0} aria-controls="hits" aria-autocomplete="list" aria-activedescendant={all[at] ? `hit-${at}` : undefined}
        placeholder={t("search")} aria-label={t("search")} value={text} onInput={(e) => type((e.target as HTMLInputElement).value)} onKeyDown={keys} onBlur={() => setTimeout(() => setOpen(false), 150)} data-testid="search" />
      <kbd>/</kbd>
      {open && all.length > 0 && (
        <ul id="hits" role="listbox" data-testid="hits">
          {all.map((h, i) => <li key={`${h.table}${h.index}`} id={`hit-${i}`} role="option" aria-selected={i === at} onPointerDown={(e) => { e.preventDefault(); choose(h); }}><b>{h.label}</b><span class="muted">{h.note}</span></li>)}
        </ul>
      )}
    </div>
  );
}
