// The grid in WebGL2: one draw a layer, for lines, arrows and buses. What changes with a step is two bytes a branch and a bus;
// what changes with the view is three uniforms. So a frame costs the script next to nothing, at ten thousand buses as at ten, and
// little waits for the graphics process. Branches stand in textures that the vertex shader reads by number: instances would do as
// well on a graphics unit, but drawing in software, as in a virtual machine, takes some 20 us for each of them.
//
// Edges are smoothed here and not by multisampling, which costs a renderer in software half of a frame: each shape is drawn half
// a pixel larger, and its alpha falls over the pixel around its edge. A line thinner than a pixel is drawn as wide as one and paler.

export interface Camera { x: number; y: number; scale: number } // map units at the centre; pixels a map unit
export type Rgb = [number, number, number];

/** Marks of a branch or bus; the last two say where a branch's power goes. */
export const HALO = 1, SELECTED = 2, OUT = 4, DEAD = 8, FORWARD = 16, BACKWARD = 32;

/** Colours; the ramp has its first colour at the first stop, and so on, and lines widen by a share from the fourth stop to the last. Of buses: low, middle, high, then by level. */
export interface Palette { ramp: Rgb[]; stops: number[]; halo: Rgb; selected: Rgb; out: Rgb; ring: Rgb; bus: Rgb[]; widen: number; codes: Codes }
const WIDE = 1024; // branches in a row of a texture
const ARROW_FROM = 30; // px of a branch that has an arrow
export const LEAST_BUS = 0.5; // share of its size that a bus keeps far away, where its colour is still told
export const STRETCH = 51; // codes from one stop of the ramp to the next
const MIDDLE = 127, NONE = 255; // codes of the middle of the buses' colours, and of a bus without a value

/** Codes of the ramp for values between its ends, evenly spaced: looking one up is cheaper than finding its stops. */
export interface Codes { low: number; scale: number; of: Uint8Array }
export function codesOf(stops: number[]): Codes {
  const low = stops[0]!, scale = 2000 / (stops[5]! - low), of = new Uint8Array(2001);
  for (let n = 0, i = 1; n < of.length; n++) {
    const value = low + n / scale;
    while (i < 5 && value > stops[i]!) i++;
    of[n] = Math.round(STRETCH * (i - 1 + Math.min(1, (value - stops[i - 1]!) / (stops[i]! - stops[i - 1]!))));
  }
  return { low, scale, of };
}
/** Code of a bus: -1 is low, 0 the middle, 1 high. */
export const busCode = (value: number) => (value !== value ? NONE : MIDDLE + ((MIDDLE * (value < -1 ? -1 : value > 1 ? 1 : value)) | 0));

const COMMON = `#version 300 es
precision highp float; precision highp int;
uniform vec2 uView, uCentre; uniform float uScale, uRatio, uSize;
vec2 place(vec2 p) { return (p - uCentre) * uScale; }
vec4 clip(vec2 px) { return vec4(px * 2.0 / uView, 0.0, 1.0); }
const vec4 NOWHERE = vec4(2.0, 2.0, 0.0, 1.0);
`;
const BRANCH = `
precision highp sampler2D; precision highp usampler2D;
uniform sampler2D uEnds, uShape; uniform usampler2D uState; uniform vec3 uRamp[6]; uniform float uWiden;
ivec2 cell(int k) { return ivec2(k % ${WIDE}, k / ${WIDE}); }
vec3 ramp(uint code) { int i = min(int(code) / ${STRETCH}, 4); return mix(uRamp[i], uRamp[i + 1], float(int(code) - ${STRETCH} * i) / ${STRETCH}.0); }
float wide(uint code) { return 1.0 + uWiden * clamp((float(code) - ${3 * STRETCH}.0) / ${2 * STRETCH}.0, 0.0, 1.0); }
`;
const FRAGMENT = `#version 300 es
precision highp float; precision highp int; out vec4 o;
float edge(float past) { return clamp(0.5 - past, 0.0, 1.0); }
`;
const LINE_VS = `${COMMON}${BRANCH}
uniform int uPass; uniform vec3 uHalo, uSelected, uOut; out float vAlong, vAcross; flat out vec4 vColour; flat out float vLength, vHalf, vDash;
void main() {
  ivec2 at = cell(gl_VertexID / 4); int k = gl_VertexID % 4; uvec2 state = texelFetch(uState, at, 0).rg; int flag = int(state.y);
  if (uPass == 0 && (flag & 3) == 0) { gl_Position = NOWHERE; return; }
  vec4 ends = texelFetch(uEnds, at, 0); vec2 shape = texelFetch(uShape, at, 0).rg;
  vec2 a = place(ends.xy), b = place(ends.zw), d = b - a; float l = length(d);
  vec2 u = l > 0.001 ? d / l : vec2(1.0, 0.0), n = vec2(-u.y, u.x);
  float w = shape.y * uSize * wide(state.x), longer = 0.0; bool gone = (flag & 12) != 0;
  vColour = gone ? vec4(uOut, 0.9) : vec4(ramp(state.x), 0.96);
  if (uPass == 0) { bool chosen = (flag & 2) != 0; w += (chosen ? 4.0 : 9.0) * uRatio; longer = w * 0.3; vColour = chosen ? vec4(uSelected, 0.95) : vec4(uHalo, 0.34); }
  float side = k < 2 ? -1.0 : 1.0, end = k % 2 == 0 ? -1.0 : 1.0, fan = shape.x * min(3.2 * uRatio, l * 0.06);
  vColour.a *= min(w, 1.0); vColour.rgb *= vColour.a;
  vHalf = max(w, 1.0) * 0.5; vLength = 0.5 * l + longer; vDash = gone && uPass == 1 ? uRatio : 0.0;
  vAcross = side * (vHalf + 0.5); vAlong = end * (vLength + 0.5);
  gl_Position = w <= 0.0 ? NOWHERE : clip((a + b) * 0.5 + n * (fan + vAcross) + u * vAlong);
}`;
const LINE_FS = `${FRAGMENT}
in float vAlong, vAcross; flat in vec4 vColour; flat in float vLength, vHalf, vDash;
void main() {
  float cover = edge(abs(vAcross) - vHalf) * edge(abs(vAlong) - vLength);
  if (vDash > 0.0) cover *= edge((abs(mod(vAlong / vDash, 8.0) - 4.0) - 2.0) * vDash);
  o = vColour * cover;
}`;
const ARROW_VS = `${COMMON}${BRANCH}
flat out vec4 vColour; out vec2 vPlace; flat out float vSize;
void main() {
  ivec2 at = cell(gl_VertexID / 3); int k = gl_VertexID % 3; uvec2 state = texelFetch(uState, at, 0).rg; int flag = int(state.y);
  vec4 ends = texelFetch(uEnds, at, 0); vec2 a = place(ends.xy), b = place(ends.zw), d = b - a; float l = length(d);
  gl_Position = NOWHERE;
  if (l <= ${ARROW_FROM}.0 * uRatio || (flag & 48) == 0 || (flag & 12) != 0) return;
  vec2 shape = texelFetch(uShape, at, 0).rg, u = d / l, n = vec2(-u.y, u.x);
  float s = (2.2 + shape.y * 0.9 * uSize) * uRatio, fan = shape.x * min(3.2 * uRatio, l * 0.06);
  vec2 m = (a + b) * 0.5 + n * fan; if ((flag & 32) != 0) u = -u;
  vSize = s; vColour = vec4(ramp(state.x), 1.0);
  // Of the sides from tip to foot, the normal is (0.375, 0.927): half a pixel out, the tip moves 1.33, a foot (0.5, 0.74).
  vPlace = k == 0 ? vec2(s * 1.25 + 1.33, 0.0) : vec2(-s * 0.85 - 0.5, (s * 0.85 + 0.74) * (k == 1 ? 1.0 : -1.0));
  gl_Position = clip(m + u * vPlace.x + vec2(-u.y, u.x) * vPlace.y);
}`;
const ARROW_FS = `${FRAGMENT}
flat in vec4 vColour; in vec2 vPlace; flat in float vSize;
void main() {
  float past = max(dot(vec2(vPlace.x - 1.25 * vSize, abs(vPlace.y)), vec2(0.375, 0.927)), -0.85 * vSize - vPlace.x);
  o = vColour * edge(past);
}`;
const BUS_VS = `${COMMON}
layout(location=0) in vec2 aPlace; layout(location=1) in float aSize; layout(location=2) in vec2 aState; layout(location=3) in float aLevel;
uniform int uPass, uByLevel; uniform vec3 uHalo, uSelected, uOut, uRing, uBus[9]; flat out vec4 vColour, vRim; flat out float vSize;
void main() {
  int flag = int(aState.y), code = int(aState.x); float s = aSize * uSize * uRatio, v = float(code - ${MIDDLE}) / ${MIDDLE}.0;
  bool gone = code == ${NONE};
  vec3 c = gone ? uRing : uByLevel == 1 ? uBus[3 + int(aLevel)] : mix(uBus[1], v < 0.0 ? uBus[0] : uBus[2], abs(v));
  vColour = vec4(c, 1.0); vRim = vec4(gone ? uOut : uRing, 1.0);
  if (uPass == 0) {
    s = (flag & 3) == 0 ? 0.0 : max(s, 5.0 * uRatio) + 9.0 * uRatio;
    vColour = (flag & 2) != 0 ? vec4(uSelected, 0.95) : vec4(uHalo, 0.34); vColour.rgb *= vColour.a; vRim = vColour;
  } else if ((flag & 2) != 0) s = max(s, 9.0 * uRatio);
  vSize = s; gl_PointSize = s + 1.0;
  gl_Position = s < 1.0 ? NOWHERE : clip(place(aPlace));
}`;
const BUS_FS = `${FRAGMENT}
flat in vec4 vColour, vRim; flat in float vSize;
void main() {
  float r = length(gl_PointCoord - 0.5) * (vSize + 1.0), rim = vSize * 0.5;
  o = mix(vColour, vRim, clamp(r - (rim - max(1.0, vSize * 0.16)), 0.0, 1.0)) * edge(r - rim);
}`;

/** Device pixels a pixel, as far as they are drawn. */
export const ratio = () => Math.min(devicePixelRatio || 1, 2);

interface Program { use: WebGLProgram; at: Map<string, WebGLUniformLocation>; palette?: Palette }
interface Texture { unit: number; parts: number; kept: number; format: number; type: number; it?: WebGLTexture }
type Values = Float32Array | Uint8Array;

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
      state: { unit: 2, parts: 2, kept: gl.RG8UI, format: gl.RG_INTEGER, type: gl.UNSIGNED_BYTE },
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

  /** Two triangles a branch on its four corners. */
  private corners(): void {
    const gl = this.gl, of = new Uint32Array(6 * this.nLine);
    for (let k = 0; k < this.nLine; k++) of.set([4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 2, 4 * k + 1, 4 * k + 3], 6 * k);
    if (this.buffers.corners) gl.deleteBuffer(this.buffers.corners);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, (this.buffers.corners = gl.createBuffer()!));
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, of, gl.STATIC_DRAW);
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
    gl.bindVertexArray((this.lines = gl.createVertexArray()!)); // without a column: a vertex knows its number
    this.corners();
    gl.bindVertexArray((this.buses = gl.createVertexArray()!));
    this.attribute("place", 0, 2, places);
    this.attribute("size", 1, 1, sizes);
    this.attribute("state", 2, 2, new Uint8Array(2 * this.nBus));
    this.attribute("level", 3, 1, levels);
    gl.bindVertexArray(null);
  }

  /** What changes with a step: of each branch and bus its code and its marks, in turn. */
  setState(branches: Uint8Array, buses: Uint8Array): void {
    const gl = this.gl;
    this.fill("state", branches);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.state!);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, buses);
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
    program.palette = p;
    for (const [name, unit] of [["uEnds", 0], ["uShape", 1], ["uState", 2]] as const) if (at.has(name)) gl.uniform1i(at.get(name)!, unit);
    if (at.has("uWiden")) gl.uniform1f(at.get("uWiden")!, p.widen);
    for (const [name, colours] of [["uHalo", [p.halo]], ["uSelected", [p.selected]], ["uOut", [p.out]], ["uRing", [p.ring]], ["uRamp", p.ramp], ["uBus", p.bus]] as const)
      if (at.has(name)) gl.uniform3fv(at.get(name)!, colours.flat());
  }

  /** Thin lines across the whole view, at an x or a y from the upper left, px: coordinates behind the grid. */
  private ruled(lines: { x?: number; y?: number }[], colour: Rgb): void {
    const gl = this.gl, { width, height } = this.canvas, fine = ratio(), thick = Math.max(1, Math.round(fine));
    gl.enable(gl.SCISSOR_TEST);
    gl.clearColor(...colour, 1);
    for (const { x, y } of lines) {
      if (x !== undefined) gl.scissor(Math.floor(x * fine), 0, thick, height);
      else gl.scissor(0, height - Math.floor(y! * fine) - thick, width, thick);
      gl.clear(gl.COLOR_BUFFER_BIT);
    }
    gl.disable(gl.SCISSOR_TEST);
  }

  draw(camera: Camera, detail: number, lines: { x?: number; y?: number }[] = [], ruler: Rgb = [0, 0, 0]): void {
    const gl = this.gl;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.ruled(lines, ruler);
    if (!this.nBus) return;
    const [line, arrow, bus] = (this.programs ??= this.linked.map((program) => this.ready(program)) as [Program, Program, Program]);
    gl.bindVertexArray(this.lines);
    this.uniforms(line, camera, detail * ratio());
    for (const pass of this.haloed.lines ? [0, 1] : [1]) {
      gl.uniform1i(line.at.get("uPass")!, pass);
      gl.drawElements(gl.TRIANGLES, 6 * this.nLine, gl.UNSIGNED_INT, 0);
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
