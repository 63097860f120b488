// src/api.ts
var e = class extends Error {
	status;
	issues;
	constructor(e, n) {
		super(n.map(t).join("\n")), this.status = e, this.issues = n;
	}
};
function t(e) {
	let t = [e.where, e.field].filter(Boolean).join("."), n = e.ids?.length ? ` (${e.ids.slice(0, 10).join(", ")}${e.ids.length > 10 ? ` … +${e.ids.length - 10}` : ""})` : "";
	return `${t ? `${t}: ` : ""}${e.message}${n}${e.hint ? `; ${e.hint}` : ""}`;
}
async function n(t, n) {
	let r;
	try {
		r = await fetch(`/api/${t}`, n);
	} catch (t) {
		throw t.name === "AbortError" ? t : new e(0, [{
			where: "",
			field: "",
			message: "offline",
			hint: ""
		}]);
	}
	if (!r.ok) {
		let t = await r.json().catch(() => ({}));
		throw new e(r.status, t.issues ?? [{
			where: "",
			field: "",
			message: r.statusText,
			hint: ""
		}]);
	}
	return r.json();
}
function r(e) {
	let t = new URLSearchParams();
	for (let [n, r] of Object.entries(e)) r != null && r !== "" && t.set(n, String(r));
	let n = t.toString();
	return n ? `?${n}` : "";
}
function i(e) {
	let t = atob(e), n = new Uint8Array(t.length);
	for (let e = 0; e < t.length; e++) n[e] = t.charCodeAt(e);
	return n.buffer;
}
var a = class e {
	raw;
	rows;
	cache = /* @__PURE__ */ new Map();
	none;
	constructor(e) {
		this.raw = e, this.rows = e.rows;
	}
	has(e) {
		return e in this.raw.columns;
	}
	get names() {
		return Object.keys(this.raw.columns);
	}
	kind(e) {
		return this.raw.columns[e]?.kind ?? "";
	}
	f(e) {
		return this.has(e) ? this.made(e, (e) => e.kind === "f32" ? new Float32Array(i(e.data)) : e.kind === "f64" ? Float32Array.from(new Float64Array(i(e.data))) : e.kind === "i32" ? Float32Array.from(new Int32Array(i(e.data))) : e.kind === "u8" ? Float32Array.from(new Uint8Array(i(e.data))) : Float32Array.from(e.values.map((e) => e === null ? NaN : Number(e)))) : this.none ??= new Float32Array(this.rows).fill(NaN);
	}
	i(e) {
		return this.made(e, (e) => e.kind === "i32" ? new Int32Array(i(e.data)) : Int32Array.from(new Uint8Array(i(e.data))));
	}
	t(e) {
		return this.made(e, (e) => e.kind === "text" ? Array.from(new Int32Array(i(e.data)), (t) => t < 0 ? "" : e.words[t]) : e.values.map((e) => e === null ? "" : String(e)));
	}
	changed(t, n) {
		let r = new e(this.raw);
		for (let e of this.names) r.cache.set(e, e === t ? this.f(e).map((e) => n * e) : this.f(e));
		return r;
	}
	made(e, t) {
		if (!this.cache.has(e)) {
			let n = this.raw.columns[e];
			if (!n) throw Error(`no column ${e}`);
			this.cache.set(e, t(n));
		}
		return this.cache.get(e);
	}
};
async function o(e, t) {
	let i = await n(`opening${r({
		run: e,
		step: t
	})}`);
	return {
		...i,
		grid: i.grid && s(i.grid),
		steps: i.steps && c(i.steps),
		state: i.state && l(i.state)
	};
}
function s(e) {
	return {
		name: e.name,
		geographic: e.geographic,
		origin: e.origin,
		bus: new a(e.bus),
		branch: new a(e.branch),
		gen: new a(e.gen),
		load: new a(e.load),
		switches: new a(e.switch)
	};
}
function c(e) {
	let t = Object.fromEntries(Object.entries(e.shares).map(([e, t]) => [e, new a(t)]));
	return {
		table: new a(e.table),
		shares: t,
		costs: e.costs,
		step_h: e.step_h
	};
}
function l(e) {
	return {
		...e,
		bus: new a(e.bus),
		branch: new a(e.branch),
		gen: new a(e.gen)
	};
}
// src/map/renderer.ts
var u = 1024, d = 30, f = .5, p = 127, m = 255;
function h(e) {
	let t = e[0], n = 2e3 / (e[5] - t), r = /* @__PURE__ */ new Uint8Array(2001);
	for (let i = 0, a = 1; i < r.length; i++) {
		let o = t + i / n;
		for (; a < 5 && o > e[a];) a++;
		r[i] = Math.round(51 * (a - 1 + Math.min(1, (o - e[a - 1]) / (e[a] - e[a - 1]))));
	}
	return {
		low: t,
		scale: n,
		of: r
	};
}
var g = (e) => e === e ? p + (p * (e < -1 ? -1 : e > 1 ? 1 : e) | 0) : m, _ = "#version 300 es\nprecision highp float; precision highp int;\nuniform vec2 uView, uCentre; uniform float uScale, uRatio, uSize;\nvec2 place(vec2 p) { return (p - uCentre) * uScale; }\nvec4 clip(vec2 px) { return vec4(px * 2.0 / uView, 0.0, 1.0); }\nconst vec4 NOWHERE = vec4(2.0, 2.0, 0.0, 1.0);\n", v = `
precision highp sampler2D; precision highp usampler2D;
uniform sampler2D uEnds, uShape; uniform usampler2D uState; uniform vec3 uRamp[6]; uniform float uWiden;
ivec2 cell(int k) { return ivec2(k % ${u}, k / ${u}); }
vec3 ramp(uint code) { int i = min(int(code) / 51, 4); return mix(uRamp[i], uRamp[i + 1], float(int(code) - 51 * i) / 51.0); }
float wide(uint code) { return 1.0 + uWiden * clamp((float(code) - 153.0) / 102.0, 0.0, 1.0); }
`, y = "#version 300 es\nprecision highp float; precision highp int; out vec4 o;\nfloat edge(float past) { return clamp(0.5 - past, 0.0, 1.0); }\n", b = `${_}${v}
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
}`, x = `${y}
in float vAlong, vAcross; flat in vec4 vColour; flat in float vLength, vHalf, vDash;
void main() {
  float cover = edge(abs(vAcross) - vHalf) * edge(abs(vAlong) - vLength);
  if (vDash > 0.0) cover *= edge((abs(mod(vAlong / vDash, 8.0) - 4.0) - 2.0) * vDash);
  o = vColour * cover;
}`, S = `${_}${v}
flat out vec4 vColour; out vec2 vPlace; flat out float vSize;
void main() {
  ivec2 at = cell(gl_VertexID / 3); int k = gl_VertexID % 3; uvec2 state = texelFetch(uState, at, 0).rg; int flag = int(state.y);
  vec4 ends = texelFetch(uEnds, at, 0); vec2 a = place(ends.xy), b = place(ends.zw), d = b - a; float l = length(d);
  gl_Position = NOWHERE;
  if (l <= ${d}.0 * uRatio || (flag & 48) == 0 || (flag & 12) != 0) return;
  vec2 shape = texelFetch(uShape, at, 0).rg, u = d / l, n = vec2(-u.y, u.x);
  float s = (2.2 + shape.y * 0.9 * uSize) * uRatio, fan = shape.x * min(3.2 * uRatio, l * 0.06);
  vec2 m = (a + b) * 0.5 + n * fan; if ((flag & 32) != 0) u = -u;
  vSize = s; vColour = vec4(ramp(state.x), 1.0);
  // Of the sides from tip to foot, the normal is (0.375, 0.927): half a pixel out, the tip moves 1.33, a foot (0.5, 0.74).
  vPlace = k == 0 ? vec2(s * 1.25 + 1.33, 0.0) : vec2(-s * 0.85 - 0.5, (s * 0.85 + 0.74) * (k == 1 ? 1.0 : -1.0));
  gl_Position = clip(m + u * vPlace.x + vec2(-u.y, u.x) * vPlace.y);
}`, C = `${y}
flat in vec4 vColour; in vec2 vPlace; flat in float vSize;
void main() {
  float past = max(dot(vec2(vPlace.x - 1.25 * vSize, abs(vPlace.y)), vec2(0.375, 0.927)), -0.85 * vSize - vPlace.x);
  o = vColour * edge(past);
}`, w = `${_}
layout(location=0) in vec2 aPlace; layout(location=1) in float aSize; layout(location=2) in vec2 aState; layout(location=3) in float aLevel;
uniform int uPass, uByLevel; uniform vec3 uHalo, uSelected, uOut, uRing, uBus[9]; flat out vec4 vColour, vRim; flat out float vSize;
void main() {
  int flag = int(aState.y), code = int(aState.x); float s = aSize * uSize * uRatio, v = float(code - ${p}) / ${p}.0;
  bool gone = code == ${m};
  vec3 c = gone ? uRing : uByLevel == 1 ? uBus[3 + int(aLevel)] : mix(uBus[1], v < 0.0 ? uBus[0] : uBus[2], abs(v));
  vColour = vec4(c, 1.0); vRim = vec4(gone ? uOut : uRing, 1.0);
  if (uPass == 0) {
    s = (flag & 3) == 0 ? 0.0 : max(s, 5.0 * uRatio) + 9.0 * uRatio;
    vColour = (flag & 2) != 0 ? vec4(uSelected, 0.95) : vec4(uHalo, 0.34); vColour.rgb *= vColour.a; vRim = vColour;
  } else if ((flag & 2) != 0) s = max(s, 9.0 * uRatio);
  vSize = s; gl_PointSize = s + 1.0;
  gl_Position = s < 1.0 ? NOWHERE : clip(place(aPlace));
}`, ee = `${y}
flat in vec4 vColour, vRim; flat in float vSize;
void main() {
  float r = length(gl_PointCoord - 0.5) * (vSize + 1.0), rim = vSize * 0.5;
  o = mix(vColour, vRim, clamp(r - (rim - max(1.0, vSize * 0.16)), 0.0, 1.0)) * edge(r - rim);
}`, T = () => Math.min(devicePixelRatio || 1, 2), E = class {
	canvas;
	gl;
	linked;
	programs = null;
	lines;
	buses;
	buffers = {};
	textures;
	nLine = 0;
	nBus = 0;
	longest = 0;
	byLevel = !1;
	haloed = {
		lines: !1,
		buses: !1
	};
	palette;
	constructor(e) {
		this.canvas = e;
		let t = e.getContext("webgl2", {
			antialias: !1,
			depth: !1,
			stencil: !1,
			alpha: !0,
			premultipliedAlpha: !0
		});
		if (!t) throw Error("WebGL2 is not available in this browser");
		this.gl = t, this.linked = [
			[b, x],
			[S, C],
			[w, ee]
		].map(([e, t]) => this.link(e, t)), this.textures = {
			ends: {
				unit: 0,
				parts: 4,
				kept: t.RGBA32F,
				format: t.RGBA,
				type: t.FLOAT
			},
			shape: {
				unit: 1,
				parts: 2,
				kept: t.RG32F,
				format: t.RG,
				type: t.FLOAT
			},
			state: {
				unit: 2,
				parts: 2,
				kept: t.RG8UI,
				format: t.RG_INTEGER,
				type: t.UNSIGNED_BYTE
			}
		}, t.pixelStorei(t.UNPACK_ALIGNMENT, 1), t.enable(t.BLEND), t.blendFunc(t.ONE, t.ONE_MINUS_SRC_ALPHA);
	}
	link(e, t) {
		let n = this.gl, r = n.createProgram();
		for (let [i, a] of [[n.VERTEX_SHADER, e], [n.FRAGMENT_SHADER, t]]) {
			let e = n.createShader(i);
			n.shaderSource(e, a), n.compileShader(e), n.attachShader(r, e);
		}
		return n.linkProgram(r), r;
	}
	ready(e) {
		let t = this.gl;
		if (!t.getProgramParameter(e, t.LINK_STATUS)) {
			let n = t.getAttachedShaders(e).map((e) => t.getShaderInfoLog(e)).join("\n");
			throw Error(t.getProgramInfoLog(e) + n);
		}
		let n = /* @__PURE__ */ new Map();
		for (let r = 0; r < t.getProgramParameter(e, t.ACTIVE_UNIFORMS); r++) {
			let i = t.getActiveUniform(e, r).name.replace("[0]", "");
			n.set(i, t.getUniformLocation(e, i));
		}
		return {
			use: e,
			at: n
		};
	}
	attribute(e, t, n, r) {
		let i = this.gl;
		this.buffers[e] && i.deleteBuffer(this.buffers[e]), this.buffers[e] = i.createBuffer(), i.bindBuffer(i.ARRAY_BUFFER, this.buffers[e]), i.bufferData(i.ARRAY_BUFFER, r, i.DYNAMIC_DRAW), i.enableVertexAttribArray(t), i.vertexAttribPointer(t, n, r instanceof Float32Array ? i.FLOAT : i.UNSIGNED_BYTE, !1, 0, 0);
	}
	corners() {
		let e = this.gl, t = new Uint32Array(6 * this.nLine);
		for (let e = 0; e < this.nLine; e++) t.set([
			4 * e,
			4 * e + 1,
			4 * e + 2,
			4 * e + 2,
			4 * e + 1,
			4 * e + 3
		], 6 * e);
		this.buffers.corners && e.deleteBuffer(this.buffers.corners), e.bindBuffer(e.ELEMENT_ARRAY_BUFFER, this.buffers.corners = e.createBuffer()), e.bufferData(e.ELEMENT_ARRAY_BUFFER, t, e.STATIC_DRAW);
	}
	texture(e) {
		let t = this.gl, n = this.textures[e];
		n.it && t.deleteTexture(n.it), n.it = t.createTexture(), t.activeTexture(t.TEXTURE0 + n.unit), t.bindTexture(t.TEXTURE_2D, n.it), t.texStorage2D(t.TEXTURE_2D, 1, n.kept, u, Math.max(1, Math.ceil(this.nLine / u)));
		for (let e of [t.TEXTURE_MIN_FILTER, t.TEXTURE_MAG_FILTER]) t.texParameteri(t.TEXTURE_2D, e, t.NEAREST);
	}
	fill(e, t) {
		let n = this.gl, r = this.textures[e], i = Math.floor(this.nLine / u), a = this.nLine % u;
		n.activeTexture(n.TEXTURE0 + r.unit), i && n.texSubImage2D(n.TEXTURE_2D, 0, 0, 0, u, i, r.format, r.type, t, 0), a && n.texSubImage2D(n.TEXTURE_2D, 0, 0, i, a, 1, r.format, r.type, t, i * u * r.parts);
	}
	setGrid(e, t, n, r, i) {
		let a = this.gl;
		this.nLine = e.length / 4, this.nBus = r.length, this.longest = 0;
		for (let t = 0; t < e.length; t += 4) this.longest = Math.max(this.longest, Math.hypot(e[t] - e[t + 2], e[t + 1] - e[t + 3]));
		for (let e of Object.keys(this.textures)) this.texture(e);
		this.fill("ends", e), this.fill("shape", t), a.bindVertexArray(this.lines = a.createVertexArray()), this.corners(), a.bindVertexArray(this.buses = a.createVertexArray()), this.attribute("place", 0, 2, n), this.attribute("size", 1, 1, r), this.attribute("state", 2, 2, new Uint8Array(2 * this.nBus)), this.attribute("level", 3, 1, i), a.bindVertexArray(null);
	}
	setState(e, t) {
		let n = this.gl;
		this.fill("state", e), n.bindBuffer(n.ARRAY_BUFFER, this.buffers.state), n.bufferSubData(n.ARRAY_BUFFER, 0, t);
	}
	uniforms(e, t, n) {
		let r = this.gl, i = e.at, a = this.palette, o = T();
		if (r.useProgram(e.use), r.uniform2f(i.get("uView"), this.canvas.width, this.canvas.height), r.uniform2f(i.get("uCentre"), t.x, t.y), r.uniform1f(i.get("uScale"), t.scale * o), r.uniform1f(i.get("uSize"), n), i.has("uRatio") && r.uniform1f(i.get("uRatio"), o), e.palette !== a) {
			e.palette = a;
			for (let [e, t] of [
				["uEnds", 0],
				["uShape", 1],
				["uState", 2]
			]) i.has(e) && r.uniform1i(i.get(e), t);
			i.has("uWiden") && r.uniform1f(i.get("uWiden"), a.widen);
			for (let [e, t] of [
				["uHalo", [a.halo]],
				["uSelected", [a.selected]],
				["uOut", [a.out]],
				["uRing", [a.ring]],
				["uRamp", a.ramp],
				["uBus", a.bus]
			]) i.has(e) && r.uniform3fv(i.get(e), t.flat());
		}
	}
	ruled(e, t) {
		let n = this.gl, { width: r, height: i } = this.canvas, a = T(), o = Math.max(1, Math.round(a));
		n.enable(n.SCISSOR_TEST), n.clearColor(...t, 1);
		for (let { x: t, y: s } of e) t === void 0 ? n.scissor(0, i - Math.floor(s * a) - o, r, o) : n.scissor(Math.floor(t * a), 0, o, i), n.clear(n.COLOR_BUFFER_BIT);
		n.disable(n.SCISSOR_TEST);
	}
	draw(e, t, n = [], r = [
		0,
		0,
		0
	]) {
		let i = this.gl;
		if (i.viewport(0, 0, this.canvas.width, this.canvas.height), i.clearColor(0, 0, 0, 0), i.clear(i.COLOR_BUFFER_BIT), this.ruled(n, r), !this.nBus) return;
		let [a, o, s] = this.programs ??= this.linked.map((e) => this.ready(e));
		i.bindVertexArray(this.lines), this.uniforms(a, e, t * T());
		for (let e of this.haloed.lines ? [0, 1] : [1]) i.uniform1i(a.at.get("uPass"), e), i.drawElements(i.TRIANGLES, 6 * this.nLine, i.UNSIGNED_INT, 0);
		this.longest * e.scale > d && (this.uniforms(o, e, t), i.drawArrays(i.TRIANGLES, 0, 3 * this.nLine)), i.bindVertexArray(this.buses), this.uniforms(s, e, Math.max(t, f)), i.uniform1i(s.at.get("uByLevel"), +!!this.byLevel);
		for (let e of this.haloed.buses ? [0, 1] : [1]) i.uniform1i(s.at.get("uPass"), e), i.drawArrays(i.POINTS, 0, this.nBus);
		i.bindVertexArray(null);
	}
}, D = (e) => [
	1,
	3,
	5
].map((t) => parseInt(e.slice(t, t + 2), 16) / 255), te = {
	dark: [
		"#34505f",
		"#3f7d9c",
		"#5fb0c9",
		"#e8c64a",
		"#f2872f",
		"#ff5c8a"
	],
	light: [
		"#b3c1c8",
		"#6b9db5",
		"#2f7896",
		"#bb8f00",
		"#bf4a08",
		"#8f0a4a"
	]
}, ne = [
	0,
	.3,
	.6,
	.8,
	1,
	1.3
], re = {
	dark: [
		"#59a8ff",
		"#3a6ea8",
		"#3a474f",
		"#3a474f",
		"#b97a2a",
		"#ffb14d"
	],
	light: [
		"#0b5cad",
		"#5b8fc2",
		"#c3ccd1",
		"#c3ccd1",
		"#c98a3b",
		"#9a5200"
	]
}, ie = [
	-.3,
	-.1,
	-.01,
	.01,
	.1,
	.3
], ae = {
	dark: [
		"#e6d9a8",
		"#8fc7dd",
		"#b39ddb",
		"#9bc48a",
		"#d99a7c",
		"#9aa8b0"
	],
	light: [
		"#7a5c00",
		"#0f6a8c",
		"#5f3f9e",
		"#33691e",
		"#93401d",
		"#5b6a72"
	]
}, oe = {
	dark: [
		"#4aa3ff",
		"#dfe7ea",
		"#ff9d3c"
	],
	light: [
		"#0b5cad",
		"#42525a",
		"#b34a00"
	]
}, se = {
	dark: "#ff5c8a",
	light: "#c2185b"
}, ce = /* @__PURE__ */ new Map();
function le(e, t) {
	let n = `${e}${t}`, r = ce.get(n) ?? {
		ramp: (t ? re : te)[e].map(D),
		stops: t ? ie : ne,
		halo: D(se[e]),
		selected: D(e === "dark" ? "#ffffff" : "#10181c"),
		out: D(e === "dark" ? "#7d8f99" : "#6b7a82"),
		ring: D(e === "dark" ? "#0f1519" : "#ffffff"),
		bus: [...oe[e], ...ae[e]].map(D),
		widen: t ? 0 : .25,
		codes: h(t ? ie : ne)
	};
	return ce.set(n, r), r;
}
// src/map/geometry.ts
function ue(e) {
	let { bus: t, branch: n } = e, r = t.f("x"), i = t.f("y"), a = t.f("v_nom_kv"), o = t.i("star"), s = n.i("from_bus"), c = n.i("to_bus"), l = [...new Set(a)].sort((e, t) => t - e), u = l[0] ?? 1, d = (e) => Math.min(5, l.indexOf(e)), f = /* @__PURE__ */ new Map();
	for (let e = 0; e < s.length; e++) {
		let n = Math.min(s[e], c[e]) * t.rows + Math.max(s[e], c[e]), r = f.get(n);
		r ? r.push(e) : f.set(n, [e]);
	}
	let p = new Float32Array(4 * s.length), m = new Float32Array(2 * s.length), h = new Int32Array(t.rows), g = [];
	for (let e of f.values()) {
		e.forEach((t, n) => {
			let [o, l] = [s[t], c[t]];
			p.set([
				r[o],
				i[o],
				r[l],
				i[l]
			], 4 * t);
			let d = o < l ? 1 : -1;
			m[2 * t] = d * (n - (e.length - 1) / 2), m[2 * t + 1] = 1.1 + 1.3 * Math.sqrt(Math.min(a[o], a[l]) / u), h[o]++, h[l]++;
		});
		let t = e[0];
		g.push(Math.hypot(r[s[t]] - r[c[t]], i[s[t]] - i[c[t]]));
	}
	let _ = new Float32Array(2 * t.rows), v = new Float32Array(t.rows), y = new Float32Array(t.rows), b = [
		Infinity,
		Infinity,
		-Infinity,
		-Infinity
	];
	for (let e = 0; e < t.rows; e++) _.set([r[e], i[e]], 2 * e), v[e] = o[e] ? 0 : 4.5 + 3.5 * Math.sqrt(a[e] / u), y[e] = d(a[e]), b = [
		Math.min(b[0], r[e]),
		Math.min(b[1], i[e]),
		Math.max(b[2], r[e]),
		Math.max(b[3], i[e])
	];
	let x = Int32Array.from({ length: t.rows }, (e, t) => t).filter((e) => !o[e]);
	x.sort((e, t) => a[t] - a[e] || h[t] - h[e] || e - t), g.sort((e, t) => e - t);
	let S = g.filter((e) => e > 0), C = S.length ? S[S.length >> 1] : 1;
	return {
		ends: p,
		shape: m,
		places: _,
		sizes: v,
		levels: y,
		kv: l,
		box: b,
		rank: x,
		typical: C
	};
}
function de(e, t, n, r, i, a) {
	let o = i - n, s = a - r, c = o * o + s * s, l = c > 0 ? Math.min(1, Math.max(0, ((e - n) * o + (t - r) * s) / c)) : 0;
	return Math.hypot(e - n - l * o, t - r - l * s);
}
// node_modules/preact/dist/preact.mjs
var O, fe, pe, k, me, he, ge, _e, ve, ye, be, A = Symbol.for("pv"), xe = {}, Se = [], Ce = /^m(i|n|o|s|text|space)$/, we = Array.isArray, Te = Se.slice, j = Object.assign;
function M(e) {
	e && e.parentNode && e.remove();
}
function Ee(e, t, n) {
	var r, i, a, o = {}, s = arguments.length;
	for (a in t) a == "key" ? r = t[a] : a == "ref" && typeof e != "function" ? i = t[a] : o[a] = t[a];
	return s > 2 && (o.children = s > 3 ? Te.call(arguments, 2) : n), De(e, o, r, i, null);
}
function De(e, t, n, r, i) {
	var a = {
		type: e,
		props: t,
		key: n,
		ref: r,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: A,
		__v: i || ++fe,
		__i: -1,
		__u: 0
	};
	return !i && O.vnode && O.vnode(a), a;
}
function N(e) {
	return e.children;
}
function P(e, t) {
	this.props = e, this.context = t, this.__g = 0;
}
function F(e, t) {
	if (t == null) return e.__ && F(e.__, e.__i + 1);
	for (var n; t < e.__k.length; t++) if ((n = e.__k[t]) && n.__e) return n.__e;
	return typeof e.type != "function" || e.props.__P ? null : F(e);
}
function Oe(e) {
	var t, n = e.__v, r = n.__e, i = [], a = [], o = e.__P;
	o && ((t = j({ constructor: A }, n)).__v = n.__v + 1, O.vnode && O.vnode(t), ze(o, t, n, e.__n, o.namespaceURI, 32 & n.__u ? [r] : null, i, r || F(n), 32 & n.__u, a), t.__v = n.__v, t.__.__k[t.__i] = t, He(i, t, a), n.__ = n.__e = null, t.__e != r && ke(t));
}
function ke(e) {
	if ((e = e.__) && e.__c && !e.props.__P) return e.__e = null, e.__k.some(function(t) {
		return t && (e.__e = t.__e);
	}), ke(e);
}
function Ae(e) {
	(8 & e.__g || (e.__g |= 8, k.push(e), he++)) && me == O.debounceRendering || ((me = O.debounceRendering) || queueMicrotask)(je);
}
function je() {
	try {
		for (var e, t = 1; k.length;) k.length > t && k.sort(ge), e = k.shift(), t = k.length, 8 & e.__g && Oe(e);
	} finally {
		(he = k.length) && (me || queueMicrotask)(je);
	}
}
function Me(e, t, n, r, i, a, o, s, c, l, u) {
	var d, f, p, m, h, g, _ = r.__k || Se, v = t.length;
	for (c = Ne(n, t, _, c, v), d = 0; d < v; d++) (p = n.__k[d]) != null && (f = ~p.__i && _[p.__i] || xe, p.__i = d, g = ze(e, p, f, i, a, o, s, c, l, u), m = p.__e, (f.ref != p.ref || 8 & f.__u) && (f.ref && We(f.ref, null, p, f), p.ref && u.push(p.ref, p.__c || m, p)), h ||= m, 4 & p.__u ? (c = Pe(p, c, e, !f.__v), f.__e && (f.__e = null)) : typeof p.type == "function" && g !== void 0 ? c = g : m && (c = m.nextSibling), p.__u &= -21);
	return n.__e = h, c;
}
function Ne(e, t, n, r, i) {
	var a, o, s, c, l, u, d, f, p, m = n.length, h = m, g = 0, _ = 0, v = e.__k = Array(i);
	for (a = 0; a < i; a++) (o = t[a]) != null && typeof o != "boolean" && typeof o != "function" ? (typeof o != "object" || o.constructor === String ? o = v[a] = De(null, o) : we(o) ? o = v[a] = De(N, { children: o }) : o.constructor === A && o.__b ? o = v[a] = De(o.type, o.props, o.key, o.ref, o.__v) : v[a] = o, c = a + g, o.__ = e, o.__b = e.__b + 1, s = null, ~(l = o.__i = Fe(o, n, c, h)) && (h--, (s = n[l]) && (s.__u |= 2)), s && s.__v ? (o.__u |= 16, l == c - 1 ? g-- : l == c + 1 ? g++ : l != c && (l > c ? g-- : g++, _ = 1)) : (~l || (i > m ? g-- : i < m && g++), typeof o.type != "function" && (o.__u |= 4))) : v[a] = null;
	if (_) {
		for (u = [], d = [], a = 0; a < i; a++) if ((o = v[a]) && 16 & o.__u) {
			for (g = 0, f = u.length; g < f;) u[p = g + f >> 1] < o.__i ? g = p + 1 : f = p;
			u[g] = o.__i, d[a] = g + 1;
		}
		for (g = u.length; a--;) d[a] && (d[a] == g ? g-- : v[a].__u |= 4);
	}
	if (h) for (a = 0; a < m; a++) !(s = n[a]) || 2 & s.__u || (s.__e == r && (r = F(s)), Ge(s, s));
	return r;
}
function Pe(e, t, n, r) {
	var i, a, o, s;
	if (typeof e.type == "function") {
		if (e.props.__P) return t;
		if (i = e.__k) for (a = 0; a < i.length; a++) i[a] && (i[a].__ = e, t = Pe(i[a], t, n, !1));
		return t;
	}
	for (t && !t.parentNode && (t = F(e)) && !t.parentNode && (t = null), o = e.__e, s = t; s && s.nodeType == 8;) s = s.nextSibling;
	for (o != s && (!r && n.moveBefore && o.parentNode ? n.moveBefore(o, t) : n.insertBefore(o, t || null)), t = o; (t &&= t.nextSibling) && t.nodeType == 8 && !t.data.startsWith("$s"););
	return t;
}
function Fe(e, t, n, r) {
	var i, a = e.key, o = e.type, s = t[n], c = s && !(2 & s.__u);
	if (s === null && a == null || c && a == s.key && o == s.type) return n;
	if (r > +!!c) {
		for (i = n - 1; i >= 0; i--) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
		for (i = n + 1; i < t.length; i++) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
	}
	return -1;
}
function Ie(e, t, n) {
	n ??= "", t[0] == "-" ? e.setProperty(t, n) : e[t] = n;
}
function Le(e, t, n, r, i) {
	var a, o;
	if (t == "style") {
		if (typeof n == "string") e.style.cssText = n;
		else {
			if (typeof r == "string" && (e.style.cssText = r = ""), r) for (t in r) n && t in n || Ie(e.style, t);
			if (n) for (t in n) r && n[t] == r[t] || Ie(e.style, t, n[t]);
		}
	} else if (t[0] == "o" && t[1] == "n") typeof n != "function" && (n = null), typeof r != "function" && (r = null), (e.__e ||= {})[t] = n, n && r || (o = be[t] || (be[t] = Re(t)), (e.__a ||= {})[t] = ye, a = t != (t = t.replace(ve, "$1")), (t = t.slice(2))[0] < "a" && (t = t.toLowerCase()), n ? e.addEventListener(t, o, a) : e.removeEventListener(t, o, a));
	else {
		if (i == "http://www.w3.org/2000/svg") t = t.replace(/xlink(H|:h)/, "h").replace(/sName$/, "s");
		else if (t != "width" && t != "height" && t != "href" && t != "list" && t != "form" && t != "tabIndex" && t != "download" && t != "rowSpan" && t != "colSpan" && t != "role" && t != "popover" && t in e) try {
			e[t] = n ?? "";
			return;
		} catch {}
		if (typeof n == "function") return;
		n == null || !1 === n && t[4] != "-" ? e.removeAttribute(t) : e.setAttribute(t, t == "popover" && n == 1 ? "" : n);
	}
}
function Re(e) {
	return function(t) {
		var n = this.__e;
		if (n) {
			if (n = n[e], t[_e] == null) t[_e] = ye++;
			else if (t[_e] < this.__a[e]) return;
			return n(O.event ? O.event(t) : t);
		}
	};
}
function ze(e, t, n, r, i, a, o, s, c, l) {
	var u, d, f, p, m, h, g, _, v, y, b, x, S, C, w, ee, T, E, D = t.type;
	if (t.constructor !== A) return null;
	128 & n.__u && (c = 32 & n.__u, u = n.__c.__z) && (t.__u |= c, d = a = [], u.nodeType == 8 ? s = Be(u, a) : a.push(u), s = a[0] || s), (u = O.__b) && u(t);
	n: if (typeof D == "function") {
		f = o.length;
		try {
			if (_ = t.props, v = (u = D.prototype) && u.render, y = (u = D.contextType) && r[u.__c], b = u ? y ? y.props.value : u.__ : r, (p = n.__c) ? (t.__c = p, 2 & p.__g && (p.__g |= 1)) : (v ? t.__c = p = new D(_, b) : (t.__c = p = new P(_, b), p.constructor = D, p.render = Ke), y && y.sub(p), p.state || (p.state = {}), p.__n = r, p.__g |= 8, p.__h = [], p.__k = []), v && (p.__s || (p.__s = p.state), D.getDerivedStateFromProps && (p.__s == p.state && (p.__s = j({}, p.__s)), j(p.__s, D.getDerivedStateFromProps(_, p.__s)))), m = p.props, h = p.state, p.__v = t, n.__c) {
				if (_ !== m && v && !D.getDerivedStateFromProps && p.componentWillReceiveProps && p.componentWillReceiveProps(_, b), t.__v == n.__v && !(8 & p.__g) || !(4 & p.__g) && p.shouldComponentUpdate && !1 === p.shouldComponentUpdate(_, p.__s, b)) {
					t.__v != n.__v && (p.props = _, p.state = p.__s, p.__g &= -9), t.__e = n.__e, t.__k = n.__k, t.__k.some(function(e) {
						e && (e.__ = t);
					}), Se.push.apply(p.__h, p.__k), p.__k = [], p.__h.length && o.push(p), s = F(n);
					break n;
				}
				p.componentWillUpdate && p.componentWillUpdate(_, p.__s, b), v && p.componentDidUpdate && p.__h.push(function() {
					p.componentDidUpdate(m, h, g);
				});
			} else v && !D.getDerivedStateFromProps && p.componentWillMount && p.componentWillMount(), v && p.componentDidMount && p.__h.push(p.componentDidMount);
			p.context = b, p.props = _, p.__P = e, p.__g &= -5, x = O.__r, S = v ? 25 : 0;
			do
				p.__g &= -9, x && x(t), u = p.render(p.props, p.state = p.__s, p.context);
			while (8 & p.__g && ++S < 25);
			v && (Se.push.apply(p.__h, p.__k), p.__k = []), p.state = p.__s, p.getChildContext && (r = j({}, r, p.getChildContext())), v && n.__c && p.getSnapshotBeforeUpdate && (g = p.getSnapshotBeforeUpdate(m, h)), C = u && u.type === N && u.key == null ? u.props.children : u, _.__P && (u = s, i = (e = _.__P).namespaceURI, c = a = null, n.props && n.props.__P != e && (n.__k.some(function(e) {
				e && Ge(e, e);
			}), n.__k = null), s = n.__k ? F(n, 0) : null), s = Me(e, we(C) ? C : [C], t, n, r, i, a, o, s, c, l), _.__P && (t.__e = null, s = u), t.__u &= -161, d && d.some(M), p.__h.length && o.push(p), 1 & p.__g && (p.__g &= -4);
		} catch (e) {
			if (o.length = f, t.__v = null, c || a) {
				if (e && e.then) {
					if (t.__u |= 128 | c, a) {
						for (~(T = a.indexOf(s || void 0)) || (T = a.length); (E = a[T - 1]) && E.nodeType == 8;) T--;
						for (; T < a.length; T++) if (E = a[T]) {
							if (a[T] = null, w) {
								if (E == ee) break;
							} else {
								if (E.nodeType != 8) break;
								E.data.startsWith("$s") && (ee = Be(w = E));
							}
						}
					}
					if (!w) {
						for (; s && s.nodeType == 8 && s.nextSibling;) s = s.nextSibling;
						w = s;
					}
					(u = Be(w = t.__c.__z || (t.__c.__z = w))) ? (t.__e = w, s = u) : t.__e = s, s &&= s.nextSibling;
				} else a && a.some(M);
			} else t.__e = n.__e;
			t.__k ||= n.__k || [], e && e.then || Ve(t), O.__e(e, t, n);
		}
	} else s = t.__e = Ue(n.__e, t, n, r, i, a, o, c, l, e);
	return (u = O.diffed) && u(t), s;
}
function Be(e, t) {
	if (e && e.nodeType == 8 && e.data.startsWith("$s")) for (var n = 1; e = e.nextSibling;) {
		if (e.nodeType == 8) {
			if (e.data.startsWith("$s")) n++;
			else if (e.data.startsWith("/$s") && !--n) return e;
		}
		t && t.push(e);
	}
}
function Ve(e) {
	e && (e.__c && (e.__c.__g |= 4), e.__k && e.__k.some(Ve));
}
function He(e, t, n) {
	for (var r = 0; r < n.length;) We(n[r++], n[r++], n[r++]);
	O.__c && O.__c(t, e), e.some(function(t) {
		try {
			e = t.__h, t.__h = [], e.some(function(e) {
				e.call(t);
			});
		} catch (e) {
			O.__e(e, t.__v);
		}
	});
}
function Ue(e, t, n, r, i, a, o, s, c, l) {
	var u, d, f, p, m, h, g, _, v = n.props || xe, y = t.props, b = t.type;
	if (b == "svg" ? i = "http://www.w3.org/2000/svg" : b == "math" ? i = "http://www.w3.org/1998/Math/MathML" : i ||= "http://www.w3.org/1999/xhtml", a) {
		for (u = 0; u < a.length; u++) if ((m = a[u]) && (b ? m.localName == b : m.nodeType == 3)) {
			e = m, a[u] = null;
			break;
		}
	}
	if (!e) {
		if (_ = l.ownerDocument || document, !b) return _.createTextNode(y);
		e = _.createElementNS(i, b, y.is ? y : l), s &&= (O.__m && O.__m(t, a), !1), a = null;
	}
	if (b) {
		if (l = b == "template" && e.content || e, a = b == "textarea" && y.defaultValue != null ? null : a && Te.call(l.childNodes), !s && a) for (v = {}, u = 0; u < e.attributes.length; u++) v[(m = e.attributes[u]).name] = m.value;
		for (u in v) m = v[u], u == "dangerouslySetInnerHTML" ? f = m : u == "children" || u in y || u == "value" && "defaultValue" in y || u == "checked" && "defaultChecked" in y || Le(e, u, null, m, i);
		for (u in y) m = y[u], u == "children" ? p = m : u == "dangerouslySetInnerHTML" ? d = m : u == "value" ? h = m : u == "checked" ? g = m : s && typeof m != "function" || v[u] === m || Le(e, u, m, v[u], i);
		d ? (s || f && (d.__html == f.__html || d.__html == e.innerHTML) || (e.innerHTML = d.__html), t.__k = []) : (f && (e.textContent = ""), (b == "foreignObject" || i == "http://www.w3.org/1998/Math/MathML" && Ce.test(b)) && (i = "http://www.w3.org/1999/xhtml"), Me(l, we(p) ? p : [p], t, n, r, i, a, o, a ? a[0] : n.__k && F(n, 0), s, c), a && a.some(M)), s && b != "textarea" || (u = "value", b == "progress" && h == null ? e.removeAttribute(u) : h == null || h === e[u] && (b != "progress" || h) || Le(e, u, h, v[u], i), u = "checked", g != null && g != e[u] && Le(e, u, g, v[u], i));
	} else v === y || s && e.data == y || (e.data = y);
	return e;
}
function We(e, t, n, r) {
	try {
		typeof e == "function" ? t ? t.__x = e(t) || 1 : (r &&= r.__c || r.__e) && (t = r.__x) && (r.__x = null, typeof t == "function" ? t() : e(null)) : e.current = t;
	} catch (e) {
		O.__e(e, n);
	}
}
function Ge(e, t, n) {
	var r, i, a, o;
	if (O.unmount && O.unmount(e), !(r = e.ref) || r.current && r.current != e.__e || We(r, null, t, e), r = e.__c) {
		if (r.componentWillUnmount) try {
			r.componentWillUnmount();
		} catch (e) {
			O.__e(e, t);
		}
		r.__P = r.__n = null;
	}
	if (r = e.__k) for (o = 0; o < r.length; o++) r[o] && Ge(r[o], t, typeof e.type != "function" || n && !e.props.__P);
	!n && (r = e.__c) && (r = r.__z) && (i = Be(r, a = [])) && (r == e.__e && a.some(M), M(i), M(r)), n || M(e.__e), e.__e = e.__c = e.__ = null;
}
function Ke(e, t, n) {
	return this.constructor(e, n);
}
O = { __e: function(e, t, n, r) {
	for (var i, a, o; t = t.__;) if ((i = t.__c) && !(1 & i.__g)) {
		i.__g |= 4;
		try {
			if ((o = (a = i.constructor) && a.getDerivedStateFromError) && i.setState(a.getDerivedStateFromError(e)), i.componentDidCatch && (i.componentDidCatch(e, r || {}), o = 1), o && 8 & i.__g) return void (i.__g |= 2);
		} catch (t) {
			e = t;
		}
	}
	throw he = 0, e;
} }, fe = 0, pe = function(e) {
	return e != null && e.constructor === A;
}, P.prototype.setState = function(e, t) {
	var n = this.__s;
	n && n != this.state || (n = this.__s = j({}, this.state)), typeof e == "function" && (e = e(j({}, n), this.props)), e && (j(n, e), this.__v && (t && this.__k.push(t), Ae(this)));
}, P.prototype.forceUpdate = function(e) {
	this.__v && (this.__g |= 4, e && this.__h.push(e), Ae(this));
}, P.prototype.render = N, k = [], he = 0, ge = function(e, t) {
	return e.__v.__b - t.__v.__b;
}, _e = Symbol(), ve = /(PointerCapture)$|Capture$/i, ye = 0, be = {};
// node_modules/preact/hooks/dist/hooks.mjs
var qe, I, Je, Ye, Xe = Object.is, Ze = 0, Qe = [], $e = [], L = O, et = L.__b, tt = L.__r, nt = L.diffed, rt = L.__c, it = L.unmount, at = L.__;
function ot(e, t) {
	L.__h && L.__h(I, e, Ze || t), Ze = 0;
	var n = I.__H || (I.__H = {
		__: [],
		__h: []
	});
	return e >= n.__.length && n.__.push({}), n.__[e];
}
function st(e, t) {
	var n = ot(qe++, 7);
	return pt(n.__H, t) && (n.__ = e(), n.__H = t), n.__;
}
function ct() {
	var e;
	do {
		for (; e = $e.shift();) try {
			R(e);
		} catch (t) {
			L.__e(t, { __: (e = e.__P) && e.__v });
		}
		for (; e = Qe.shift();) {
			var t = e.__H;
			if (e.__P && t) try {
				t.__h.some(R), t.__h.some(ft), t.__h = [];
			} catch (n) {
				t.__h = [], L.__e(n, e.__v);
			}
		}
	} while ($e.length);
}
L.__b = function(e) {
	I = null, et && et(e);
}, L.__ = function(e, t) {
	e && t.__k && t.__k.__m && (e.__m = t.__k.__m), at && at(e, t);
}, L.__r = function(e) {
	tt && tt(e), qe = 0;
	var t = (I = e.__c).__H;
	t && (Je == I ? I.__h = [] : (t.__h.some(R), t.__h.some(ft), qe = 0), t.__h = [], t.__.some(function(e) {
		e.__N && (e.__ = e.__N), e.u = e.__N = void 0;
	})), Je = I;
}, L.diffed = function(e) {
	nt && nt(e);
	var t = e.__c;
	t && t.__H && (t.__H.__h.length && dt(Qe.push(t)), t.__H.__.some(function(e) {
		e.u && (e.__H = e.u);
	})), Je = I = null;
}, L.__c = function(e, t) {
	t.some(function(e) {
		try {
			e.__h.some(R), e.__h = e.__h.filter(function(e) {
				return !e.__ || ft(e);
			});
		} catch (t) {
			e.__h = [function() {
				throw t;
			}];
		}
	}), rt && rt(e, t);
}, L.unmount = function(e) {
	it && it(e);
	var t, n, r = e.__c;
	r && r.__H && (r.__H.__.some(function(r) {
		try {
			if (r.__P && r.__c) {
				if (n === void 0) {
					for (n = e.__; n && (!n.__c || !n.__c.__P);) n = n.__;
					n &&= n.__c;
				}
				r.__P = n, dt($e.push(r));
			} else R(r);
		} catch (e) {
			t = e;
		}
	}), r.__H = void 0, t && L.__e(t, r.__v));
};
var lt = typeof requestAnimationFrame == "function";
function ut(e) {
	var t, n = function() {
		clearTimeout(r), lt && cancelAnimationFrame(t), setTimeout(e);
	}, r = setTimeout(n, 35);
	lt && (t = requestAnimationFrame(n));
}
function dt(e) {
	e != 1 && Ye == L.requestAnimationFrame || ((Ye = L.requestAnimationFrame) || ut)(ct);
}
function R(e) {
	var t = I, n = e.__c;
	typeof n == "function" && (e.__c = void 0, n()), I = t;
}
function ft(e) {
	var t = I;
	e.__c = e.__(), I = t;
}
function pt(e, t) {
	return !e || e.length != t.length || t.some(function(t, n) {
		return !Xe(t, e[n]);
	});
}
// node_modules/@preact/signals-core/dist/signals-core.module.js
var mt = Symbol.for("preact-signals");
function ht() {
	if (H > 1) H--;
	else {
		var e, t = !1;
		for ((function() {
			var e = xt;
			for (xt = void 0; e !== void 0;) {
				var t = e.S;
				if (t.v === e.v) for (var n = t.t; n !== void 0; n = n.x) n.i === e.i && (n.i = t.i);
				e = e.o;
			}
		})(); V !== void 0;) {
			var n = V;
			for (V = void 0, vt++; n !== void 0;) {
				var r = n.u;
				if (n.u = void 0, n.f &= -3, !(8 & n.f) && wt(n)) try {
					n.c();
				} catch (n) {
					t ||= (e = n, !0);
				}
				n = r;
			}
		}
		if (vt = 0, H--, t) throw e;
	}
}
function gt(e) {
	if (H > 0) return e();
	bt = ++yt, H++;
	try {
		return e();
	} finally {
		ht();
	}
}
var z, B = void 0;
function _t(e) {
	var t = B, n = z;
	B = void 0, z = void 0;
	try {
		return e();
	} finally {
		B = t, z = n;
	}
}
var V = void 0, H = 0, vt = 0, yt = 0, bt = 0, xt = void 0, St = 0;
function Ct(e) {
	if (B !== void 0) {
		var t = e.n;
		if (t === void 0 || t.t !== B) return t = {
			i: 0,
			S: e,
			p: B.s,
			n: void 0,
			t: B,
			e: void 0,
			x: void 0,
			r: t
		}, B.s !== void 0 && (B.s.n = t), B.s = t, e.n = t, 32 & B.f && e.S(t), t;
		if (t.i === -1) return t.i = 0, t.n !== void 0 && (t.n.p = t.p, t.p !== void 0 && (t.p.n = t.n), t.p = B.s, t.n = void 0, B.s.n = t, B.s = t), t;
	}
}
function U(e, t) {
	this.v = e, this.i = 0, this.n = void 0, this.t = void 0, this.l = 0, this.W = t?.watched, this.Z = t?.unwatched, this.name = t?.name;
}
U.prototype.brand = mt, U.prototype.h = function() {
	return !0;
}, U.prototype.S = function(e) {
	var t = this, n = this.t;
	n !== e && e.e === void 0 && (e.x = n, this.t = e, n === void 0 ? _t(function() {
		var e;
		(e = t.W) == null || e.call(t);
	}) : n.e = e);
}, U.prototype.U = function(e) {
	var t = this;
	if (this.t !== void 0) {
		var n = e.e, r = e.x;
		n !== void 0 && (n.x = r, e.e = void 0), r !== void 0 && (r.e = n, e.x = void 0), e === this.t && (this.t = r, r === void 0 && _t(function() {
			var e;
			(e = t.Z) == null || e.call(t);
		}));
	}
}, U.prototype.subscribe = function(e) {
	var t = this;
	return J(function() {
		var n = t.value;
		_t(function() {
			return e(n);
		});
	}, { name: "sub" });
}, U.prototype.valueOf = function() {
	return this.value;
}, U.prototype.toString = function() {
	return this.value + "";
}, U.prototype.toJSON = function() {
	return this.value;
}, U.prototype.peek = function() {
	var e = this;
	return _t(function() {
		return e.value;
	});
}, Object.defineProperty(U.prototype, "value", {
	get: function() {
		var e = Ct(this);
		return e !== void 0 && (e.i = this.i), this.v;
	},
	set: function(e) {
		if (e !== this.v) {
			if (vt > 100) throw Error("Cycle detected");
			(function(e) {
				H !== 0 && vt === 0 && e.l !== bt && (e.l = bt, xt = {
					S: e,
					v: e.v,
					i: e.i,
					o: xt
				});
			})(this), this.v = e, this.i++, St++, H++;
			try {
				for (var t = this.t; t !== void 0; t = t.x) t.t.N();
			} finally {
				ht();
			}
		}
	}
});
function W(e, t) {
	return new U(e, t);
}
function wt(e) {
	for (var t = e.s; t !== void 0; t = t.n) if (t.S.i !== t.i || !t.S.h() || t.S.i !== t.i) return !0;
	return !1;
}
function Tt(e) {
	for (var t = e.s; t !== void 0; t = t.n) {
		var n = t.S.n;
		if (n !== void 0 && (t.r = n), t.S.n = t, t.i = -1, t.n === void 0) {
			e.s = t;
			break;
		}
	}
}
function Et(e) {
	for (var t = e.s, n = void 0; t !== void 0;) {
		var r = t.p;
		t.i === -1 ? (t.S.U(t), r !== void 0 && (r.n = t.n), t.n !== void 0 && (t.n.p = r)) : n = t, t.S.n = t.r, t.r !== void 0 && (t.r = void 0), t = r;
	}
	e.s = n;
}
function G(e, t) {
	U.call(this, void 0, t), this.x = e, this.s = void 0, this.g = St - 1, this.f = 4;
}
G.prototype = new U(), G.prototype.h = function() {
	if (this.f &= -3, 1 & this.f) return !1;
	if ((36 & this.f) == 32 || (this.f &= -5, this.g === St)) return !0;
	if (this.g = St, this.f |= 1, this.i > 0 && !wt(this)) return this.f &= -2, !0;
	var e = B;
	try {
		Tt(this), B = this;
		var t = this.x();
		(16 & this.f || this.v !== t || this.i === 0) && (this.v = t, this.f &= -17, this.i++);
	} catch (e) {
		this.v = e, this.f |= 16, this.i++;
	}
	return B = e, Et(this), this.f &= -2, !0;
}, G.prototype.S = function(e) {
	if (this.t === void 0) {
		this.f |= 36;
		for (var t = this.s; t !== void 0; t = t.n) t.S.S(t);
	}
	U.prototype.S.call(this, e);
}, G.prototype.U = function(e) {
	if (this.t !== void 0 && (U.prototype.U.call(this, e), this.t === void 0)) {
		this.f &= -33;
		for (var t = this.s; t !== void 0; t = t.n) t.S.U(t);
	}
}, G.prototype.N = function() {
	if (!(2 & this.f)) {
		this.f |= 6;
		for (var e = this.t; e !== void 0; e = e.x) e.t.N();
	}
}, Object.defineProperty(G.prototype, "value", { get: function() {
	if (1 & this.f) throw Error("Cycle detected");
	var e = Ct(this);
	if (this.h(), e !== void 0 && (e.i = this.i), 16 & this.f) throw this.v;
	return this.v;
} });
function K(e, t) {
	return new G(e, t);
}
function Dt(e) {
	var t = e.j;
	if (e.j = void 0, typeof t == "function") {
		H++;
		var n = B;
		B = void 0;
		try {
			t();
		} catch (t) {
			throw e.f &= -2, e.f |= 8, Ot(e), t;
		} finally {
			B = n, ht();
		}
	}
}
function Ot(e) {
	for (var t = e.s; t !== void 0; t = t.n) t.S.U(t);
	e.x = void 0, e.s = void 0, Dt(e);
}
function kt(e) {
	if (B !== this) throw Error("Out-of-order effect");
	Et(this), B = e, this.f &= -2;
	try {
		8 & this.f && Ot(this);
	} finally {
		ht();
	}
}
function q(e, t) {
	this.x = e, this.j = void 0, this.s = void 0, this.u = void 0, this.f = 32, this.name = t?.name, z && z.push(this);
}
q.prototype.c = function() {
	var e = this.S();
	try {
		if (8 & this.f || this.x === void 0) return;
		var t = this.x();
		typeof t == "function" && (this.j = t);
	} finally {
		e();
	}
}, q.prototype.S = function() {
	if (1 & this.f) throw Error("Cycle detected");
	this.f |= 1, this.f &= -9, Dt(this), Tt(this), H++;
	var e = B;
	return B = this, kt.bind(this, e);
}, q.prototype.N = function() {
	2 & this.f || (this.f |= 2, this.u = V, V = this);
}, q.prototype.d = function() {
	this.f |= 8, 1 & this.f || Ot(this);
}, q.prototype.dispose = function() {
	this.d();
};
function J(e, t) {
	var n = new q(e, t);
	try {
		n.c();
	} catch (e) {
		throw n.d(), e;
	}
	var r = n.d.bind(n);
	return r[Symbol.dispose] = r, r;
}
// node_modules/@preact/signals/dist/signals.module.js
var At, jt, Mt = typeof window < "u" && !!window.__PREACT_SIGNALS_DEVTOOLS__, Nt = [];
J(function() {
	At = this.N;
})();
function Y(e, t) {
	O[e] = t.bind(null, O[e] || function() {});
}
function Pt(e) {
	if (jt) {
		var t = jt;
		jt = void 0, t();
	}
	jt = e && e.S();
}
function Ft(e) {
	var t = this, n = e.data, r = Lt(n);
	r.name = "ReactiveDom", r.value = n;
	var i = st(function() {
		for (var e = t, n = t.__v; n = n.__;) if (n.__c) {
			n.__c.__$f |= 4;
			break;
		}
		var i = K(function() {
			var e = r.value.value;
			return e === 0 ? 0 : !0 === e ? "" : e || "";
		}), a = K(function() {
			return !Array.isArray(i.value) && !pe(i.value);
		}), o = J(function() {
			if (this.N = Bt, a.value) {
				var t = i.value;
				e.__v && e.__v.__e && e.__v.__e.nodeType === 3 && (e.__v.__e.data = t);
			}
		}), s = t.__$u.d;
		return t.__$u.d = function() {
			o(), s.call(this);
		}, [a, i];
	}, []), a = i[0], o = i[1];
	return a.value ? o.peek() : o.value;
}
Ft.displayName = "ReactiveTextNode", Object.defineProperties(U.prototype, {
	constructor: {
		configurable: !0,
		value: Ee(N, null).constructor
	},
	type: {
		configurable: !0,
		value: Ft
	},
	props: {
		configurable: !0,
		get: function() {
			var e = this;
			return { data: { get value() {
				return e.value;
			} } };
		}
	},
	__b: {
		configurable: !0,
		value: 1
	}
}), Y("__b", function(e, t) {
	if (Pt(), typeof t.type == "string") {
		var n, r = t.props;
		for (var i in r) if (i !== "children") {
			var a = r[i];
			a instanceof U && (n || (t.__np = n = {}), n[i] = a, r[i] = a.peek());
		}
	}
	e(t);
}), Y("__r", function(e, t) {
	if (e(t), t.type !== N) {
		Pt();
		var n, r = t.__c;
		r && (r.__$f &= -2, (n = r.__$u) === void 0 && (r.__$u = n = function(e, t) {
			var n;
			return J(function() {
				n = this;
			}, { name: t }), n.c = e, n;
		}(function(e) {
			return function() {
				var t;
				Mt && ((t = this.y) == null || t.call(this)), e.__$f |= 1, e.setState({});
			};
		}(r), typeof t.type == "function" ? t.type.displayName || t.type.name : ""))), Pt(n);
	}
}), Y("__e", function(e, t, n, r) {
	Pt(), e(t, n, r);
}), Y("diffed", function(e, t) {
	Pt();
	var n;
	if (typeof t.type == "string" && (n = t.__e)) {
		var r = t.__np, i = t.props, a = n.U;
		if (a) for (var o in a) {
			var s = a[o];
			s === void 0 || r && o in r || (s.d(), a[o] = void 0);
		}
		if (r) for (var c in a || (a = {}, n.U = a), r) {
			var l = a[c], u = r[c];
			l === void 0 ? (l = It(n, c, u, i), a[c] = l) : l.o(u, i);
		}
	}
	e(t);
});
function It(e, t, n, r) {
	var i = t in e && e.ownerSVGElement === void 0, a = W(n);
	return {
		o: function(e, t) {
			a.value = e, r = t;
		},
		d: J(function() {
			this.N = Bt;
			var n = a.value.value;
			r[t] !== n && (r[t] = n, i ? e[t] = n : n != null && (!1 !== n || t[4] === "-") ? e.setAttribute(t, n) : e.removeAttribute(t));
		})
	};
}
Y("unmount", function(e, t) {
	if (typeof t.type == "string") {
		var n = t.__e;
		if (n) {
			var r = n.U;
			if (r) for (var i in n.U = void 0, r) {
				var a = r[i];
				a && a.d();
			}
		}
		var o = t.__np;
		if (o) {
			var s = t.props;
			for (var c in o) s[c] = o[c];
		}
		t.__np = void 0;
	} else {
		var l = t.__c;
		if (l) {
			l.__$f |= 8;
			var u = l.__$u;
			u && (l.__$u = void 0, u.d());
		}
	}
	e(t);
}), Y("__h", function(e, t, n, r) {
	r < 3 && (t.__$f |= 2), e(t, n, r);
}), P.prototype.shouldComponentUpdate = function(e, t) {
	if (this.__R) return !0;
	var n = this.__$u, r = n && n.s !== void 0;
	for (var i in t) return !0;
	if (this.__f || typeof this.u == "boolean" && !0 === this.u) {
		var a = 2 & this.__$f;
		if (!(r || a || 4 & this.__$f) || 1 & this.__$f) return !0;
	} else if (!(r || 4 & this.__$f) || 3 & this.__$f) return !0;
	for (var o in e) if (o !== "__source" && e[o] !== this.props[o]) return !0;
	for (var s in this.props) if (!(s in e)) return !0;
	return !1;
};
function Lt(e, t) {
	return st(function() {
		return W(e, t);
	}, []);
}
var Rt = function(e) {
	queueMicrotask(function() {
		queueMicrotask(e);
	});
};
function zt() {
	gt(function() {
		for (var e; e = Nt.shift();) At.call(e);
	});
}
function Bt() {
	Nt.push(this) === 1 && (O.requestAnimationFrame || Rt)(zt);
}
// src/state.ts
var Vt = [
	"map",
	"schedule",
	"data",
	"studies"
], Ht = W("map"), Ut = W(""), Wt = W(0), Gt = W(-1), Kt = W("n"), qt = W(""), Jt = W("outages");
W(!1);
var Yt = /* @__PURE__ */ new Map();
function X(e, t) {
	let n = W(t);
	return Yt.set(e, [n, t]), n;
}
X("at", ""), X("by", ""), X("whole", !1), X("kind", ""), X("outages", ""), X("kv", ""), X("area", ""), X("find", ""), X("where", ""), X("earlier", !1), X("every", !1), X("with", ""), X("table", "violations"), X("sql", ""), W(null), W(""), W(!0);
var Xt = W(null);
W([]), W(null), W(null);
var Zt = W(null), Qt = W(null), $t = W(null);
W(!1), W("");
var en = W(!1);
new Promise((e) => en.subscribe((t) => {
	t && e();
}));
var tn = (e) => {
	try {
		return localStorage.getItem(`aurigrid.${e}`);
	} catch {
		return null;
	}
}, nn = (e, t) => {
	try {
		localStorage.setItem(`aurigrid.${e}`, t);
	} catch {}
}, rn = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark", an = W(tn("theme") || rn);
J(() => {
	document.documentElement.dataset.theme = an.value, nn("theme", an.value);
});
var on = W(tn("lang") || (navigator.language.startsWith("zh") ? "zh" : "en"));
J(() => {
	document.documentElement.lang = on.value === "zh" ? "zh-CN" : "en", nn("lang", on.value);
});
var sn = K(() => Zt.value ? Array.from(Zt.value.table.i("step")) : []);
K(() => Xt.value?.find((e) => e.key === Ut.value)?.kind ?? "day"), K(() => {
	let e = Zt.value?.shares.spread_price_per_mwh;
	if (!e) return null;
	let t = Float32Array.from(e.f("q50")).filter((e) => e === e).sort(), n = t[t.length >> 1] ?? 0, r = [...e.f("q10"), ...e.f("q90")].filter((e) => e === e).map((e) => Math.abs(e - n)).sort((e, t) => e - t);
	return [n, Math.max(1, r[Math.floor(.95 * (r.length - 1))] ?? 1)];
}), K(() => Math.max(0, sn.value.indexOf(Wt.value))), K(() => {
	let e = $t.value;
	return Gt.value >= 0 && Kt.value !== "n" && e && cn(e.status) ? e : Qt.value;
});
var cn = (e) => e === "converged" || e === "islanded";
function ln() {
	let [e = "", t = ""] = location.hash.replace(/^#\/?/, "").split("?"), [n = "", r = ""] = e.split("/").map(decodeURIComponent), i = new URLSearchParams(t);
	gt(() => {
		n && (Ut.value = n), Ht.value = Vt.includes(r) ? r : "map", Wt.value = Number(i.get("step") ?? 0) || 0, Gt.value = i.has("outage") ? Number(i.get("outage")) : -1, Kt.value = i.get("mode") || (Gt.value >= 0 ? "n1" : "n"), qt.value = i.get("element") ?? "", Jt.value = i.get("side") || (qt.value ? "element" : "outages");
		for (let [e, [t, n]] of Yt) t.value = typeof n == "boolean" ? i.has(e) : i.get(e) ?? n;
	});
}
function un() {
	let e = new URLSearchParams();
	e.set("step", String(Wt.value)), Gt.value >= 0 && (e.set("outage", String(Gt.value)), e.set("mode", Kt.value)), qt.value && e.set("element", qt.value), Jt.value !== "outages" && e.set("side", Jt.value);
	for (let [t, [n, r]] of Yt) n.value !== r && e.set(t, n.value === !0 ? "1" : String(n.value));
	return `#/${encodeURIComponent(Ut.value)}/${Ht.value}?${e}`;
}
var dn = null;
ln(), addEventListener("hashchange", () => {
	location.hash !== un() && ln();
}), dn = o(Ut.peek(), Wt.peek()), dn.catch(() => void 0), Array.isArray;
// src/files/save.tsx
var fn = (e) => e.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\"", "&quot;"), Z = (e) => `#${e.map((e) => Math.round(255 * e).toString(16).padStart(2, "0")).join("")}`, pn = (e, t, n) => [
	0,
	1,
	2
].map((r) => e[r] + (t[r] - e[r]) * n), mn = (e) => Math.min(1, Math.max(0, e)), Q = (e) => Number(e.toFixed(1));
function hn(e, t) {
	let n = e.ramp[0];
	for (let r = 1; r < e.ramp.length; r++) n = pn(n, e.ramp[r], mn((t - e.stops[r - 1]) / (e.stops[r] - e.stops[r - 1])));
	return Z(n);
}
function gn(e, t, n, r) {
	let i = [`<rect width="${e.width}" height="${e.height}" fill="${r.map}"/>`, ...t.map((t) => _n(t, e, r))], [a, o] = vn(e), [s, c] = yn(e);
	i.push(...a, ...o, ...s, ...c);
	for (let t of n) i.push(`<text x="${Q(t.x)}" y="${Q(t.y + 4)}" font-size="${e.labelSize}"${t.bold ? " font-weight=\"600\"" : ""} fill="${t.bold ? r.ink : r.soft}" stroke="${r.map}" stroke-width="3" paint-order="stroke" stroke-linejoin="round">${fn(t.text)}</text>`);
	return i.join("");
}
function _n(e, t, n) {
	let r = `<path d="${e.x === void 0 ? `M0 ${e.y + .5}H${t.width}` : `M${e.x + .5} 0V${t.height}`}" stroke="${n.graticule}"/>`;
	return e.text ? `${r}<text x="${e.x === void 0 ? 5 : e.x + 4}" y="${e.y === void 0 ? 12 : e.y - 4}" font-size="10" fill="${n.faint}">${e.text}</text>` : r;
}
function vn(e) {
	let { ends: t, shape: n } = e.drawing, { x: r, y: i, scale: a } = e.camera, o = e.palette, s = [], c = [];
	for (let l = 0; l < e.loading.length; l++) {
		let u = e.width / 2 + (t[4 * l] - r) * a, d = e.height / 2 - (t[4 * l + 1] - i) * a, f = e.width / 2 + (t[4 * l + 2] - r) * a, p = e.height / 2 - (t[4 * l + 3] - i) * a;
		if (Math.max(u, f) < 0 || Math.min(u, f) > e.width || Math.max(d, p) < 0 || Math.min(d, p) > e.height) continue;
		let m = Math.hypot(f - u, p - d), [h, g] = m > .001 ? [(f - u) / m, (p - d) / m] : [1, 0], _ = n[2 * l] * Math.min(3.2, m * .06), v = e.loading[l], y = e.branches[2 * l + 1], [b, x] = [g * _, -h * _], S = n[2 * l + 1] * e.detail * (1 + o.widen * mn((e.branches[2 * l] / 51 - 3) / 2)), C = `M${Q(u + b)} ${Q(d + x)}L${Q(f + b)} ${Q(p + x)}`, w = !!(y & 12) || v !== v;
		y & 2 ? s.push(`<path d="${C}" stroke="${Z(o.selected)}" stroke-width="${Q(S + 4)}" stroke-linecap="round"/>`) : y & 1 && s.push(`<path d="${C}" stroke="${Z(o.halo)}" stroke-opacity="0.34" stroke-width="${Q(S + 9)}" stroke-linecap="round"/>`);
		let ee = w ? Z(o.out) : hn(o, v);
		if (c.push(`<path d="${C}" stroke="${ee}" stroke-width="${Q(S)}"${w ? " stroke-dasharray=\"4 4\"" : ""}/>`), m > 30 && y & 48 && !w) {
			let t = 2.2 + n[2 * l + 1] * .9 * e.detail, r = y & 16 ? 1 : -1, [i, a] = [(u + f) / 2 + b, (d + p) / 2 + x], [o, s] = [h * r, g * r], m = `${Q(i + o * t * 1.25)} ${Q(a + s * t * 1.25)}`, _ = (e) => `${Q(i - o * t * .85 - s * t * e)} ${Q(a - s * t * .85 + o * t * e)}`;
			c.push(`<path d="M${m}L${_(.85)}L${_(-.85)}Z" fill="${ee}"/>`);
		}
	}
	return [s, c];
}
function yn(e) {
	let { places: t, sizes: n, levels: r } = e.drawing, { x: i, y: a, scale: o } = e.camera, s = e.palette, c = [], l = [];
	for (let u = 0; u < e.voltage.length; u++) {
		let d = e.buses[2 * u + 1], p = n[u] * Math.max(e.detail, f), m = d & 2 ? Math.max(p, 9) : p, h = e.width / 2 + (t[2 * u] - i) * o, g = e.height / 2 - (t[2 * u + 1] - a) * o;
		if (m < 1 || h < -9 || g < -9 || h > e.width + 9 || g > e.height + 9) continue;
		let _ = `cx="${Q(h)}" cy="${Q(g)}"`;
		d & 3 && c.push(`<circle ${_} r="${Q((Math.max(p, 5) + 9) / 2)}" fill="${Z(d & 2 ? s.selected : s.halo)}" opacity="${d & 2 ? .95 : .34}"/>`);
		let v = e.voltage[u], y = v !== v, b = Math.max(1, m * .16), x = s.bus[1], S = y ? s.ring : e.byLevel ? s.bus[3 + r[u]] : v < 0 ? pn(x, s.bus[0], mn(-v)) : pn(x, s.bus[2], mn(v));
		l.push(`<circle ${_} r="${Q(Math.max(.5, (m - b) / 2))}" fill="${Z(S)}" stroke="${Z(y ? s.out : s.ring)}" stroke-width="${Q(b)}"/>`);
	}
	return [c, l];
}
// src/map/view.ts
var bn = .02, xn = 111.195, $ = 8, Sn = 190, Cn = "system-ui, \"Noto Sans CJK SC\", sans-serif", wn = 1400, Tn = /* @__PURE__ */ new Map();
function En(e) {
	let t = Tn.get(e);
	if (t === void 0) {
		t = 0;
		for (let n of e) t += n > "⺀" ? 11 : 6.2;
		Tn.size > 2e4 && Tn.clear(), Tn.set(e, t);
	}
	return t;
}
var Dn = /* @__PURE__ */ new WeakMap();
function On(e, t) {
	let n = Dn.get(e);
	if (!n || n.length !== t) {
		n = new Uint8Array(t);
		for (let t of e) n[t] = 1;
		Dn.set(e, n);
	}
	return n;
}
function kn(e) {
	let t = e.bus.f("v_min_pu"), n = e.bus.f("v_max_pu");
	return t.map((e, t) => Math.max(.02, Math.min(n[t] < 2 ? n[t] - 1 : .1, e > 0 ? 1 - e : .1, .1)));
}
var An = class {
	host;
	camera = {
		x: 0,
		y: 0,
		scale: 1
	};
	gl;
	over;
	renderer;
	drawing = null;
	scene = null;
	width = 1;
	height = 1;
	fitScale = 1;
	asked = 0;
	drag = null;
	loading = /* @__PURE__ */ new Float32Array();
	voltage = /* @__PURE__ */ new Float32Array();
	band = /* @__PURE__ */ new Float32Array();
	branches = /* @__PURE__ */ new Uint8Array();
	buses = /* @__PURE__ */ new Uint8Array();
	watch;
	colours = /* @__PURE__ */ new Map();
	told = [];
	taken = /* @__PURE__ */ new Uint8Array();
	covered = [];
	onmove = () => void 0;
	onpick = () => void 0;
	onhover = () => void 0;
	constructor(e) {
		this.host = e, [this.gl, this.over] = [0, 1].map(() => {
			let t = document.createElement("canvas");
			return t.className = "map-layer", e.appendChild(t), t;
		}), this.size(), this.renderer = new E(this.gl), this.watch = new ResizeObserver(() => this.resize()), this.watch.observe(e), e.addEventListener("pointerdown", this.down), e.addEventListener("pointermove", this.move), e.addEventListener("pointerup", this.up), e.addEventListener("pointerleave", () => this.onhover(null, 0, 0)), e.addEventListener("wheel", this.wheel, { passive: !1 }), e.addEventListener("dblclick", (e) => this.zoom(2, e.offsetX, e.offsetY));
	}
	close() {
		this.watch.disconnect(), cancelAnimationFrame(this.asked), this.host.replaceChildren();
	}
	show(e) {
		let t = this.scene?.grid !== e.grid;
		if (this.scene = e, t) {
			let t = this.drawing = ue(e.grid);
			this.renderer.setGrid(t.ends, t.shape, t.places, t.sizes, t.levels);
			let [n, r] = [e.grid.branch.rows, e.grid.bus.rows];
			[this.loading, this.voltage, this.branches, this.buses] = [
				new Float32Array(n),
				new Float32Array(r),
				new Uint8Array(2 * n),
				new Uint8Array(2 * r)
			], this.band = kn(e.grid);
		}
		this.recolour(), t && this.fit(), this.later();
	}
	recolour() {
		let e = this.scene;
		this.renderer.palette = le(e.theme, e.change), this.renderer.byLevel = e.byLevel, this.renderer.haloed = {
			lines: !!(this.recolourBranches(e) & 3),
			buses: this.recolourBuses(e) !== 0
		}, this.renderer.setState(this.branches, this.buses);
	}
	recolourBranches(e) {
		let { branch: t } = e.grid, { branches: n, told: r, loading: i } = this, { low: a, scale: o, of: s } = this.renderer.palette.codes, c = e.state?.branch.has("loading") ? e.state.branch : null, l = c?.f("loading"), u = c?.f("p_from_mw"), d = e.change ? e.before?.branch.f("loading") : void 0, [f, p] = e.selected.split(":"), m = t.i("in_service"), h = On(e.brokenBranch, t.rows), g = On(e.wentOut, t.rows), _ = f === "branch" ? Number(p) : -1, v = t.rows, y = 0;
		r.length = 0;
		for (let e = 0; e < v; e++) {
			let t = l ? l[e] : 0, c = u ? u[e] : 0, f = c === c, p = t === t ? t : f ? 0 : NaN, v = i[e] = d ? p - (d[e] || 0) : p, b = (h[e] && 1) | (e === _ ? 2 : 0) | (!m[e] || g[e] ? 4 : f ? 0 : 8) | (c > .5 ? 16 : c < -.5 ? 32 : 0), x = (v - a) * o | 0;
			n[2 * e] = s[x < 0 ? 0 : x > 2e3 ? 2e3 : x], n[2 * e + 1] = b, y |= b, (d ? Math.abs(v) >= bn : h[e] && p > 1) && r.push(e);
		}
		return r.sort((e, t) => Math.abs(i[t]) - Math.abs(i[e])), y;
	}
	recolourBuses(e) {
		let { bus: t } = e.grid, { buses: n, band: r, voltage: i } = this, [a, o] = e.selected.split(":"), s = e.prices && e.state?.bus.has("price_per_mwh") ? e.state.bus.f("price_per_mwh") : null, c = e.state?.bus.has("v_mag") ? e.state.bus.f("v_mag") : null, l = On(e.brokenBus, t.rows), u = a === "bus" ? Number(o) : -1, d = 0;
		for (let a = 0; a < t.rows; a++) {
			let t = i[a] = s ? (s[a] - e.prices[0]) / e.prices[1] : c ? (c[a] - 1) / r[a] : 0, o = (l[a] && 1) | (a === u ? 2 : 0);
			n[2 * a] = g(t), n[2 * a + 1] = o, d |= o;
		}
		return d;
	}
	resize() {
		let { clientWidth: e, clientHeight: t } = this.host, n = this.width === 1;
		(this.width !== (e || 1) || this.height !== (t || 1)) && (this.size(), n && this.fit(), this.frame());
	}
	size() {
		this.width = this.host.clientWidth || 1, this.height = this.host.clientHeight || 1;
		for (let e of [this.gl, this.over]) e.width = Math.max(1, Math.round(this.width * T())), e.height = Math.max(1, Math.round(this.height * T()));
	}
	fit() {
		if (!this.drawing) return;
		let [e, t, n, r] = this.drawing.box, i = Math.min(Math.max(8, this.width - 90) / Math.max(n - e, 1e-6), Math.max(8, this.height - 70) / Math.max(r - t, 1e-6));
		this.fitScale = Math.max(i, 1e-9), this.camera = {
			x: (e + n) / 2,
			y: (t + r) / 2,
			scale: this.fitScale
		}, this.later();
	}
	zoom(e, t = this.width / 2, n = this.height / 2) {
		let r = this.camera, i = Math.min(this.fitScale * 4e3, Math.max(this.fitScale * .4, r.scale * e)), [a, o] = [t - this.width / 2, this.height / 2 - n];
		this.camera = {
			x: r.x + a / r.scale - a / i,
			y: r.y + o / r.scale - o / i,
			scale: i
		}, this.later();
	}
	pan(e, t) {
		this.camera = {
			...this.camera,
			x: this.camera.x - e / this.camera.scale,
			y: this.camera.y + t / this.camera.scale
		}, this.later();
	}
	get look() {
		let e = this.camera, t = e.scale / this.fitScale, n = this.drawing;
		return !n || Math.abs(t - 1) < .001 && Math.hypot(e.x - (n.box[0] + n.box[2]) / 2, e.y - (n.box[1] + n.box[3]) / 2) * e.scale < 1 ? "" : [
			e.x,
			e.y,
			t
		].map((e) => Number(e.toPrecision(6))).join(",");
	}
	set look(e) {
		let [t, n, r] = e.split(",").map(Number);
		r > 0 && Number.isFinite(t + n + r) ? this.camera = {
			x: t,
			y: n,
			scale: r * this.fitScale
		} : this.fit(), this.later();
	}
	goto(e, t) {
		let n = this.drawing;
		if (!n || t < 0) return;
		let r = n.ends, i = n.places, [a, o, s] = e === "branch" ? [
			(r[4 * t] + r[4 * t + 2]) / 2,
			(r[4 * t + 1] + r[4 * t + 3]) / 2,
			Math.hypot(r[4 * t] - r[4 * t + 2], r[4 * t + 1] - r[4 * t + 3])
		] : [
			i[2 * t],
			i[2 * t + 1],
			0
		], c = Math.min(Math.max(this.camera.scale, this.fitScale * 3), .5 * this.width / Math.max(s, 1e-6));
		this.camera = {
			x: a,
			y: o,
			scale: c
		}, this.later();
	}
	down = (e) => {
		e.button === 0 && e.target.tagName === "CANVAS" && (this.drag = {
			x: e.clientX,
			y: e.clientY,
			moved: !1
		}, this.host.setPointerCapture(e.pointerId));
	};
	move = (e) => {
		if (this.drag) {
			let [t, n] = [e.clientX - this.drag.x, e.clientY - this.drag.y];
			(this.drag.moved || Math.hypot(t, n) > 3) && (this.pan(t, n), this.drag = {
				x: e.clientX,
				y: e.clientY,
				moved: !0
			}, this.onhover(null, 0, 0));
		} else e.target.tagName === "CANVAS" && this.onhover(this.pick(e.offsetX, e.offsetY), e.offsetX, e.offsetY);
	};
	up = (e) => {
		let t = this.drag && !this.drag.moved;
		this.drag = null, t && this.onpick(this.pick(e.offsetX, e.offsetY));
	};
	wheel = (e) => {
		e.preventDefault(), this.zoom(Math.exp(-e.deltaY * (e.ctrlKey ? .01 : .0016)), e.offsetX, e.offsetY);
	};
	pick(e, t) {
		let n = this.drawing;
		if (!n) return null;
		let r = this.camera.x + (e - this.width / 2) / this.camera.scale, i = this.camera.y + (this.height / 2 - t) / this.camera.scale, a = 9 / this.camera.scale, o = null;
		for (let e = 0; e < n.sizes.length; e++) {
			if (!n.sizes[e]) continue;
			let t = Math.hypot(n.places[2 * e] - r, n.places[2 * e + 1] - i);
			t < a && (a = t, o = {
				table: "bus",
				index: e
			});
		}
		if (o) return o;
		a = 6 / this.camera.scale;
		let s = n.ends;
		for (let e = 0; e < s.length / 4; e++) {
			let t = de(r, i, s[4 * e], s[4 * e + 1], s[4 * e + 2], s[4 * e + 3]);
			t < a && (a = t, o = {
				table: "branch",
				index: e
			});
		}
		return o;
	}
	central() {
		let e = this.drawing;
		if (!e) return null;
		let t = this.pick(this.width / 2, this.height / 2);
		if (t) return t;
		let n = Infinity, r = null;
		for (let t = 0; t < e.sizes.length; t++) {
			let i = Math.hypot(e.places[2 * t] - this.camera.x, e.places[2 * t + 1] - this.camera.y);
			e.sizes[t] && i < n && (n = i, r = {
				table: "bus",
				index: t
			});
		}
		return r;
	}
	later() {
		this.onmove(), this.asked ||= requestAnimationFrame(() => {
			this.asked = 0, this.frame();
		});
	}
	get detail() {
		let e = (this.drawing?.typical ?? 1) * this.camera.scale;
		return Math.min(1.5, Math.max(.34, Math.sqrt(e / 46)));
	}
	frame() {
		if (!this.scene || !this.renderer.palette) return;
		let e = this.meridians();
		this.renderer.draw(this.camera, this.detail, e, this.ruler()), this.labels(e);
	}
	get labelSize() {
		return this.width > wn ? 13 : 11;
	}
	screenX(e) {
		return this.width / 2 + (e - this.camera.x) * this.camera.scale;
	}
	screenY(e) {
		return this.height / 2 - (e - this.camera.y) * this.camera.scale;
	}
	colour(e) {
		let t = this.scene.theme, n = this.colours.get(t + e);
		return n === void 0 && this.colours.set(t + e, n = getComputedStyle(this.host).getPropertyValue(e)), n;
	}
	ruler() {
		let e = this.colour("--graticule").trim();
		return [
			1,
			3,
			5
		].map((t) => parseInt(e.slice(t, t + 2), 16) / 255);
	}
	meridians() {
		let { grid: e } = this.scene, t = [];
		if (!e.geographic || this.height / this.camera.scale > 360 * xn) return t;
		let [n, r] = e.origin, i = this.camera, a = xn * Math.cos(r * Math.PI / 180), o = this.height / i.scale / xn, s = [
			.1,
			.25,
			.5,
			1,
			2,
			5,
			10
		].find((e) => o / e < 7) ?? 20, c = (e) => `${Math.abs(Number(e.toFixed(2)))}°`, l = [this.width / 2 / i.scale, this.height / 2 / i.scale];
		for (let e = Math.ceil((n + (i.x - l[0]) / a) / s) * s;; e += s) {
			let r = this.screenX((e - n) * a);
			if (r > this.width) break;
			t.push({
				x: Math.round(r),
				text: r > 40 && r < this.width - 90 ? `${c(e)} ${e < 0 ? "W" : "E"}` : ""
			});
		}
		for (let e = Math.ceil((r + (i.y - l[1]) / xn) / s) * s;; e += s) {
			let n = this.screenY((e - r) * xn);
			if (n < 0) break;
			t.push({
				y: Math.round(n),
				text: n > 24 && n < this.height - Sn ? `${c(e)} ${e < 0 ? "S" : "N"}` : ""
			});
		}
		return t;
	}
	labels(e) {
		let t = this.over.getContext("2d"), n = T();
		t.setTransform(n, 0, 0, n, 0, 0), t.clearRect(0, 0, this.width, this.height), t.font = "10px system-ui, sans-serif", t.fillStyle = this.colour("--faint"), t.textBaseline = "alphabetic";
		for (let n of e) n.text && t.fillText(n.text, n.x === void 0 ? 5 : n.x + 4, n.y === void 0 ? 12 : n.y - 4);
		t.textBaseline = "middle", t.lineJoin = "round", t.lineWidth = 3, t.strokeStyle = this.colour("--map");
		let r = this.placed(), i = this.colour("--ink"), a = this.colour("--soft");
		for (let e of [!0, !1]) {
			t.font = `${e ? "600 " : ""}${this.labelSize}px ${Cn}`, t.fillStyle = e ? i : a;
			for (let n of r) n.bold === e && (t.strokeText(n.text, n.x, n.y), t.fillText(n.text, n.x, n.y));
		}
	}
	placed() {
		let e = this.drawing, t = this.scene, n = [], r = Math.ceil(this.width / $), i = r * Math.ceil(this.height / $);
		this.taken.length < i && (this.taken = new Uint8Array(i));
		let a = this.taken.fill(0), o = this.labelSize / 11, s = i / r, c = (e, t, n, i, o) => {
			let [c, l, u, d] = [
				Math.max(0, e / $ | 0),
				Math.min(r - 1, (e + n) / $ | 0),
				Math.max(0, t / $ | 0),
				Math.min(s - 1, (t + i) / $ | 0)
			];
			if (!o) {
				for (let e = u; e <= d; e++) for (let t = c; t <= l; t++) if (a[e * r + t]) return !1;
			}
			for (let e = u; e <= d; e++) for (let t = c; t <= l; t++) a[e * r + t] = 1;
			return !0;
		};
		for (let [e, t, n, r] of this.covered) c(e < 0 ? this.width + e : e, t < 0 ? this.height + t : t, n, r, !0);
		let l = (e, t, r, i) => {
			let a = En(e) * o;
			return t < 4 || r < 10 || t + a > this.width - 4 || r > this.height - 10 || !c(t, r - 7 * o, a, 14 * o, !1) ? !1 : (n.push({
				text: e,
				x: t,
				y: r,
				bold: i
			}), !0);
		}, u = t.state?.branch.has("loading") ? t.state.branch.f("loading") : null, d = e.ends, f = ({ table: t, index: n }) => t === "bus" ? [this.screenX(e.places[2 * n]), this.screenY(e.places[2 * n + 1])] : [this.screenX((d[4 * n] + d[4 * n + 2]) / 2), this.screenY((d[4 * n + 1] + d[4 * n + 3]) / 2)];
		for (let e of t.lost) {
			let [t, n] = f(e);
			l(`✕ ${e.label}`, t - 5, n, !0);
		}
		let [p, m] = t.selected.split(":"), h = Number(m);
		if (p === "branch") {
			let [e, n] = f({
				table: p,
				index: h
			});
			l(`${t.grid.branch.t("id")[h]}  ${u && u[h] === u[h] ? `${(100 * u[h]).toFixed(0)} %` : ""}`, e + 8, n - 10, !0);
		} else if (p === "bus") {
			let [e, n] = f({
				table: p,
				index: h
			});
			l(t.grid.bus.t("name")[h] || t.grid.bus.t("id")[h], e + 9, n - 9, !0);
		}
		if (u) {
			let e = Math.min(60, this.told.length), n = this.loading;
			for (let r = 0, i = 0; r < e && i < 25; r++) {
				let e = this.told[r], [a, o] = f({
					table: "branch",
					index: e
				}), s = Math.abs(100 * n[e]).toFixed(0);
				l(t.change ? `${n[e] < 0 ? "−" : "+"}${s} %` : `${s} %`, a + 6, o, !0) && i++;
			}
		}
		if (e.typical * this.camera.scale < 34) return n;
		let g = t.grid.bus.t("name"), _ = t.grid.bus.t("id"), v = 0;
		for (let t of e.rank) {
			let n = this.screenX(e.places[2 * t]), r = this.screenY(e.places[2 * t + 1]);
			if (!(n < 0 || r < 0 || n > this.width || r > this.height) && l(g[t] || _[t], n + 8, r + 1, !1) && ++v > 70) break;
		}
		return n;
	}
	picture() {
		let e = {
			labelSize: this.labelSize,
			drawing: this.drawing,
			camera: this.camera,
			width: this.width,
			height: this.height,
			detail: this.detail,
			palette: this.renderer.palette,
			byLevel: this.renderer.byLevel,
			loading: this.loading,
			branches: this.branches,
			voltage: this.voltage,
			buses: this.buses
		}, t = {
			map: this.colour("--map"),
			ink: this.colour("--ink"),
			soft: this.colour("--soft"),
			faint: this.colour("--faint"),
			graticule: this.colour("--graticule")
		};
		return {
			width: this.width,
			height: this.height,
			svg: gn(e, this.meridians(), this.placed(), t)
		};
	}
	async measure(e, t = 0) {
		let n = [], r = this.scene, i = r.state, a = {
			...i,
			branch: i.branch.changed("loading", 1.02),
			bus: i.bus.changed("v_mag", 1.001)
		};
		for (let o = 0; o < e; o++) {
			t && await new Promise((e) => setTimeout(e, t)), await new Promise(requestAnimationFrame);
			let e = performance.now();
			this.scene = {
				...r,
				state: o % 2 ? a : i
			}, this.camera = {
				...this.camera,
				x: this.camera.x + (o % 2 ? 1 : -1) * (3 / this.camera.scale)
			}, this.recolour(), this.frame(), n.push(performance.now() - e);
		}
		return this.show(r), n;
	}
	bar() {
		let e = 110 / this.camera.scale, t = 10 ** Math.floor(Math.log10(e)), n = [
			1,
			2,
			5,
			10
		].map((e) => e * t).filter((t) => t <= e).pop() ?? t;
		return [n, n * this.camera.scale];
	}
}, jn = {
	dark: {
		map: "#0f1519",
		ink: "#e7eef1",
		soft: "#a9b7bf",
		faint: "#8b9aa3",
		graticule: "#1c262c"
	},
	light: {
		map: "#ffffff",
		ink: "#1b262b",
		soft: "#4a5961",
		faint: "#66757d",
		graticule: "#e6ebee"
	}
};
function Mn(e) {
	let t = (t) => new a(e[t]);
	return {
		name: e.name,
		geographic: e.geographic,
		origin: e.origin,
		bus: t("bus"),
		branch: t("branch"),
		gen: t("gen"),
		load: t("load"),
		switches: t("switch")
	};
}
function Nn(e) {
	return !e || !e.bus ? null : {
		step: 0,
		contingency: -1,
		status: "",
		agrees: !0,
		lost: [],
		bus: new a(e.bus),
		branch: new a(e.branch),
		gen: new a(e.gen)
	};
}
function Pn({ model: e, el: t }) {
	let n = document.createElement("div"), r = document.createElement("div");
	n.className = "aurigrid-map", n.tabIndex = 0, r.className = "aurigrid-key", n.style.height = `${e.get("height")}px`, t.append(n, r);
	let i = new An(n), a = Mn(e.get("grid")), o = () => {
		let t = e.get("theme") === "dark" ? "dark" : "light", r = Nn(e.get("state"));
		n.style.height = `${e.get("height")}px`;
		for (let [e, r] of Object.entries(jn[t])) n.style.setProperty(`--${e}`, r);
		n.style.background = jn[t].map;
		let o = r?.branch.has("loading") ? r.branch.f("loading") : /* @__PURE__ */ new Float32Array(), c = /* @__PURE__ */ new Set();
		o.forEach((e, t) => {
			e > 1 && c.add(t);
		});
		let l = /* @__PURE__ */ new Set();
		r?.branch.has("out") && r.branch.i("out").forEach((e, t) => {
			e && l.add(t);
		}), i.show({
			grid: a,
			state: r,
			before: r,
			change: !1,
			theme: t,
			byLevel: e.get("buses") === "level",
			brokenBranch: c,
			brokenBus: /* @__PURE__ */ new Set(),
			selected: e.get("selected"),
			wentOut: l,
			prices: null,
			lost: []
		}), s(t);
	}, s = (t) => {
		let n = (e, t) => `<span><i style="background:${e}"></i>${t}</span>`, o = e.get("buses") === "level" ? ue(a).kv.slice(0, 6).map((e, r) => n(ae[t][r], `${e} kV`)) : [
			"low",
			"1 pu",
			"high"
		].map((e, r) => n(oe[t][r], e)), [s, c] = i.bar(), l = a.geographic ? `<span><b style="width:${c.toFixed(0)}px"></b>${s} km</span><span>N↑</span>` : "";
		r.innerHTML = `<span>loading 0 %<em style="background:linear-gradient(90deg,${te[t].join(",")})"></em>130 %</span>${n(se[t], "over 100 %")}${o.join("")}${l}`;
	};
	i.onpick = (t) => {
		e.set("selected", t ? `${t.table}:${t.index}` : ""), e.save_changes();
	};
	let c = i.later.bind(i);
	i.later = () => {
		c(), s(e.get("theme") === "dark" ? "dark" : "light");
	};
	let l = {
		ArrowLeft: () => i.pan(60, 0),
		ArrowRight: () => i.pan(-60, 0),
		ArrowUp: () => i.pan(0, 60),
		ArrowDown: () => i.pan(0, -60),
		"+": () => i.zoom(1.4),
		"-": () => i.zoom(1 / 1.4),
		0: () => i.fit()
	};
	n.addEventListener("keydown", (e) => {
		l[e.key] && (e.preventDefault(), e.stopPropagation(), l[e.key]());
	});
	let u = [["change:grid", () => {
		a = Mn(e.get("grid")), o();
	}], ...[
		"state",
		"theme",
		"buses",
		"height",
		"selected"
	].map((e) => [`change:${e}`, o])];
	return u.forEach(([t, n]) => e.on(t, n)), o(), () => {
		u.forEach(([t, n]) => e.off(t, n)), i.close();
	};
}
var Fn = { render: Pn };
export { Fn as default };
