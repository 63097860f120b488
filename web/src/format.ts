import { lang } from "./state";

const cache = new Map<string, Intl.NumberFormat>();

/** A number with grouping and fixed decimals; a dash where there is none. */
export function num(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const key = `${lang.value}${digits}`;
  let format = cache.get(key);
  if (!format) {
    format = new Intl.NumberFormat(lang.value === "zh" ? "zh-CN" : "en-GB", {
      minimumFractionDigits: digits, maximumFractionDigits: digits,
    });
    cache.set(key, format);
  }
  return format.format(value);
}

export const percent = (share: number | null | undefined, digits = 0) =>
  share === null || share === undefined || !Number.isFinite(share) ? "–" : `${num(100 * share, digits)} %`;

/** Clock time of a step's ISO text. */
export const clock = (iso: string | undefined) => (iso ? iso.slice(11, 16) : "");
export const day = (iso: string | undefined) => (iso ? iso.slice(0, 10) : "");

const UNITS: Record<string, string> = {
  overload: "MVA", overload_short_term: "MVA", voltage_low: "pu", voltage_high: "pu", voltage_step: "pu",
  reactive_limit: "Mvar", islanding: "MW",
};
export const unitOf = (kind: string) => UNITS[kind] ?? "";
export function valueOf(kind: string, value: number): string {
  const unit = unitOf(kind);
  return unit === "pu" ? num(value, 3) : num(value, 0);
}
