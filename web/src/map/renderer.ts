// The grid in WebGL2: one draw a layer, for lines, arrows and buses. What changes with a step is one float and one byte a
// branch and a bus; what changes with the view is three uniforms. So a frame costs the script next to nothing, at ten
// thousand buses as at ten. Branches stand in textures that the vertex shader reads by number: instances would do as well on a
// graphics unit, but drawing in software, as in a virtual machine, takes some 20 us for each of them.

export interface Camera { x: number; y: number; scale: number } // map units at the centre; pixels a map unit
export type Rgb = [number, number, number];

/** Marks of a branch or bus; the last two say where a branch's power goes. */
export const HALO = 1, SELECTED = 2, OUT = 4, DEAD = 8, FORWARD = 16, BACKWARD = 32;

export interface Palette { ramp: Rgb[]; stops: number[]; halo: Rgb; selected: Rgb; out: Rgb; ring: Rgb; bus: Rgb[] }
type Values = Float32Array | Uint8Array;
const WIDE = 1024; // branches in a row of a texture
const ARROW_FROM = 30; // px of a branch that has an arrow
export const LEAST_BUS = 0.5; // share of its size that a bus keeps far away, where its colour is still told

const COMMON = `#version 300 es
precision highp float; precision highp int;
uniform vec2 uView, uCentre; uniform float uScale, uRatio, uSize;
vec2 place(vec2 p) { return (p - uCentre) * uScale; }
vec4 clip(vec2 px) { return vec4(px * 2.0 / uView, 0.0, 1.0); }
`;
const RAMP = `
uniform vec3 uRamp[6]; uniform float uStops[6];
vec3 ramp(float v) {
  vec3 c = uRamp[0];
  for (int i = 1; i < 6; i++) c = mix(c, uRamp[i], clamp((v - uStops[i-1]) / (uStops[i] - uStops[i-1]), 0.0, 1.0));
  return c;
}
`;
const BRANCH = `
precision highp sampler2D; precision highp usampler2D;
uniform sampler2D uEnds, uShape, uLoading; uniform usampler2D uMark;
ivec2 cell(int k) { return ivec2(k % ${WIDE}, k / ${WIDE}); }
`;
// Edges are smoothed here and not by multisampling, which costs a renderer in software two fifths of a frame: each shape is
// drawn half a pixel larger, and its alpha falls over the pixel around its edge. A line thinner than a pixel is drawn as wide as
// one and paler.
const EDGE = `float edge(float past) { return clamp(0.5 - past, 0.0, 1.0); }`;
const LINE_VS = `${COMMON}${BRANCH}
uniform int uPass; out float vAlong, vAcross, vValue; flat out int vFlag; flat out float vLength, vHalf, vFaint;
void main() {
  ivec2 at = cell(gl_VertexID / 6); int k = gl_VertexID % 6, flag = int(texelFetch(uMark, at, 0).r);
  if (uPass == 0 && (flag & 3) == 0) { gl_Position = vec4(2.0, 2.0, 0.0, 1.0); return; }
  vec4 ends = texelFetch(uEnds, at, 0); vec2 shape = texelFetch(uShape, at, 0).rg; float value = texelFetch(uLoading, at, 0).r;
  vec2 a = place(ends.xy), b = place(ends.zw), d = b - a; float l = length(d);
  vec2 u = l > 0.001 ? d / l : vec2(1.0, 0.0), n = vec2(-u.y, u.x);
  float w = shape.y * uSize * (value > 0.8 ? 1.0 + 0.5 * min(value - 0.8, 0.8) : 1.0);
  if (uPass == 0) w += ((flag & 1) != 0 ? 9.0 : 5.0) * uRatio;
  float side = (k == 0 || k == 1 || k == 4) ? -1.0 : 1.0, end = (k == 0 || k == 2 || k == 3) ? -1.0 : 1.0;
  float fan = shape.x * min(3.2 * uRatio, l * 0.06), longer = uPass == 0 ? w * 0.3 : 0.0;
  vHalf = max(w, 1.0) * 0.5; vFaint = min(w, 1.0); vLength = l + 2.0 * longer;
  vAcross = side * (vHalf + 0.5); vAlong = end * (0.5 * vLength + 0.5); vValue = value; vFlag = flag;
  gl_Position = w <= 0.0 ? vec4(2.0, 2.0, 0.0, 1.0) : clip((a + b) * 0.5 + n * (fan + vAcross) + u * vAlong);
}`;
const LINE_FS = `#version 300 es
precision highp float; precision highp int;
uniform int uPass; uniform float uRatio; uniform vec3 uHalo, uSelected, uOut; in float vAlong, vAcross, vValue; flat in int vFlag; flat in float vLength, vHalf, vFaint; out vec4 o;
${RAMP}${EDGE}
void main() {
  float cover = vFaint * edge(abs(vAcross) - vHalf) * edge(abs(vAlong) - 0.5 * vLength);
  if (uPass == 0) { o = ((vFlag & 2) != 0 ? vec4(uSelected, 0.95) : vec4(uHalo, 0.34)) * vec4(1.0, 1.0, 1.0, cover); o.rgb *= o.a; return; }
  bool gone = (vFlag & 12) != 0 || !(vValue == vValue);
  if (gone) cover *= edge((abs(mod(vAlong / uRatio, 8.0) - 4.0) - 2.0) * uRatio);
  o = (gone ? vec4(uOut, 0.9) : vec4(ramp(vValue), 0.96)) * vec4(1.0, 1.0, 1.0, cover); o.rgb *= o.a;
}`;
const ARROW_VS = `${COMMON}${BRANCH}
out float vValue; out vec2 vPlace; flat out float vSize;
void main() {
  ivec2 at = cell(gl_VertexID / 3); int k = gl_VertexID % 3, flag = int(texelFetch(uMark, at, 0).r);
  vec4 ends = texelFetch(uEnds, at, 0); vec2 a = place(ends.xy), b = place(ends.zw), d = b - a; float l = length(d);
  gl_Position = vec4(2.0, 2.0, 0.0, 1.0); vValue = texelFetch(uLoading, at, 0).r;
  if (l <= ${ARROW_FROM}.0 * uRatio || (flag & 48) == 0 || (flag & 12) != 0 || !(vValue == vValue)) return;
  vec2 shape = texelFetch(uShape, at, 0).rg, u = d / l, n = vec2(-u.y, u.x);
  float s = (2.2 + shape.y * 0.9 * uSize) * uRatio, fan = shape.x * min(3.2 * uRatio, l * 0.06);
  vec2 m = (a + b) * 0.5 + n * fan; if ((flag & 32) != 0) u = -u;
  vSize = s; // of the sides from tip to foot, the normal is (0.375, 0.927): half a pixel out, the tip moves 1.33, a foot (0.5, 0.74)
  vPlace = k == 0 ? vec2(s * 1.25 + 1.33, 0.0) : vec2(-s * 0.85 - 0.5, (s * 0.85 + 0.74) * (k == 1 ? 1.0 : -1.0));
  gl_Position = clip(m + u * vPlace.x + vec2(-u.y, u.x) * vPlace.y);
}`;
const ARROW_FS = `#version 300 es
precision highp float; precision highp int;
in float vValue; in vec2 vPlace; flat in float vSize; out vec4 o;
${RAMP}${EDGE}
void main() {
  float past = max(dot(vec2(vPlace.x - 1.25 * vSize, abs(vPlace.y)), vec2(0.375, 0.927)), -0.85 * vSize - vPlace.x);
  o = vec4(ramp(vValue), 1.0) * edge(past);
}`;
const BUS_VS = `${COMMON}
layout(location=0) in vec2 aPlace; layout(location=1) in float aSize; layout(location=2) in float aValue; layout(location=3) in float aFlag; layout(location=4) in float aLevel;
uniform int uPass; out float vValue, vSize; flat out int vFlag, vLevel;
void main() {
  int flag = int(aFlag); float s = aSize * uSize * uRatio;
  if (uPass == 0) s = (flag & 3) == 0 ? 0.0 : max(s, 5.0 * uRatio) + 9.0 * uRatio;
  else if ((flag & 2) != 0) s = max(s, 9.0 * uRatio);
  vValue = aValue; vFlag = flag; vSize = s; vLevel = int(aLevel); gl_PointSize = s + 1.0;
  gl_Position = s < 1.0 ? vec4(2.0, 2.0, 0.0, 1.0) : clip(place(aPlace));
}`;
const BUS_FS = `#version 300 es
precision highp float; precision highp int;
uniform int uPass, uByLevel; uniform float uRatio; uniform vec3 uHalo, uSelected, uOut, uRing, uLow, uMid, uHigh, uLevels[6]; in float vValue, vSize; flat in int vFlag, vLevel; out vec4 o;
${EDGE}
void main() {
  float r = length(gl_PointCoord - 0.5) * (vSize + 1.0), rim = vSize * 0.5, inside = edge(r - rim);
  if (uPass == 0) { float a = (vFlag & 2) != 0 ? 0.95 : 0.34; o = vec4((vFlag & 2) != 0 ? uSelected : uHalo, a * inside); o.rgb *= o.a; return; }
  bool gone = !(vValue == vValue);
  vec3 c = gone ? uRing : uByLevel == 1 ? uLevels[vLevel] : vValue < 0.0 ? mix(uMid, uLow, min(-vValue, 1.0)) : mix(uMid, uHigh, min(vValue, 1.0));
  vec3 ring = gone ? uOut : uRing;
  c = mix(c, ring, clamp(r - (rim - max(1.0, vSize * 0.16)), 0.0, 1.0));
  o = vec4(c, inside); o.rgb *= o.a;
}`;

/** Device pixels a pixel, as far as they are drawn. */
export const ratio = () => Math.min(devicePixelRatio || 1, 2);

interface Program { use: WebGLProgram; at: Map<string, WebGLUniformLocation>; palette?: Palette }
interface Texture { unit: number; parts: number; kept: number; format: number; type: number; it?: WebGLTexture }

export class Renderer {
  private gl: WebGL2RenderingContext;
  private linked: WebGLProgram[];
  private programs: [Program, Program, Program] | null = null;
  private lines!: WebGLVertexArrayObject; private buses!: WebGLVertexArrayObject;
  private buffers: Record<string, WebGLBuffer> = {};
  private textures: Record<string, Texture>;
  private nLine = 0; private nBus = 0; private longest = 0;
  byLevel = false;
  haloed = { lines: false, buses: false }; // whether there is any halo or selection to draw
  palette!: Palette;

  constructor(private canvas: HTMLCanvasElement) {
    const gl = canvas.getContext("webgl2", { antialias: false, depth: false, stencil: false, alpha: true, premultipliedAlpha: true });
    if (!gl) throw new Error("WebGL2 is not available in this browser");
    this.gl = gl;
    this.linked = [[LINE_VS, LINE_FS], [ARROW_VS, ARROW_FS], [BUS_VS, BUS_FS]].map(([vertex, fragment]) => this.link(vertex!, fragment!));
    this.textures = {
      ends: { unit: 0, parts: 4, kept: gl.RGBA32F, format: gl.RGBA, type: gl.FLOAT }, shape: { unit: 1, parts: 2, kept: gl.RG32F, format: gl.RG, type: gl.FLOAT },
      loading: { unit: 2, parts: 1, kept: gl.R32F, format: gl.RED, type: gl.FLOAT }, mark: { unit: 3, parts: 1, kept: gl.R8UI, format: gl.RED_INTEGER, type: gl.UNSIGNED_BYTE },
    };
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  /** A program that is being compiled: asking whether it is done waits for it, so nobody asks before there is something to draw. */
  private link(vertex: string, fragment: string): WebGLProgram {
    const gl = this.gl, use = gl.createProgram()!;
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
      const shader = gl.createShader(kind)!;
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(use, shader);
    }
    gl.linkProgram(use);
    return use;
  }

  private ready(use: WebGLProgram): Program {
    const gl = this.gl;
    if (!gl.getProgramParameter(use, gl.LINK_STATUS)) {
      const logs = gl.getAttachedShaders(use)!.map((s) => gl.getShaderInfoLog(s)).join("\n");
      throw new Error(gl.getProgramInfoLog(use) + logs);
    }
    const at = new Map<string, WebGLUniformLocation>();
    for (let i = 0; i < gl.getProgramParameter(use, gl.ACTIVE_UNIFORMS); i++) {
      const name = gl.getActiveUniform(use, i)!.name.replace("[0]", "");
      at.set(name, gl.getUniformLocation(use, name)!);
    }
    return { use, at };
  }

  private attribute(name: string, index: number, size: number, data: Values): void {
    const gl = this.gl;
    if (this.buffers[name]) gl.deleteBuffer(this.buffers[name]!);
    this.buffers[name] = gl.createBuffer()!;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]!);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(index);
    gl.vertexAttribPointer(index, size, data instanceof Float32Array ? gl.FLOAT : gl.UNSIGNED_BYTE, false, 0, 0);
  }

  /** Room for a column of the branches. */
  private texture(name: string): void {
    const gl = this.gl, t = this.textures[name]!;
    if (t.it) gl.deleteTexture(t.it);
    t.it = gl.createTexture()!;
    gl.activeTexture(gl.TEXTURE0 + t.unit);
    gl.bindTexture(gl.TEXTURE_2D, t.it);
    gl.texStorage2D(gl.TEXTURE_2D, 1, t.kept, WIDE, Math.max(1, Math.ceil(this.nLine / WIDE)));
    for (const which of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, which, gl.NEAREST);
  }

  /** Values of a column of the branches: whole rows of its texture, then the rest. */
  private fill(name: string, data: Values): void {
    const gl = this.gl, t = this.textures[name]!, whole = Math.floor(this.nLine / WIDE), rest = this.nLine % WIDE;
    gl.activeTexture(gl.TEXTURE0 + t.unit);
    if (whole) gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, WIDE, whole, t.format, t.type, data, 0);
    if (rest) gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, whole, rest, 1, t.format, t.type, data, whole * WIDE * t.parts);
  }

  /** The grid: branches as x1 y1 x2 y2; of each its place in a fan of parallel circuits, and its width, px. */
  setGrid(ends: Float32Array, shape: Float32Array, places: Float32Array, sizes: Float32Array, levels: Float32Array): void {
    const gl = this.gl;
    this.nLine = ends.length / 4;
    this.nBus = sizes.length;
    this.longest = 0;
    for (let k = 0; k < ends.length; k += 4) this.longest = Math.max(this.longest, Math.hypot(ends[k]! - ends[k + 2]!, ends[k + 1]! - ends[k + 3]!));
    for (const name of Object.keys(this.textures)) this.texture(name);
    this.fill("ends", ends);
    this.fill("shape", shape);
    this.lines = gl.createVertexArray()!; // without a column: a vertex knows its number
    gl.bindVertexArray((this.buses = gl.createVertexArray()!));
    this.attribute("place", 0, 2, places);
    this.attribute("size", 1, 1, sizes);
    this.attribute("voltage", 2, 1, new Float32Array(this.nBus));
    this.attribute("busMark", 3, 1, new Uint8Array(this.nBus));
    this.attribute("level", 4, 1, levels);
    gl.bindVertexArray(null);
  }

  /** New values of a column that changes with the step. */
  set(name: "loading" | "mark" | "voltage" | "busMark", data: Values): void {
    const gl = this.gl;
    if (name in this.textures) { this.fill(name, data); return; }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]!);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, data);
  }

  private uniforms(program: Program, camera: Camera, size: number): void {
    const gl = this.gl, at = program.at, p = this.palette;
    const fine = ratio();
    gl.useProgram(program.use);
    gl.uniform2f(at.get("uView")!, this.canvas.width, this.canvas.height);
    gl.uniform2f(at.get("uCentre")!, camera.x, camera.y);
    gl.uniform1f(at.get("uScale")!, camera.scale * fine);
    gl.uniform1f(at.get("uSize")!, size);
    if (at.has("uRatio")) gl.uniform1f(at.get("uRatio")!, fine);
    if (program.palette === p) return; // uniforms stay as they are
    for (const [name, unit] of [["uEnds", 0], ["uShape", 1], ["uLoading", 2], ["uMark", 3]] as const) if (at.has(name)) gl.uniform1i(at.get(name)!, unit);
    program.palette = p;
    const colours: [string, Rgb][] = [
      ["uHalo", p.halo], ["uSelected", p.selected], ["uOut", p.out], ["uRing", p.ring],
      ["uLow", p.bus[0]!], ["uMid", p.bus[1]!], ["uHigh", p.bus[2]!],
    ];
    for (const [name, c] of colours) if (at.has(name)) gl.uniform3f(at.get(name)!, c[0], c[1], c[2]);
    if (at.has("uRamp")) {
      gl.uniform3fv(at.get("uRamp")!, p.ramp.flat());
      gl.uniform1fv(at.get("uStops")!, p.stops);
    }
    if (at.has("uLevels")) gl.uniform3fv(at.get("uLevels")!, p.bus.slice(3, 9).flat());
  }

  draw(camera: Camera, detail: number): void {
    const gl = this.gl;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.nBus) return;
    const [line, arrow, bus] = (this.programs ??= this.linked.map((program) => this.ready(program)) as [Program, Program, Program]);
    gl.bindVertexArray(this.lines);
    this.uniforms(line, camera, detail * ratio());
    for (const pass of this.haloed.lines ? [0, 1] : [1]) {
      gl.uniform1i(line.at.get("uPass")!, pass);
      gl.drawArrays(gl.TRIANGLES, 0, 6 * this.nLine);
    }
    if (this.longest * camera.scale > ARROW_FROM) {
      this.uniforms(arrow, camera, detail);
      gl.drawArrays(gl.TRIANGLES, 0, 3 * this.nLine);
    }
    gl.bindVertexArray(this.buses);
    this.uniforms(bus, camera, Math.max(detail, LEAST_BUS));
    gl.uniform1i(bus.at.get("uByLevel")!, this.byLevel ? 1 : 0);
    for (const pass of this.haloed.buses ? [0, 1] : [1]) {
      gl.uniform1i(bus.at.get("uPass")!, pass);
      gl.drawArrays(gl.POINTS, 0, this.nBus);
    }
    gl.bindVertexArray(null);
  }
}
