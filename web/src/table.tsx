// Every list of the page: sorted by a click on a column's name, and saved as CSV or Parquet in the order shown.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { FileColumn } from "./files/parquet";
import { SaveTable } from "./files/save";
import { num } from "./format";

/** A column: `values` are what it is sorted and saved by, `cell` how a row of it is shown. */
export interface Column {
  key: string; label: string; values: ArrayLike<number | string | null>; text?: boolean; digits?: number; hidden?: boolean; // hidden: saved only
  cell?: (row: number) => ComponentChildren;
}
interface Props {
  columns: Column[]; name: string; testid?: string; title?: ComponentChildren; class?: string; head?: ComponentChildren; foot?: ComponentChildren;
  onPick?: (row: number) => void; chosen?: (row: number) => boolean; whole?: () => Promise<Column[]>;
  rowKey?: (row: number) => number | string; // what a row is of, so that it stays the same row while the list changes under a click
}

const missing = (v: number | string | null | undefined) => v === null || v === undefined || v === "" || v !== v;

/** Rows in the order of a column; those without a value come last. */
export function ordered(values: ArrayLike<number | string | null>, down: boolean): number[] {
  const rows = Array.from({ length: values.length }, (_, i) => i), sign = down ? -1 : 1;
  return rows.sort((i, j) => {
    const a = values[i]!, b = values[j]!;
    if (missing(a) || missing(b)) return Number(missing(a)) - Number(missing(b)) || i - j;
    const by = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return sign * by || i - j;
  });
}

const filed = (columns: Column[], order: number[]): FileColumn[] => columns.map((c) => ({
  name: c.key, text: !!c.text, values: order.map((i) => (missing(c.values[i]) && !(c.text && c.values[i] === "") ? null : c.values[i]!)),
}));

export function List({ columns, name, testid, title, head, foot, onPick, chosen, whole, rowKey = (i) => i, class: more = "" }: Props) {
  const [sort, set] = useState<[string, boolean] | null>(null);
  const rows = columns[0]?.values.length ?? 0, by = columns.find((c) => c.key === sort?.[0]);
  const order = by ? ordered(by.values, sort![1]) : Array.from({ length: rows }, (_, i) => i);
  const next = (c: Column) => {
    const first = !c.text; // numbers begin with the largest, texts with the first
    set(sort?.[0] !== c.key ? [c.key, first] : sort[1] === first ? [c.key, !first] : null);
  };
  const make = async () => {
    if (!whole) return filed(columns, order);
    const all = await whole(), column = all.find((c) => c.key === sort?.[0]);
    return filed(all, column ? ordered(column.values, sort![1]) : Array.from({ length: all[0]?.values.length ?? 0 }, (_, i) => i));
  };
  const shown = columns.filter((c) => !c.hidden);
  return (
    <>
      <div class="list-head">{title}<span class="grow" /><SaveTable name={name} make={make} /></div>
      {head}
      <div class={`scroll ${more}`}>
        <table class="list" data-testid={testid}>
          <thead><tr>{shown.map((c) => (
            <th key={c.key} class={c.text ? "" : "r"} aria-sort={sort?.[0] === c.key ? (sort[1] ? "descending" : "ascending") : "none"}>
              <button onClick={() => next(c)}>{c.label}<i aria-hidden="true">{sort?.[0] === c.key ? (sort[1] ? "↓" : "↑") : ""}</i></button>
            </th>
          ))}</tr></thead>
          <tbody>
            {order.map((i) => (
              <tr key={rowKey(i)} class={chosen?.(i) ? "on" : ""} aria-selected={chosen ? chosen(i) : undefined} tabIndex={onPick ? 0 : undefined}
                onClick={onPick && (() => onPick(i))} onKeyDown={onPick && ((e) => { if (e.key === "Enter" && e.target === e.currentTarget) onPick(i); })}>
                {shown.map((c) => <td key={c.key} class={c.text ? "" : "r"}>{c.cell ? c.cell(i) : c.text ? c.values[i] : num(c.values[i] as number | null, c.digits)}</td>)}
              </tr>
            ))}
          </tbody>
          {foot && <tfoot>{foot}</tfoot>}
        </table>
      </div>
    </>
  );
}
