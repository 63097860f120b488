// Saving what the page shows: drawings as SVG or PNG, tables as CSV or Parquet.
import { t } from "../i18n";
import { tell } from "../state";
import { csv, parquet, type FileColumn } from "./parquet";

export function download(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[\\/:*?"<>|\s]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 2000);
}

/** A drawing that stands alone, and its size, px. */
export interface Drawn { svg: string; width: number; height: number }

async function raster({ svg, width, height }: Drawn): Promise<Blob> {
  const image = new Image(), canvas = document.createElement("canvas");
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  [canvas.width, canvas.height] = [2 * width, 2 * height];
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("PNG"))), "image/png"));
}

/** Buttons that save a drawing; `make` is called when one is pressed. */
export function SaveDrawing({ name, make }: { name: string; make: () => Drawn }) {
  const asSvg = () => download(`${name}.svg`, new Blob([make().svg], { type: "image/svg+xml" }));
  const asPng = () => { raster(make()).then((blob) => download(`${name}.png`, blob), tell); };
  return (
    <span class="save" role="group" aria-label={t("download")}>
      <button onClick={asSvg} title={`${name}.svg`} data-testid="save-svg">SVG</button>
      <button onClick={asPng} title={`${name}.png`} data-testid="save-png">PNG</button>
    </span>
  );
}

/** Buttons that save a table; `make` is called when one is pressed. */
export function SaveTable({ name, make }: { name: string; make: () => FileColumn[] | Promise<FileColumn[]> }) {
  const save = (form: "csv" | "parquet") => {
    Promise.resolve(make()).then((columns) => download(`${name}.${form}`, form === "csv"
      ? new Blob([csv(columns)], { type: "text/csv;charset=utf-8" })
      : new Blob([parquet(columns)], { type: "application/vnd.apache.parquet" })), tell);
  };
  return (
    <span class="save" role="group" aria-label={t("download")}>
      <button onClick={() => save("csv")} title={`${name}.csv`} data-testid="save-csv">CSV</button>
      <button onClick={() => save("parquet")} title={`${name}.parquet`} data-testid="save-parquet">Parquet</button>
    </span>
  );
}

const STYLED = ["fill", "stroke", "stroke-width", "font-size", "font-family", "font-weight", "opacity", "stroke-opacity", "stroke-dasharray"];

/** An entry of a drawing's key. */
export interface KeyEntry { label: string; colour: string; dash?: boolean; opacity?: number }

/** A drawing of the page by itself: what the style sheet gives is written into it, with a title above and its key below. */
export function standalone(svg: SVGSVGElement, title: string, key: KeyEntry[] = []): Drawn {
  const width = svg.width.baseVal.value, above = 26, copy = svg.cloneNode(true) as SVGSVGElement;
  const from = svg.querySelectorAll("*"), to = copy.querySelectorAll("*");
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    to[i]!.setAttribute("style", STYLED.map((name) => `${name}:${style.getPropertyValue(name)}`).join(";"));
  });
  const page = getComputedStyle(document.documentElement), colour = (name: string) => page.getPropertyValue(name);
  const inner = new XMLSerializer().serializeToString(copy).replace(/^<svg[^>]*>|<\/svg>$/g, "");
  const top = above + svg.height.baseVal.value, [entries, rows] = keyed(key, width, top + 14, colour("--soft"));
  const height = top + (rows ? 16 * rows + 6 : 0);
  const head = `<text x="12" y="17" fill="${colour("--ink")}" font-size="13" font-weight="600">${escaped(title)}</text>`;
  return { width, height, svg: framed(width, height, `<rect width="100%" height="100%" fill="${colour("--panel")}"/>${head}<g transform="translate(0 ${above})">${inner}</g>${entries}`) };
}

function keyed(key: KeyEntry[], width: number, y: number, ink: string): [string, number] {
  let x = 14, row = 0, out = "";
  for (const { label, colour, dash, opacity } of key) {
    const size = 26 + 6.4 * [...label].reduce((sum, c) => sum + (c > "\u2e80" ? 1.8 : 1), 0);
    if (x > 14 && x + size > width - 8) { x = 14; row++; }
    const at = y + 16 * row;
    out += dash ? `<line x1="${x}" x2="${x + 12}" y1="${at - 4}" y2="${at - 4}" stroke="${colour}" stroke-width="2" stroke-dasharray="4 2"/>` : `<rect x="${x}" y="${at - 8}" width="12" height="8" rx="2" fill="${colour}" opacity="${opacity ?? 1}"/>`;
    out += `<text x="${x + 17}" y="${at}" font-size="11" fill="${ink}">${escaped(label)}</text>`;
    x += size;
  }
  return [out, key.length ? row + 1 : 0];
}

export const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
export const framed = (width: number, height: number, inner: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'Noto Sans CJK SC', sans-serif">${inner}</svg>`;
