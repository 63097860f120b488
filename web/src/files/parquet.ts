// A Parquet file of one row group, written in the page: columns of numbers (DOUBLE) and texts (BYTE_ARRAY, UTF-8), each
// optional, plain and uncompressed. Layout: https://parquet.apache.org/docs/file-format; its records are in Thrift's compact
// protocol.

export interface FileColumn { name: string; values: (number | string | null)[]; text: boolean }

const enum Kind { DOUBLE = 5, BYTES = 6 }
const I32 = 5, I64 = 6, BINARY = 8, LIST = 9, STRUCT = 12; // type codes of the compact protocol
const MAGIC = [0x50, 0x41, 0x52, 0x31]; // PAR1

type Field = [id: number, type: number, value: number | string | Field[] | List];
interface List { of: number; items: (number | string | Field[])[] }

class Bytes {
  parts: number[] = [];
  varint(value: number): void {
    while (value >= 128) {
      this.parts.push((value % 128) | 128);
      value = Math.floor(value / 128);
    }
    this.parts.push(value);
  }
  zigzag(value: number): void { this.varint(value >= 0 ? 2 * value : -2 * value - 1); }
  text(value: string): void {
    const coded = new TextEncoder().encode(value);
    this.varint(coded.length);
    for (const b of coded) this.parts.push(b);
  }
  value(type: number, value: Field[2]): void {
    if (type === I32 || type === I64) this.zigzag(value as number);
    else if (type === BINARY) this.text(value as string);
    else if (type === STRUCT) this.struct(value as Field[]);
    else {
      const { of, items } = value as List;
      if (items.length < 15) this.parts.push((items.length << 4) | of);
      else { this.parts.push(0xf0 | of); this.varint(items.length); }
      for (const item of items) this.value(of, item);
    }
  }
  struct(fields: Field[]): void {
    let last = 0;
    for (const [id, type, value] of fields) {
      this.parts.push(((id - last) << 4) | type);
      last = id;
      this.value(type, value);
    }
    this.parts.push(0);
  }
}

/** Values of one column: which are there, one bit a row, then those that are. */
function page(column: FileColumn): Uint8Array {
  const levels = new Bytes(), rows = column.values.length, groups = Math.ceil(rows / 8);
  levels.varint((groups << 1) | 1); // one run of bit-packed levels
  for (let g = 0; g < groups; g++) {
    let bits = 0;
    for (let i = 0; i < 8; i++) if (8 * g + i < rows && column.values[8 * g + i] !== null) bits |= 1 << i;
    levels.parts.push(bits);
  }
  const there = column.values.filter((v) => v !== null), coder = new TextEncoder();
  const texts = column.text ? there.map((v) => coder.encode(String(v))) : [];
  const size = column.text ? texts.reduce((sum, t) => sum + 4 + t.length, 0) : 8 * there.length;
  const out = new Uint8Array(4 + levels.parts.length + size), view = new DataView(out.buffer);
  view.setUint32(0, levels.parts.length, true);
  out.set(levels.parts, 4);
  let at = 4 + levels.parts.length;
  if (column.text) for (const t of texts) { view.setUint32(at, t.length, true); out.set(t, at + 4); at += 4 + t.length; }
  else for (const v of there) { view.setFloat64(at, v as number, true); at += 8; }
  return out;
}

/** The bytes of a file with these columns, all of one length. */
export function parquet(columns: FileColumn[]): Uint8Array<ArrayBuffer> {
  const rows = columns[0]?.values.length ?? 0, blocks: Uint8Array[] = [Uint8Array.from(MAGIC)], chunks: Field[][] = [];
  let at = 4, total = 0;
  for (const column of columns) {
    const data = page(column), head = new Bytes();
    head.struct([[1, I32, 0], [2, I32, data.length], [3, I32, data.length], [5, STRUCT, [[1, I32, rows], [2, I32, 0], [3, I32, 3], [4, I32, 3]]]]);
    const size = head.parts.length + data.length;
    chunks.push([[2, I64, at], [3, STRUCT, [
      [1, I32, column.text ? Kind.BYTES : Kind.DOUBLE], [2, LIST, { of: I32, items: [0, 3] }], [3, LIST, { of: BINARY, items: [column.name] }],
      [4, I32, 0], [5, I64, rows], [6, I64, size], [7, I64, size], [9, I64, at],
    ]]]);
    blocks.push(Uint8Array.from(head.parts), data);
    at += size;
    total += size;
  }
  const schema: Field[][] = [[[4, BINARY, "table"], [5, I32, columns.length]], ...columns.map((c): Field[] => [
    [1, I32, c.text ? Kind.BYTES : Kind.DOUBLE], [3, I32, 1], [4, BINARY, c.name], ...(c.text ? [[6, I32, 0] as Field] : []),
  ])];
  const foot = new Bytes();
  foot.struct([
    [1, I32, 1], [2, LIST, { of: STRUCT, items: schema }], [3, I64, rows],
    [4, LIST, { of: STRUCT, items: [[[1, LIST, { of: STRUCT, items: chunks }], [2, I64, total], [3, I64, rows]]] }], [6, BINARY, "aurigrid"],
  ]);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, foot.parts.length, true);
  blocks.push(Uint8Array.from(foot.parts), length, Uint8Array.from(MAGIC));
  const out = new Uint8Array(blocks.reduce((sum, b) => sum + b.length, 0));
  let place = 0;
  for (const b of blocks) { out.set(b, place); place += b.length; }
  return out;
}

/** The same as text, quoted where RFC 4180 asks for it. */
export function csv(columns: FileColumn[]): string {
  const quoted = (v: number | string | null) => (v === null ? "" : /[",\r\n]/.test(String(v)) ? `"${String(v).replaceAll('"', '""')}"` : String(v));
  const rows = columns[0]?.values.length ?? 0;
  const lines = [columns.map((c) => quoted(c.name)).join(",")];
  for (let i = 0; i < rows; i++) lines.push(columns.map((c) => quoted(c.values[i] ?? null)).join(","));
  return `${lines.join("\r\n")}\r\n`;
}
