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
// src/map/palette.ts
var u = (e) => [
	1,
	3,
	5
].map((t) => parseInt(e.slice(t, t + 2), 16) / 255), d = {
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
}, f = [
	0,
	.3,
	.6,
	.8,
	1,
	1.3
], p = {
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
}, m = [
	-.3,
	-.1,
	-.01,
	.01,
	.1,
	.3
], h = {
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
}, g = {
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
}, _ = {
	dark: "#ff5c8a",
	light: "#c2185b"
}, v = /* @__PURE__ */ new Map();
function y(e, t) {
	let n = `${e}${t}`, r = v.get(n) ?? {
		ramp: (t ? p : d)[e].map(u),
		stops: t ? m : f,
		halo: u(_[e]),
		selected: u(e === "dark" ? "#ffffff" : "#10181c"),
		out: u(e === "dark" ? "#7d8f99" : "#6b7a82"),
		ring: u(e === "dark" ? "#0f1519" : "#ffffff"),
		bus: [...g[e], ...h[e]].map(u)
	};
	return v.set(n, r), r;
}
// src/map/geometry.ts
function b(e) {
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
function x(e, t, n, r, i, a) {
	let o = i - n, s = a - r, c = o * o + s * s, l = c > 0 ? Math.min(1, Math.max(0, ((e - n) * o + (t - r) * s) / c)) : 0;
	return Math.hypot(e - n - l * o, t - r - l * s);
}
// src/map/renderer.ts
var S = 1024, C = 30, w = .5, T = "#version 300 es\nprecision highp float; precision highp int;\nuniform vec2 uView, uCentre; uniform float uScale, uRatio, uSize;\nvec2 place(vec2 p) { return (p - uCentre) * uScale; }\nvec4 clip(vec2 px) { return vec4(px * 2.0 / uView, 0.0, 1.0); }\n", E = "\nuniform vec3 uRamp[6]; uniform float uStops[6];\nvec3 ramp(float v) {\n  vec3 c = uRamp[0];\n  for (int i = 1; i < 6; i++) c = mix(c, uRamp[i], clamp((v - uStops[i-1]) / (uStops[i] - uStops[i-1]), 0.0, 1.0));\n  return c;\n}\n", D = `
precision highp sampler2D; precision highp usampler2D;
uniform sampler2D uEnds, uShape, uLoading; uniform usampler2D uMark;
ivec2 cell(int k) { return ivec2(k % ${S}, k / ${S}); }
`, O = "float edge(float past) { return clamp(0.5 - past, 0.0, 1.0); }", ee = `${T}${D}
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
}`, te = `#version 300 es
precision highp float; precision highp int;
uniform int uPass; uniform float uRatio; uniform vec3 uHalo, uSelected, uOut; in float vAlong, vAcross, vValue; flat in int vFlag; flat in float vLength, vHalf, vFaint; out vec4 o;
${E}${O}
void main() {
  float cover = vFaint * edge(abs(vAcross) - vHalf) * edge(abs(vAlong) - 0.5 * vLength);
  if (uPass == 0) { o = ((vFlag & 2) != 0 ? vec4(uSelected, 0.95) : vec4(uHalo, 0.34)) * vec4(1.0, 1.0, 1.0, cover); o.rgb *= o.a; return; }
  bool gone = (vFlag & 12) != 0 || !(vValue == vValue);
  if (gone) cover *= edge((abs(mod(vAlong / uRatio, 8.0) - 4.0) - 2.0) * uRatio);
  o = (gone ? vec4(uOut, 0.9) : vec4(ramp(vValue), 0.96)) * vec4(1.0, 1.0, 1.0, cover); o.rgb *= o.a;
}`, ne = `${T}${D}
out float vValue; out vec2 vPlace; flat out float vSize;
void main() {
  ivec2 at = cell(gl_VertexID / 3); int k = gl_VertexID % 3, flag = int(texelFetch(uMark, at, 0).r);
  vec4 ends = texelFetch(uEnds, at, 0); vec2 a = place(ends.xy), b = place(ends.zw), d = b - a; float l = length(d);
  gl_Position = vec4(2.0, 2.0, 0.0, 1.0); vValue = texelFetch(uLoading, at, 0).r;
  if (l <= ${C}.0 * uRatio || (flag & 48) == 0 || (flag & 12) != 0 || !(vValue == vValue)) return;
  vec2 shape = texelFetch(uShape, at, 0).rg, u = d / l, n = vec2(-u.y, u.x);
  float s = (2.2 + shape.y * 0.9 * uSize) * uRatio, fan = shape.x * min(3.2 * uRatio, l * 0.06);
  vec2 m = (a + b) * 0.5 + n * fan; if ((flag & 32) != 0) u = -u;
  vSize = s; // of the sides from tip to foot, the normal is (0.375, 0.927): half a pixel out, the tip moves 1.33, a foot (0.5, 0.74)
  vPlace = k == 0 ? vec2(s * 1.25 + 1.33, 0.0) : vec2(-s * 0.85 - 0.5, (s * 0.85 + 0.74) * (k == 1 ? 1.0 : -1.0));
  gl_Position = clip(m + u * vPlace.x + vec2(-u.y, u.x) * vPlace.y);
}`, re = `#version 300 es
precision highp float; precision highp int;
in float vValue; in vec2 vPlace; flat in float vSize; out vec4 o;
${E}${O}
void main() {
  float past = max(dot(vec2(vPlace.x - 1.25 * vSize, abs(vPlace.y)), vec2(0.375, 0.927)), -0.85 * vSize - vPlace.x);
  o = vec4(ramp(vValue), 1.0) * edge(past);
}`, ie = `${T}
layout(location=0) in vec2 aPlace; layout(location=1) in float aSize; layout(location=2) in float aValue; layout(location=3) in float aFlag; layout(location=4) in float aLevel;
uniform int uPass; out float vValue, vSize; flat out int vFlag, vLevel;
void main() {
  int flag = int(aFlag); float s = aSize * uSize * uRatio;
  if (uPass == 0) s = (flag & 3) == 0 ? 0.0 : max(s, 5.0 * uRatio) + 9.0 * uRatio;
  else if ((flag & 2) != 0) s = max(s, 9.0 * uRatio);
  vValue = aValue; vFlag = flag; vSize = s; vLevel = int(aLevel); gl_PointSize = s + 1.0;
  gl_Position = s < 1.0 ? vec4(2.0, 2.0, 0.0, 1.0) : clip(place(aPlace));
}`, ae = `#version 300 es
precision highp float; precision highp int;
uniform int uPass, uByLevel; uniform float uRatio; uniform vec3 uHalo, uSelected, uOut, uRing, uLow, uMid, uHigh, uLevels[6]; in float vValue, vSize; flat in int vFlag, vLevel; out vec4 o;
${O}
void main() {
  float r = length(gl_PointCoord - 0.5) * (vSize + 1.0), rim = vSize * 0.5, inside = edge(r - rim);
  if (uPass == 0) { float a = (vFlag & 2) != 0 ? 0.95 : 0.34; o = vec4((vFlag & 2) != 0 ? uSelected : uHalo, a * inside); o.rgb *= o.a; return; }
  bool gone = !(vValue == vValue);
  vec3 c = gone ? uRing : uByLevel == 1 ? uLevels[vLevel] : vValue < 0.0 ? mix(uMid, uLow, min(-vValue, 1.0)) : mix(uMid, uHigh, min(vValue, 1.0));
  vec3 ring = gone ? uOut : uRing;
  c = mix(c, ring, clamp(r - (rim - max(1.0, vSize * 0.16)), 0.0, 1.0));
  o = vec4(c, inside); o.rgb *= o.a;
}`, k = () => Math.min(devicePixelRatio || 1, 2), oe = class {
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
			[ee, te],
			[ne, re],
			[ie, ae]
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
			loading: {
				unit: 2,
				parts: 1,
				kept: t.R32F,
				format: t.RED,
				type: t.FLOAT
			},
			mark: {
				unit: 3,
				parts: 1,
				kept: t.R8UI,
				format: t.RED_INTEGER,
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
	texture(e) {
		let t = this.gl, n = this.textures[e];
		n.it && t.deleteTexture(n.it), n.it = t.createTexture(), t.activeTexture(t.TEXTURE0 + n.unit), t.bindTexture(t.TEXTURE_2D, n.it), t.texStorage2D(t.TEXTURE_2D, 1, n.kept, S, Math.max(1, Math.ceil(this.nLine / S)));
		for (let e of [t.TEXTURE_MIN_FILTER, t.TEXTURE_MAG_FILTER]) t.texParameteri(t.TEXTURE_2D, e, t.NEAREST);
	}
	fill(e, t) {
		let n = this.gl, r = this.textures[e], i = Math.floor(this.nLine / S), a = this.nLine % S;
		n.activeTexture(n.TEXTURE0 + r.unit), i && n.texSubImage2D(n.TEXTURE_2D, 0, 0, 0, S, i, r.format, r.type, t, 0), a && n.texSubImage2D(n.TEXTURE_2D, 0, 0, i, a, 1, r.format, r.type, t, i * S * r.parts);
	}
	setGrid(e, t, n, r, i) {
		let a = this.gl;
		this.nLine = e.length / 4, this.nBus = r.length, this.longest = 0;
		for (let t = 0; t < e.length; t += 4) this.longest = Math.max(this.longest, Math.hypot(e[t] - e[t + 2], e[t + 1] - e[t + 3]));
		for (let e of Object.keys(this.textures)) this.texture(e);
		this.fill("ends", e), this.fill("shape", t), this.lines = a.createVertexArray(), a.bindVertexArray(this.buses = a.createVertexArray()), this.attribute("place", 0, 2, n), this.attribute("size", 1, 1, r), this.attribute("voltage", 2, 1, new Float32Array(this.nBus)), this.attribute("busMark", 3, 1, new Uint8Array(this.nBus)), this.attribute("level", 4, 1, i), a.bindVertexArray(null);
	}
	set(e, t) {
		let n = this.gl;
		e in this.textures ? this.fill(e, t) : (n.bindBuffer(n.ARRAY_BUFFER, this.buffers[e]), n.bufferSubData(n.ARRAY_BUFFER, 0, t));
	}
	uniforms(e, t, n) {
		let r = this.gl, i = e.at, a = this.palette, o = k();
		if (r.useProgram(e.use), r.uniform2f(i.get("uView"), this.canvas.width, this.canvas.height), r.uniform2f(i.get("uCentre"), t.x, t.y), r.uniform1f(i.get("uScale"), t.scale * o), r.uniform1f(i.get("uSize"), n), i.has("uRatio") && r.uniform1f(i.get("uRatio"), o), e.palette === a) return;
		for (let [e, t] of [
			["uEnds", 0],
			["uShape", 1],
			["uLoading", 2],
			["uMark", 3]
		]) i.has(e) && r.uniform1i(i.get(e), t);
		e.palette = a;
		let s = [
			["uHalo", a.halo],
			["uSelected", a.selected],
			["uOut", a.out],
			["uRing", a.ring],
			["uLow", a.bus[0]],
			["uMid", a.bus[1]],
			["uHigh", a.bus[2]]
		];
		for (let [e, t] of s) i.has(e) && r.uniform3f(i.get(e), t[0], t[1], t[2]);
		i.has("uRamp") && (r.uniform3fv(i.get("uRamp"), a.ramp.flat()), r.uniform1fv(i.get("uStops"), a.stops)), i.has("uLevels") && r.uniform3fv(i.get("uLevels"), a.bus.slice(3, 9).flat());
	}
	draw(e, t) {
		let n = this.gl;
		if (n.viewport(0, 0, this.canvas.width, this.canvas.height), n.clearColor(0, 0, 0, 0), n.clear(n.COLOR_BUFFER_BIT), !this.nBus) return;
		let [r, i, a] = this.programs ??= this.linked.map((e) => this.ready(e));
		n.bindVertexArray(this.lines), this.uniforms(r, e, t * k());
		for (let e of this.haloed.lines ? [0, 1] : [1]) n.uniform1i(r.at.get("uPass"), e), n.drawArrays(n.TRIANGLES, 0, 6 * this.nLine);
		this.longest * e.scale > C && (this.uniforms(i, e, t), n.drawArrays(n.TRIANGLES, 0, 3 * this.nLine)), n.bindVertexArray(this.buses), this.uniforms(a, e, Math.max(t, w)), n.uniform1i(a.at.get("uByLevel"), +!!this.byLevel);
		for (let e of this.haloed.buses ? [0, 1] : [1]) n.uniform1i(a.at.get("uPass"), e), n.drawArrays(n.POINTS, 0, this.nBus);
		n.bindVertexArray(null);
	}
}, A, se, ce, j, le, ue, de, fe, pe, me, he, ge = Symbol.for("pv"), _e = {}, ve = [], ye = /^m(i|n|o|s|text|space)$/, be = Array.isArray, xe = ve.slice, M = Object.assign;
function N(e) {
	e && e.parentNode && e.remove();
}
function Se(e, t, n) {
	var r, i, a, o = {}, s = arguments.length;
	for (a in t) a == "key" ? r = t[a] : a == "ref" && typeof e != "function" ? i = t[a] : o[a] = t[a];
	return s > 2 && (o.children = s > 3 ? xe.call(arguments, 2) : n), Ce(e, o, r, i, null);
}
function Ce(e, t, n, r, i) {
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
		constructor: ge,
		__v: i || ++se,
		__i: -1,
		__u: 0
	};
	return !i && A.vnode && A.vnode(a), a;
}
function P(e) {
	return e.children;
}
function F(e, t) {
	this.props = e, this.context = t, this.__g = 0;
}
function I(e, t) {
	if (t == null) return e.__ && I(e.__, e.__i + 1);
	for (var n; t < e.__k.length; t++) if ((n = e.__k[t]) && n.__e) return n.__e;
	return typeof e.type != "function" || e.props.__P ? null : I(e);
}
function we(e) {
	var t, n = e.__v, r = n.__e, i = [], a = [], o = e.__P;
	o && ((t = M({ constructor: ge }, n)).__v = n.__v + 1, A.vnode && A.vnode(t), Fe(o, t, n, e.__n, o.namespaceURI, 32 & n.__u ? [r] : null, i, r || I(n), 32 & n.__u, a), t.__v = n.__v, t.__.__k[t.__i] = t, Re(i, t, a), n.__ = n.__e = null, t.__e != r && Te(t));
}
function Te(e) {
	if ((e = e.__) && e.__c && !e.props.__P) return e.__e = null, e.__k.some(function(t) {
		return t && (e.__e = t.__e);
	}), Te(e);
}
function Ee(e) {
	(8 & e.__g || (e.__g |= 8, j.push(e), ue++)) && le == A.debounceRendering || ((le = A.debounceRendering) || queueMicrotask)(De);
}
function De() {
	try {
		for (var e, t = 1; j.length;) j.length > t && j.sort(de), e = j.shift(), t = j.length, 8 & e.__g && we(e);
	} finally {
		(ue = j.length) && (le || queueMicrotask)(De);
	}
}
function Oe(e, t, n, r, i, a, o, s, c, l, u) {
	var d, f, p, m, h, g, _ = r.__k || ve, v = t.length;
	for (c = ke(n, t, _, c, v), d = 0; d < v; d++) (p = n.__k[d]) != null && (f = ~p.__i && _[p.__i] || _e, p.__i = d, g = Fe(e, p, f, i, a, o, s, c, l, u), m = p.__e, (f.ref != p.ref || 8 & f.__u) && (f.ref && Be(f.ref, null, p, f), p.ref && u.push(p.ref, p.__c || m, p)), h ||= m, 4 & p.__u ? (c = Ae(p, c, e, !f.__v), f.__e && (f.__e = null)) : typeof p.type == "function" && g !== void 0 ? c = g : m && (c = m.nextSibling), p.__u &= -21);
	return n.__e = h, c;
}
function ke(e, t, n, r, i) {
	var a, o, s, c, l, u, d, f, p, m = n.length, h = m, g = 0, _ = 0, v = e.__k = Array(i);
	for (a = 0; a < i; a++) (o = t[a]) != null && typeof o != "boolean" && typeof o != "function" ? (typeof o != "object" || o.constructor === String ? o = v[a] = Ce(null, o) : be(o) ? o = v[a] = Ce(P, { children: o }) : o.constructor === ge && o.__b ? o = v[a] = Ce(o.type, o.props, o.key, o.ref, o.__v) : v[a] = o, c = a + g, o.__ = e, o.__b = e.__b + 1, s = null, ~(l = o.__i = je(o, n, c, h)) && (h--, (s = n[l]) && (s.__u |= 2)), s && s.__v ? (o.__u |= 16, l == c - 1 ? g-- : l == c + 1 ? g++ : l != c && (l > c ? g-- : g++, _ = 1)) : (~l || (i > m ? g-- : i < m && g++), typeof o.type != "function" && (o.__u |= 4))) : v[a] = null;
	if (_) {
		for (u = [], d = [], a = 0; a < i; a++) if ((o = v[a]) && 16 & o.__u) {
			for (g = 0, f = u.length; g < f;) u[p = g + f >> 1] < o.__i ? g = p + 1 : f = p;
			u[g] = o.__i, d[a] = g + 1;
		}
		for (g = u.length; a--;) d[a] && (d[a] == g ? g-- : v[a].__u |= 4);
	}
	if (h) for (a = 0; a < m; a++) !(s = n[a]) || 2 & s.__u || (s.__e == r && (r = I(s)), Ve(s, s));
	return r;
}
function Ae(e, t, n, r) {
	var i, a, o, s;
	if (typeof e.type == "function") {
		if (e.props.__P) return t;
		if (i = e.__k) for (a = 0; a < i.length; a++) i[a] && (i[a].__ = e, t = Ae(i[a], t, n, !1));
		return t;
	}
	for (t && !t.parentNode && (t = I(e)) && !t.parentNode && (t = null), o = e.__e, s = t; s && s.nodeType == 8;) s = s.nextSibling;
	for (o != s && (!r && n.moveBefore && o.parentNode ? n.moveBefore(o, t) : n.insertBefore(o, t || null)), t = o; (t &&= t.nextSibling) && t.nodeType == 8 && !t.data.startsWith("$s"););
	return t;
}
function je(e, t, n, r) {
	var i, a = e.key, o = e.type, s = t[n], c = s && !(2 & s.__u);
	if (s === null && a == null || c && a == s.key && o == s.type) return n;
	if (r > +!!c) {
		for (i = n - 1; i >= 0; i--) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
		for (i = n + 1; i < t.length; i++) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
	}
	return -1;
}
function Me(e, t, n) {
	n ??= "", t[0] == "-" ? e.setProperty(t, n) : e[t] = n;
}
function Ne(e, t, n, r, i) {
	var a, o;
	if (t == "style") {
		if (typeof n == "string") e.style.cssText = n;
		else {
			if (typeof r == "string" && (e.style.cssText = r = ""), r) for (t in r) n && t in n || Me(e.style, t);
			if (n) for (t in n) r && n[t] == r[t] || Me(e.style, t, n[t]);
		}
	} else if (t[0] == "o" && t[1] == "n") typeof n != "function" && (n = null), typeof r != "function" && (r = null), (e.__e ||= {})[t] = n, n && r || (o = he[t] || (he[t] = Pe(t)), (e.__a ||= {})[t] = me, a = t != (t = t.replace(pe, "$1")), (t = t.slice(2))[0] < "a" && (t = t.toLowerCase()), n ? e.addEventListener(t, o, a) : e.removeEventListener(t, o, a));
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
function Pe(e) {
	return function(t) {
		var n = this.__e;
		if (n) {
			if (n = n[e], t[fe] == null) t[fe] = me++;
			else if (t[fe] < this.__a[e]) return;
			return n(A.event ? A.event(t) : t);
		}
	};
}
function Fe(e, t, n, r, i, a, o, s, c, l) {
	var u, d, f, p, m, h, g, _, v, y, b, x, S, C, w, T, E, D, O = t.type;
	if (t.constructor !== ge) return null;
	128 & n.__u && (c = 32 & n.__u, u = n.__c.__z) && (t.__u |= c, d = a = [], u.nodeType == 8 ? s = Ie(u, a) : a.push(u), s = a[0] || s), (u = A.__b) && u(t);
	n: if (typeof O == "function") {
		f = o.length;
		try {
			if (_ = t.props, v = (u = O.prototype) && u.render, y = (u = O.contextType) && r[u.__c], b = u ? y ? y.props.value : u.__ : r, (p = n.__c) ? (t.__c = p, 2 & p.__g && (p.__g |= 1)) : (v ? t.__c = p = new O(_, b) : (t.__c = p = new F(_, b), p.constructor = O, p.render = He), y && y.sub(p), p.state || (p.state = {}), p.__n = r, p.__g |= 8, p.__h = [], p.__k = []), v && (p.__s || (p.__s = p.state), O.getDerivedStateFromProps && (p.__s == p.state && (p.__s = M({}, p.__s)), M(p.__s, O.getDerivedStateFromProps(_, p.__s)))), m = p.props, h = p.state, p.__v = t, n.__c) {
				if (_ !== m && v && !O.getDerivedStateFromProps && p.componentWillReceiveProps && p.componentWillReceiveProps(_, b), t.__v == n.__v && !(8 & p.__g) || !(4 & p.__g) && p.shouldComponentUpdate && !1 === p.shouldComponentUpdate(_, p.__s, b)) {
					t.__v != n.__v && (p.props = _, p.state = p.__s, p.__g &= -9), t.__e = n.__e, t.__k = n.__k, t.__k.some(function(e) {
						e && (e.__ = t);
					}), ve.push.apply(p.__h, p.__k), p.__k = [], p.__h.length && o.push(p), s = I(n);
					break n;
				}
				p.componentWillUpdate && p.componentWillUpdate(_, p.__s, b), v && p.componentDidUpdate && p.__h.push(function() {
					p.componentDidUpdate(m, h, g);
				});
			} else v && !O.getDerivedStateFromProps && p.componentWillMount && p.componentWillMount(), v && p.componentDidMount && p.__h.push(p.componentDidMount);
			p.context = b, p.props = _, p.__P = e, p.__g &= -5, x = A.__r, S = v ? 25 : 0;
			do
				p.__g &= -9, x && x(t), u = p.render(p.props, p.state = p.__s, p.context);
			while (8 & p.__g && ++S < 25);
			v && (ve.push.apply(p.__h, p.__k), p.__k = []), p.state = p.__s, p.getChildContext && (r = M({}, r, p.getChildContext())), v && n.__c && p.getSnapshotBeforeUpdate && (g = p.getSnapshotBeforeUpdate(m, h)), C = u && u.type === P && u.key == null ? u.props.children : u, _.__P && (u = s, i = (e = _.__P).namespaceURI, c = a = null, n.props && n.props.__P != e && (n.__k.some(function(e) {
				e && Ve(e, e);
			}), n.__k = null), s = n.__k ? I(n, 0) : null), s = Oe(e, be(C) ? C : [C], t, n, r, i, a, o, s, c, l), _.__P && (t.__e = null, s = u), t.__u &= -161, d && d.some(N), p.__h.length && o.push(p), 1 & p.__g && (p.__g &= -4);
		} catch (e) {
			if (o.length = f, t.__v = null, c || a) {
				if (e && e.then) {
					if (t.__u |= 128 | c, a) {
						for (~(E = a.indexOf(s || void 0)) || (E = a.length); (D = a[E - 1]) && D.nodeType == 8;) E--;
						for (; E < a.length; E++) if (D = a[E]) {
							if (a[E] = null, w) {
								if (D == T) break;
							} else {
								if (D.nodeType != 8) break;
								D.data.startsWith("$s") && (T = Ie(w = D));
							}
						}
					}
					if (!w) {
						for (; s && s.nodeType == 8 && s.nextSibling;) s = s.nextSibling;
						w = s;
					}
					(u = Ie(w = t.__c.__z || (t.__c.__z = w))) ? (t.__e = w, s = u) : t.__e = s, s &&= s.nextSibling;
				} else a && a.some(N);
			} else t.__e = n.__e;
			t.__k ||= n.__k || [], e && e.then || Le(t), A.__e(e, t, n);
		}
	} else s = t.__e = ze(n.__e, t, n, r, i, a, o, c, l, e);
	return (u = A.diffed) && u(t), s;
}
function Ie(e, t) {
	if (e && e.nodeType == 8 && e.data.startsWith("$s")) for (var n = 1; e = e.nextSibling;) {
		if (e.nodeType == 8) {
			if (e.data.startsWith("$s")) n++;
			else if (e.data.startsWith("/$s") && !--n) return e;
		}
		t && t.push(e);
	}
}
function Le(e) {
	e && (e.__c && (e.__c.__g |= 4), e.__k && e.__k.some(Le));
}
function Re(e, t, n) {
	for (var r = 0; r < n.length;) Be(n[r++], n[r++], n[r++]);
	A.__c && A.__c(t, e), e.some(function(t) {
		try {
			e = t.__h, t.__h = [], e.some(function(e) {
				e.call(t);
			});
		} catch (e) {
			A.__e(e, t.__v);
		}
	});
}
function ze(e, t, n, r, i, a, o, s, c, l) {
	var u, d, f, p, m, h, g, _, v = n.props || _e, y = t.props, b = t.type;
	if (b == "svg" ? i = "http://www.w3.org/2000/svg" : b == "math" ? i = "http://www.w3.org/1998/Math/MathML" : i ||= "http://www.w3.org/1999/xhtml", a) {
		for (u = 0; u < a.length; u++) if ((m = a[u]) && (b ? m.localName == b : m.nodeType == 3)) {
			e = m, a[u] = null;
			break;
		}
	}
	if (!e) {
		if (_ = l.ownerDocument || document, !b) return _.createTextNode(y);
		e = _.createElementNS(i, b, y.is ? y : l), s &&= (A.__m && A.__m(t, a), !1), a = null;
	}
	if (b) {
		if (l = b == "template" && e.content || e, a = b == "textarea" && y.defaultValue != null ? null : a && xe.call(l.childNodes), !s && a) for (v = {}, u = 0; u < e.attributes.length; u++) v[(m = e.attributes[u]).name] = m.value;
		for (u in v) m = v[u], u == "dangerouslySetInnerHTML" ? f = m : u == "children" || u in y || u == "value" && "defaultValue" in y || u == "checked" && "defaultChecked" in y || Ne(e, u, null, m, i);
		for (u in y) m = y[u], u == "children" ? p = m : u == "dangerouslySetInnerHTML" ? d = m : u == "value" ? h = m : u == "checked" ? g = m : s && typeof m != "function" || v[u] === m || Ne(e, u, m, v[u], i);
		d ? (s || f && (d.__html == f.__html || d.__html == e.innerHTML) || (e.innerHTML = d.__html), t.__k = []) : (f && (e.textContent = ""), (b == "foreignObject" || i == "http://www.w3.org/1998/Math/MathML" && ye.test(b)) && (i = "http://www.w3.org/1999/xhtml"), Oe(l, be(p) ? p : [p], t, n, r, i, a, o, a ? a[0] : n.__k && I(n, 0), s, c), a && a.some(N)), s && b != "textarea" || (u = "value", b == "progress" && h == null ? e.removeAttribute(u) : h == null || h === e[u] && (b != "progress" || h) || Ne(e, u, h, v[u], i), u = "checked", g != null && g != e[u] && Ne(e, u, g, v[u], i));
	} else v === y || s && e.data == y || (e.data = y);
	return e;
}
function Be(e, t, n, r) {
	try {
		typeof e == "function" ? t ? t.__x = e(t) || 1 : (r &&= r.__c || r.__e) && (t = r.__x) && (r.__x = null, typeof t == "function" ? t() : e(null)) : e.current = t;
	} catch (e) {
		A.__e(e, n);
	}
}
function Ve(e, t, n) {
	var r, i, a, o;
	if (A.unmount && A.unmount(e), !(r = e.ref) || r.current && r.current != e.__e || Be(r, null, t, e), r = e.__c) {
		if (r.componentWillUnmount) try {
			r.componentWillUnmount();
		} catch (e) {
			A.__e(e, t);
		}
		r.__P = r.__n = null;
	}
	if (r = e.__k) for (o = 0; o < r.length; o++) r[o] && Ve(r[o], t, typeof e.type != "function" || n && !e.props.__P);
	!n && (r = e.__c) && (r = r.__z) && (i = Ie(r, a = [])) && (r == e.__e && a.some(N), N(i), N(r)), n || N(e.__e), e.__e = e.__c = e.__ = null;
}
function He(e, t, n) {
	return this.constructor(e, n);
}
A = { __e: function(e, t, n, r) {
	for (var i, a, o; t = t.__;) if ((i = t.__c) && !(1 & i.__g)) {
		i.__g |= 4;
		try {
			if ((o = (a = i.constructor) && a.getDerivedStateFromError) && i.setState(a.getDerivedStateFromError(e)), i.componentDidCatch && (i.componentDidCatch(e, r || {}), o = 1), o && 8 & i.__g) return void (i.__g |= 2);
		} catch (t) {
			e = t;
		}
	}
	throw ue = 0, e;
} }, se = 0, ce = function(e) {
	return e != null && e.constructor === ge;
}, F.prototype.setState = function(e, t) {
	var n = this.__s;
	n && n != this.state || (n = this.__s = M({}, this.state)), typeof e == "function" && (e = e(M({}, n), this.props)), e && (M(n, e), this.__v && (t && this.__k.push(t), Ee(this)));
}, F.prototype.forceUpdate = function(e) {
	this.__v && (this.__g |= 4, e && this.__h.push(e), Ee(this));
}, F.prototype.render = P, j = [], ue = 0, de = function(e, t) {
	return e.__v.__b - t.__v.__b;
}, fe = Symbol(), pe = /(PointerCapture)$|Capture$/i, me = 0, he = {};
// node_modules/preact/hooks/dist/hooks.mjs
var Ue, L, We, Ge, Ke = Object.is, qe = 0, Je = [], Ye = [], R = A, Xe = R.__b, Ze = R.__r, Qe = R.diffed, $e = R.__c, et = R.unmount, tt = R.__;
function nt(e, t) {
	R.__h && R.__h(L, e, qe || t), qe = 0;
	var n = L.__H || (L.__H = {
		__: [],
		__h: []
	});
	return e >= n.__.length && n.__.push({}), n.__[e];
}
function rt(e, t) {
	var n = nt(Ue++, 7);
	return lt(n.__H, t) && (n.__ = e(), n.__H = t), n.__;
}
function it() {
	var e;
	do {
		for (; e = Ye.shift();) try {
			z(e);
		} catch (t) {
			R.__e(t, { __: (e = e.__P) && e.__v });
		}
		for (; e = Je.shift();) {
			var t = e.__H;
			if (e.__P && t) try {
				t.__h.some(z), t.__h.some(ct), t.__h = [];
			} catch (n) {
				t.__h = [], R.__e(n, e.__v);
			}
		}
	} while (Ye.length);
}
R.__b = function(e) {
	L = null, Xe && Xe(e);
}, R.__ = function(e, t) {
	e && t.__k && t.__k.__m && (e.__m = t.__k.__m), tt && tt(e, t);
}, R.__r = function(e) {
	Ze && Ze(e), Ue = 0;
	var t = (L = e.__c).__H;
	t && (We == L ? L.__h = [] : (t.__h.some(z), t.__h.some(ct), Ue = 0), t.__h = [], t.__.some(function(e) {
		e.__N && (e.__ = e.__N), e.u = e.__N = void 0;
	})), We = L;
}, R.diffed = function(e) {
	Qe && Qe(e);
	var t = e.__c;
	t && t.__H && (t.__H.__h.length && st(Je.push(t)), t.__H.__.some(function(e) {
		e.u && (e.__H = e.u);
	})), We = L = null;
}, R.__c = function(e, t) {
	t.some(function(e) {
		try {
			e.__h.some(z), e.__h = e.__h.filter(function(e) {
				return !e.__ || ct(e);
			});
		} catch (t) {
			e.__h = [function() {
				throw t;
			}];
		}
	}), $e && $e(e, t);
}, R.unmount = function(e) {
	et && et(e);
	var t, n, r = e.__c;
	r && r.__H && (r.__H.__.some(function(r) {
		try {
			if (r.__P && r.__c) {
				if (n === void 0) {
					for (n = e.__; n && (!n.__c || !n.__c.__P);) n = n.__;
					n &&= n.__c;
				}
				r.__P = n, st(Ye.push(r));
			} else z(r);
		} catch (e) {
			t = e;
		}
	}), r.__H = void 0, t && R.__e(t, r.__v));
};
var at = typeof requestAnimationFrame == "function";
function ot(e) {
	var t, n = function() {
		clearTimeout(r), at && cancelAnimationFrame(t), setTimeout(e);
	}, r = setTimeout(n, 35);
	at && (t = requestAnimationFrame(n));
}
function st(e) {
	e != 1 && Ge == R.requestAnimationFrame || ((Ge = R.requestAnimationFrame) || ot)(it);
}
function z(e) {
	var t = L, n = e.__c;
	typeof n == "function" && (e.__c = void 0, n()), L = t;
}
function ct(e) {
	var t = L;
	e.__c = e.__(), L = t;
}
function lt(e, t) {
	return !e || e.length != t.length || t.some(function(t, n) {
		return !Ke(t, e[n]);
	});
}
// node_modules/@preact/signals-core/dist/signals-core.module.js
var ut = Symbol.for("preact-signals");
function dt() {
	if (H > 1) H--;
	else {
		var e, t = !1;
		for ((function() {
			var e = vt;
			for (vt = void 0; e !== void 0;) {
				var t = e.S;
				if (t.v === e.v) for (var n = t.t; n !== void 0; n = n.x) n.i === e.i && (n.i = t.i);
				e = e.o;
			}
		})(); mt !== void 0;) {
			var n = mt;
			for (mt = void 0, ht++; n !== void 0;) {
				var r = n.u;
				if (n.u = void 0, n.f &= -3, !(8 & n.f) && xt(n)) try {
					n.c();
				} catch (n) {
					t ||= (e = n, !0);
				}
				n = r;
			}
		}
		if (ht = 0, H--, t) throw e;
	}
}
function ft(e) {
	if (H > 0) return e();
	_t = ++gt, H++;
	try {
		return e();
	} finally {
		dt();
	}
}
var B, V = void 0;
function pt(e) {
	var t = V, n = B;
	V = void 0, B = void 0;
	try {
		return e();
	} finally {
		V = t, B = n;
	}
}
var mt = void 0, H = 0, ht = 0, gt = 0, _t = 0, vt = void 0, yt = 0;
function bt(e) {
	if (V !== void 0) {
		var t = e.n;
		if (t === void 0 || t.t !== V) return t = {
			i: 0,
			S: e,
			p: V.s,
			n: void 0,
			t: V,
			e: void 0,
			x: void 0,
			r: t
		}, V.s !== void 0 && (V.s.n = t), V.s = t, e.n = t, 32 & V.f && e.S(t), t;
		if (t.i === -1) return t.i = 0, t.n !== void 0 && (t.n.p = t.p, t.p !== void 0 && (t.p.n = t.n), t.p = V.s, t.n = void 0, V.s.n = t, V.s = t), t;
	}
}
function U(e, t) {
	this.v = e, this.i = 0, this.n = void 0, this.t = void 0, this.l = 0, this.W = t?.watched, this.Z = t?.unwatched, this.name = t?.name;
}
U.prototype.brand = ut, U.prototype.h = function() {
	return !0;
}, U.prototype.S = function(e) {
	var t = this, n = this.t;
	n !== e && e.e === void 0 && (e.x = n, this.t = e, n === void 0 ? pt(function() {
		var e;
		(e = t.W) == null || e.call(t);
	}) : n.e = e);
}, U.prototype.U = function(e) {
	var t = this;
	if (this.t !== void 0) {
		var n = e.e, r = e.x;
		n !== void 0 && (n.x = r, e.e = void 0), r !== void 0 && (r.e = n, e.x = void 0), e === this.t && (this.t = r, r === void 0 && pt(function() {
			var e;
			(e = t.Z) == null || e.call(t);
		}));
	}
}, U.prototype.subscribe = function(e) {
	var t = this;
	return J(function() {
		var n = t.value;
		pt(function() {
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
	return pt(function() {
		return e.value;
	});
}, Object.defineProperty(U.prototype, "value", {
	get: function() {
		var e = bt(this);
		return e !== void 0 && (e.i = this.i), this.v;
	},
	set: function(e) {
		if (e !== this.v) {
			if (ht > 100) throw Error("Cycle detected");
			(function(e) {
				H !== 0 && ht === 0 && e.l !== _t && (e.l = _t, vt = {
					S: e,
					v: e.v,
					i: e.i,
					o: vt
				});
			})(this), this.v = e, this.i++, yt++, H++;
			try {
				for (var t = this.t; t !== void 0; t = t.x) t.t.N();
			} finally {
				dt();
			}
		}
	}
});
function W(e, t) {
	return new U(e, t);
}
function xt(e) {
	for (var t = e.s; t !== void 0; t = t.n) if (t.S.i !== t.i || !t.S.h() || t.S.i !== t.i) return !0;
	return !1;
}
function St(e) {
	for (var t = e.s; t !== void 0; t = t.n) {
		var n = t.S.n;
		if (n !== void 0 && (t.r = n), t.S.n = t, t.i = -1, t.n === void 0) {
			e.s = t;
			break;
		}
	}
}
function Ct(e) {
	for (var t = e.s, n = void 0; t !== void 0;) {
		var r = t.p;
		t.i === -1 ? (t.S.U(t), r !== void 0 && (r.n = t.n), t.n !== void 0 && (t.n.p = r)) : n = t, t.S.n = t.r, t.r !== void 0 && (t.r = void 0), t = r;
	}
	e.s = n;
}
function G(e, t) {
	U.call(this, void 0, t), this.x = e, this.s = void 0, this.g = yt - 1, this.f = 4;
}
G.prototype = new U(), G.prototype.h = function() {
	if (this.f &= -3, 1 & this.f) return !1;
	if ((36 & this.f) == 32 || (this.f &= -5, this.g === yt)) return !0;
	if (this.g = yt, this.f |= 1, this.i > 0 && !xt(this)) return this.f &= -2, !0;
	var e = V;
	try {
		St(this), V = this;
		var t = this.x();
		(16 & this.f || this.v !== t || this.i === 0) && (this.v = t, this.f &= -17, this.i++);
	} catch (e) {
		this.v = e, this.f |= 16, this.i++;
	}
	return V = e, Ct(this), this.f &= -2, !0;
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
	var e = bt(this);
	if (this.h(), e !== void 0 && (e.i = this.i), 16 & this.f) throw this.v;
	return this.v;
} });
function K(e, t) {
	return new G(e, t);
}
function wt(e) {
	var t = e.j;
	if (e.j = void 0, typeof t == "function") {
		H++;
		var n = V;
		V = void 0;
		try {
			t();
		} catch (t) {
			throw e.f &= -2, e.f |= 8, Tt(e), t;
		} finally {
			V = n, dt();
		}
	}
}
function Tt(e) {
	for (var t = e.s; t !== void 0; t = t.n) t.S.U(t);
	e.x = void 0, e.s = void 0, wt(e);
}
function Et(e) {
	if (V !== this) throw Error("Out-of-order effect");
	Ct(this), V = e, this.f &= -2;
	try {
		8 & this.f && Tt(this);
	} finally {
		dt();
	}
}
function q(e, t) {
	this.x = e, this.j = void 0, this.s = void 0, this.u = void 0, this.f = 32, this.name = t?.name, B && B.push(this);
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
	this.f |= 1, this.f &= -9, wt(this), St(this), H++;
	var e = V;
	return V = this, Et.bind(this, e);
}, q.prototype.N = function() {
	2 & this.f || (this.f |= 2, this.u = mt, mt = this);
}, q.prototype.d = function() {
	this.f |= 8, 1 & this.f || Tt(this);
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
var Dt, Ot, kt = typeof window < "u" && !!window.__PREACT_SIGNALS_DEVTOOLS__, At = [];
J(function() {
	Dt = this.N;
})();
function Y(e, t) {
	A[e] = t.bind(null, A[e] || function() {});
}
function jt(e) {
	if (Ot) {
		var t = Ot;
		Ot = void 0, t();
	}
	Ot = e && e.S();
}
function Mt(e) {
	var t = this, n = e.data, r = Pt(n);
	r.name = "ReactiveDom", r.value = n;
	var i = rt(function() {
		for (var e = t, n = t.__v; n = n.__;) if (n.__c) {
			n.__c.__$f |= 4;
			break;
		}
		var i = K(function() {
			var e = r.value.value;
			return e === 0 ? 0 : !0 === e ? "" : e || "";
		}), a = K(function() {
			return !Array.isArray(i.value) && !ce(i.value);
		}), o = J(function() {
			if (this.N = Lt, a.value) {
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
Mt.displayName = "ReactiveTextNode", Object.defineProperties(U.prototype, {
	constructor: {
		configurable: !0,
		value: Se(P, null).constructor
	},
	type: {
		configurable: !0,
		value: Mt
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
	if (jt(), typeof t.type == "string") {
		var n, r = t.props;
		for (var i in r) if (i !== "children") {
			var a = r[i];
			a instanceof U && (n || (t.__np = n = {}), n[i] = a, r[i] = a.peek());
		}
	}
	e(t);
}), Y("__r", function(e, t) {
	if (e(t), t.type !== P) {
		jt();
		var n, r = t.__c;
		r && (r.__$f &= -2, (n = r.__$u) === void 0 && (r.__$u = n = function(e, t) {
			var n;
			return J(function() {
				n = this;
			}, { name: t }), n.c = e, n;
		}(function(e) {
			return function() {
				var t;
				kt && ((t = this.y) == null || t.call(this)), e.__$f |= 1, e.setState({});
			};
		}(r), typeof t.type == "function" ? t.type.displayName || t.type.name : ""))), jt(n);
	}
}), Y("__e", function(e, t, n, r) {
	jt(), e(t, n, r);
}), Y("diffed", function(e, t) {
	jt();
	var n;
	if (typeof t.type == "string" && (n = t.__e)) {
		var r = t.__np, i = t.props, a = n.U;
		if (a) for (var o in a) {
			var s = a[o];
			s === void 0 || r && o in r || (s.d(), a[o] = void 0);
		}
		if (r) for (var c in a || (a = {}, n.U = a), r) {
			var l = a[c], u = r[c];
			l === void 0 ? (l = Nt(n, c, u, i), a[c] = l) : l.o(u, i);
		}
	}
	e(t);
});
function Nt(e, t, n, r) {
	var i = t in e && e.ownerSVGElement === void 0, a = W(n);
	return {
		o: function(e, t) {
			a.value = e, r = t;
		},
		d: J(function() {
			this.N = Lt;
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
}), F.prototype.shouldComponentUpdate = function(e, t) {
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
function Pt(e, t) {
	return rt(function() {
		return W(e, t);
	}, []);
}
var Ft = function(e) {
	queueMicrotask(function() {
		queueMicrotask(e);
	});
};
function It() {
	ft(function() {
		for (var e; e = At.shift();) Dt.call(e);
	});
}
function Lt() {
	At.push(this) === 1 && (A.requestAnimationFrame || Ft)(It);
}
// src/state.ts
var Rt = [
	"map",
	"schedule",
	"data",
	"studies"
], zt = W("map"), Bt = W(""), Vt = W(0), Ht = W(-1), Ut = W("n"), Wt = W(""), Gt = W("outages");
W(!1);
var Kt = /* @__PURE__ */ new Map();
function X(e, t) {
	let n = W(t);
	return Kt.set(e, [n, t]), n;
}
X("at", ""), X("by", ""), X("whole", !1), X("kind", ""), X("outages", ""), X("kv", ""), X("area", ""), X("find", ""), X("where", ""), X("earlier", !1), X("every", !1), X("with", ""), X("table", "violations"), X("sql", ""), W(null), W(""), W(!0);
var qt = W(null);
W([]), W(null), W(null);
var Jt = W(null), Yt = W(null), Xt = W(null);
W(!1), W("");
var Zt = W(!1);
new Promise((e) => Zt.subscribe((t) => {
	t && e();
}));
var Qt = (e) => {
	try {
		return localStorage.getItem(`aurigrid.${e}`);
	} catch {
		return null;
	}
}, $t = (e, t) => {
	try {
		localStorage.setItem(`aurigrid.${e}`, t);
	} catch {}
}, en = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark", tn = W(Qt("theme") || en);
J(() => {
	document.documentElement.dataset.theme = tn.value, $t("theme", tn.value);
});
var nn = W(Qt("lang") || (navigator.language.startsWith("zh") ? "zh" : "en"));
J(() => {
	document.documentElement.lang = nn.value === "zh" ? "zh-CN" : "en", $t("lang", nn.value);
});
var rn = K(() => Jt.value ? Array.from(Jt.value.table.i("step")) : []);
K(() => qt.value?.find((e) => e.key === Bt.value)?.kind ?? "day"), K(() => {
	let e = Jt.value?.shares.spread_price_per_mwh;
	if (!e) return null;
	let t = Float32Array.from(e.f("q50")).filter((e) => e === e).sort(), n = t[t.length >> 1] ?? 0, r = [...e.f("q10"), ...e.f("q90")].filter((e) => e === e).map((e) => Math.abs(e - n)).sort((e, t) => e - t);
	return [n, Math.max(1, r[Math.floor(.95 * (r.length - 1))] ?? 1)];
}), K(() => Math.max(0, rn.value.indexOf(Vt.value))), K(() => {
	let e = Xt.value;
	return Ht.value >= 0 && Ut.value !== "n" && e && an(e.status) ? e : Yt.value;
});
var an = (e) => e === "converged" || e === "islanded";
function on() {
	let [e = "", t = ""] = location.hash.replace(/^#\/?/, "").split("?"), [n = "", r = ""] = e.split("/").map(decodeURIComponent), i = new URLSearchParams(t);
	ft(() => {
		n && (Bt.value = n), zt.value = Rt.includes(r) ? r : "map", Vt.value = Number(i.get("step") ?? 0) || 0, Ht.value = i.has("outage") ? Number(i.get("outage")) : -1, Ut.value = i.get("mode") || (Ht.value >= 0 ? "n1" : "n"), Wt.value = i.get("element") ?? "", Gt.value = i.get("side") || (Wt.value ? "element" : "outages");
		for (let [e, [t, n]] of Kt) t.value = typeof n == "boolean" ? i.has(e) : i.get(e) ?? n;
	});
}
var sn = null;
on(), sn = o(Bt.peek(), Vt.peek()), sn.catch(() => void 0), Array.isArray;
// src/files/save.tsx
var cn = (e) => e.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\"", "&quot;"), Z = (e) => `#${e.map((e) => Math.round(255 * e).toString(16).padStart(2, "0")).join("")}`, ln = (e, t, n) => [
	0,
	1,
	2
].map((r) => e[r] + (t[r] - e[r]) * n), un = (e) => Math.min(1, Math.max(0, e)), Q = (e) => Number(e.toFixed(1));
function dn(e, t) {
	let n = e.ramp[0];
	for (let r = 1; r < e.ramp.length; r++) n = ln(n, e.ramp[r], un((t - e.stops[r - 1]) / (e.stops[r] - e.stops[r - 1])));
	return Z(n);
}
function fn(e, t, n, r) {
	let i = [`<rect width="${e.width}" height="${e.height}" fill="${r.map}"/>`, ...t.map((t) => pn(t, e, r))], [a, o] = mn(e), [s, c] = hn(e);
	i.push(...a, ...o, ...s, ...c);
	for (let e of n) i.push(`<text x="${Q(e.x)}" y="${Q(e.y + 4)}" font-size="11"${e.bold ? " font-weight=\"600\"" : ""} fill="${e.bold ? r.ink : r.soft}" stroke="${r.map}" stroke-width="3" paint-order="stroke" stroke-linejoin="round">${cn(e.text)}</text>`);
	return i.join("");
}
function pn(e, t, n) {
	let r = `<path d="${e.x === void 0 ? `M0 ${e.y}H${t.width}` : `M${e.x} 0V${t.height}`}" stroke="${n.graticule}"/>`;
	return e.text ? `${r}<text x="${e.x === void 0 ? 5 : e.x + 4}" y="${e.y === void 0 ? 12 : e.y - 4}" font-size="10" fill="${n.faint}">${e.text}</text>` : r;
}
function mn(e) {
	let { ends: t, shape: n } = e.drawing, { x: r, y: i, scale: a } = e.camera, o = e.palette, s = [], c = [];
	for (let l = 0; l < e.loading.length; l++) {
		let u = e.width / 2 + (t[4 * l] - r) * a, d = e.height / 2 - (t[4 * l + 1] - i) * a, f = e.width / 2 + (t[4 * l + 2] - r) * a, p = e.height / 2 - (t[4 * l + 3] - i) * a;
		if (Math.max(u, f) < 0 || Math.min(u, f) > e.width || Math.max(d, p) < 0 || Math.min(d, p) > e.height) continue;
		let m = Math.hypot(f - u, p - d), [h, g] = m > .001 ? [(f - u) / m, (p - d) / m] : [1, 0], _ = n[2 * l] * Math.min(3.2, m * .06), v = e.loading[l], y = e.mark[l], [b, x] = [g * _, -h * _], S = n[2 * l + 1] * e.detail * (v > .8 ? 1 + .5 * Math.min(v - .8, .8) : 1), C = `M${Q(u + b)} ${Q(d + x)}L${Q(f + b)} ${Q(p + x)}`, w = !!(y & 12) || v !== v;
		y & 2 ? s.push(`<path d="${C}" stroke="${Z(o.selected)}" stroke-width="${Q(S + 5)}" stroke-linecap="round"/>`) : y & 1 && s.push(`<path d="${C}" stroke="${Z(o.halo)}" stroke-opacity="0.34" stroke-width="${Q(S + 9)}" stroke-linecap="round"/>`);
		let T = w ? Z(o.out) : dn(o, v);
		if (c.push(`<path d="${C}" stroke="${T}" stroke-width="${Q(S)}"${w ? " stroke-dasharray=\"4 4\"" : ""}/>`), m > 30 && y & 48 && !w) {
			let t = 2.2 + n[2 * l + 1] * .9 * e.detail, r = y & 16 ? 1 : -1, [i, a] = [(u + f) / 2 + b, (d + p) / 2 + x], [o, s] = [h * r, g * r], m = `${Q(i + o * t * 1.25)} ${Q(a + s * t * 1.25)}`, _ = (e) => `${Q(i - o * t * .85 - s * t * e)} ${Q(a - s * t * .85 + o * t * e)}`;
			c.push(`<path d="M${m}L${_(.85)}L${_(-.85)}Z" fill="${T}"/>`);
		}
	}
	return [s, c];
}
function hn(e) {
	let { places: t, sizes: n, levels: r } = e.drawing, { x: i, y: a, scale: o } = e.camera, s = e.palette, c = [], l = [];
	for (let u = 0; u < e.voltage.length; u++) {
		let d = e.busMark[u], f = n[u] * Math.max(e.detail, w), p = d & 2 ? Math.max(f, 9) : f, m = e.width / 2 + (t[2 * u] - i) * o, h = e.height / 2 - (t[2 * u + 1] - a) * o;
		if (p < 1 || m < -9 || h < -9 || m > e.width + 9 || h > e.height + 9) continue;
		let g = `cx="${Q(m)}" cy="${Q(h)}"`;
		d & 3 && c.push(`<circle ${g} r="${Q((Math.max(f, 5) + 9) / 2)}" fill="${Z(d & 2 ? s.selected : s.halo)}" opacity="${d & 2 ? .95 : .34}"/>`);
		let _ = e.voltage[u], v = _ !== _, y = Math.max(1, p * .16), b = s.bus[1], x = v ? s.ring : e.byLevel ? s.bus[3 + r[u]] : _ < 0 ? ln(b, s.bus[0], un(-_)) : ln(b, s.bus[2], un(_));
		l.push(`<circle ${g} r="${Q(Math.max(.5, (p - y) / 2))}" fill="${Z(x)}" stroke="${Z(v ? s.out : s.ring)}" stroke-width="${Q(y)}"/>`);
	}
	return [c, l];
}
// src/map/view.ts
var gn = .02, _n = 111.195, $ = 8, vn = 190, yn = "11px system-ui, \"Noto Sans CJK SC\", sans-serif", bn = `600 ${yn}`, xn = /* @__PURE__ */ new Map();
function Sn(e) {
	let t = xn.get(e);
	if (t === void 0) {
		t = 0;
		for (let n of e) t += n > "⺀" ? 11 : 6.2;
		xn.size > 2e4 && xn.clear(), xn.set(e, t);
	}
	return t;
}
var Cn = /* @__PURE__ */ new WeakMap();
function wn(e, t) {
	let n = Cn.get(e);
	if (!n || n.length !== t) {
		n = new Uint8Array(t);
		for (let t of e) n[t] = 1;
		Cn.set(e, n);
	}
	return n;
}
function Tn(e) {
	let t = e.bus.f("v_min_pu"), n = e.bus.f("v_max_pu");
	return t.map((e, t) => Math.max(.02, Math.min(n[t] < 2 ? n[t] - 1 : .1, e > 0 ? 1 - e : .1, .1)));
}
var En = class {
	host;
	camera = {
		x: 0,
		y: 0,
		scale: 1
	};
	gl;
	under;
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
	mark = /* @__PURE__ */ new Uint8Array();
	voltage = /* @__PURE__ */ new Float32Array();
	busMark = /* @__PURE__ */ new Uint8Array();
	band = /* @__PURE__ */ new Float32Array();
	watch;
	colours = /* @__PURE__ */ new Map();
	told = [];
	taken = /* @__PURE__ */ new Uint8Array();
	onmove = () => void 0;
	onpick = () => void 0;
	onhover = () => void 0;
	constructor(e) {
		this.host = e, [this.under, this.gl, this.over] = [
			0,
			1,
			2
		].map(() => {
			let t = document.createElement("canvas");
			return t.className = "map-layer", e.appendChild(t), t;
		}), this.size(), this.renderer = new oe(this.gl), this.watch = new ResizeObserver(() => this.resize()), this.watch.observe(e), e.addEventListener("pointerdown", this.down), e.addEventListener("pointermove", this.move), e.addEventListener("pointerup", this.up), e.addEventListener("pointerleave", () => this.onhover(null, 0, 0)), e.addEventListener("wheel", this.wheel, { passive: !1 }), e.addEventListener("dblclick", (e) => this.zoom(2, e.offsetX, e.offsetY));
	}
	close() {
		this.watch.disconnect(), cancelAnimationFrame(this.asked), this.host.replaceChildren();
	}
	show(e) {
		let t = this.scene?.grid !== e.grid;
		if (this.scene = e, t) {
			let t = this.drawing = b(e.grid);
			this.renderer.setGrid(t.ends, t.shape, t.places, t.sizes, t.levels);
			let [n, r] = [e.grid.branch.rows, e.grid.bus.rows];
			this.loading = new Float32Array(n), this.mark = new Uint8Array(n), this.voltage = new Float32Array(r), this.busMark = new Uint8Array(r), this.band = Tn(e.grid);
		}
		this.recolour(), t && this.fit(), this.later();
	}
	recolour() {
		let e = this.scene, { bus: t, branch: n } = e.grid;
		this.renderer.palette = y(e.theme, e.change), this.renderer.byLevel = e.byLevel;
		let r = e.state?.branch.has("loading") ? e.state.branch : null, i = r?.f("loading"), a = r?.f("p_from_mw"), o = e.change ? e.before?.branch.f("loading") : void 0, [s, c] = e.selected.split(":"), l = n.i("in_service"), { mark: u } = this, d = this.loading, f = wn(e.brokenBranch, n.rows), p = wn(e.wentOut, n.rows), m = s === "branch" ? Number(c) : -1, h = n.rows;
		this.told.length = 0;
		let g = 0, _ = 0;
		for (let e = 0; e < h; e++) {
			let t = i ? i[e] : 0, n = a ? a[e] : 0, r = n === n, s = t === t ? t : r ? 0 : NaN;
			d[e] = o ? s - (o[e] || 0) : s, u[e] = (f[e] && 1) | (e === m ? 2 : 0) | (!l[e] || p[e] ? 4 : r ? 0 : 8) | (n > .5 ? 16 : n < -.5 ? 32 : 0), g |= u[e], (o ? Math.abs(d[e]) >= gn : f[e] && s > 1) && this.told.push(e);
		}
		this.told.sort((e, t) => Math.abs(d[t]) - Math.abs(d[e]));
		let v = e.prices && e.state?.bus.has("price_per_mwh") ? e.state.bus.f("price_per_mwh") : null, b = e.state?.bus.has("v_mag") ? e.state.bus.f("v_mag") : null, x = this.band, S = wn(e.brokenBus, t.rows), C = this.voltage, { busMark: w } = this, T = s === "bus" ? Number(c) : -1;
		for (let n = 0; n < t.rows; n++) C[n] = v ? (v[n] - e.prices[0]) / e.prices[1] : b ? (b[n] - 1) / x[n] : 0, w[n] = (S[n] && 1) | (n === T ? 2 : 0), _ |= w[n];
		this.renderer.haloed = {
			lines: !!(g & 3),
			buses: _ !== 0
		}, this.renderer.set("loading", this.loading), this.renderer.set("mark", u), this.renderer.set("voltage", this.voltage), this.renderer.set("busMark", w);
	}
	resize() {
		let { clientWidth: e, clientHeight: t } = this.host, n = this.width === 1;
		(this.width !== (e || 1) || this.height !== (t || 1)) && (this.size(), n && this.fit(), this.frame());
	}
	size() {
		this.width = this.host.clientWidth || 1, this.height = this.host.clientHeight || 1;
		for (let e of [
			this.under,
			this.gl,
			this.over
		]) e.width = Math.max(1, Math.round(this.width * k())), e.height = Math.max(1, Math.round(this.height * k()));
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
			let t = x(r, i, s[4 * e], s[4 * e + 1], s[4 * e + 2], s[4 * e + 3]);
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
		this.scene && this.renderer.palette && (this.graticule(), this.renderer.draw(this.camera, this.detail), this.labels());
	}
	screen(e, t) {
		return [this.width / 2 + (e - this.camera.x) * this.camera.scale, this.height / 2 - (t - this.camera.y) * this.camera.scale];
	}
	colour(e) {
		let t = this.scene.theme, n = this.colours.get(t + e);
		return n === void 0 && this.colours.set(t + e, n = getComputedStyle(this.host).getPropertyValue(e)), n;
	}
	graticule() {
		let e = this.under.getContext("2d"), t = k();
		e.setTransform(t, 0, 0, t, 0, 0), e.clearRect(0, 0, this.width, this.height), e.strokeStyle = this.colour("--graticule"), e.fillStyle = this.colour("--faint"), e.font = "10px system-ui, sans-serif", e.lineWidth = 1, e.beginPath();
		for (let t of this.meridians()) e.moveTo(t.x ?? 0, t.y ?? 0), e.lineTo(t.x ?? this.width, t.y ?? this.height), t.text && e.fillText(t.text, t.x === void 0 ? 5 : t.x + 4, t.y === void 0 ? 12 : t.y - 4);
		e.stroke();
	}
	meridians() {
		let { grid: e } = this.scene, t = [];
		if (!e.geographic || this.height / this.camera.scale > 360 * _n) return t;
		let [n, r] = e.origin, i = this.camera, a = _n * Math.cos(r * Math.PI / 180), o = this.height / i.scale / _n, s = [
			.1,
			.25,
			.5,
			1,
			2,
			5,
			10
		].find((e) => o / e < 7) ?? 20, c = (e) => `${Math.abs(Number(e.toFixed(2)))}°`, l = [this.width / 2 / i.scale, this.height / 2 / i.scale];
		for (let e = Math.ceil((n + (i.x - l[0]) / a) / s) * s;; e += s) {
			let [r] = this.screen((e - n) * a, 0);
			if (r > this.width) break;
			t.push({
				x: Math.round(r) + .5,
				text: r > 40 && r < this.width - 90 ? `${c(e)} ${e < 0 ? "W" : "E"}` : ""
			});
		}
		for (let e = Math.ceil((r + (i.y - l[1]) / _n) / s) * s;; e += s) {
			let [, n] = this.screen(0, (e - r) * _n);
			if (n < 0) break;
			t.push({
				y: Math.round(n) + .5,
				text: n > 24 && n < this.height - vn ? `${c(e)} ${e < 0 ? "S" : "N"}` : ""
			});
		}
		return t;
	}
	labels() {
		let e = this.over.getContext("2d"), t = k();
		e.setTransform(t, 0, 0, t, 0, 0), e.clearRect(0, 0, this.width, this.height), e.textBaseline = "middle", e.lineJoin = "round", e.lineWidth = 3, e.strokeStyle = this.colour("--map");
		let n = this.placed(), r = this.colour("--ink"), i = this.colour("--soft");
		for (let t of [!0, !1]) {
			e.font = t ? bn : yn, e.fillStyle = t ? r : i;
			for (let r of n) r.bold === t && (e.strokeText(r.text, r.x, r.y), e.fillText(r.text, r.x, r.y));
		}
	}
	placed() {
		let e = this.drawing, t = this.scene, n = [], r = Math.ceil(this.width / $), i = r * Math.ceil(this.height / $);
		this.taken.length < i && (this.taken = new Uint8Array(i));
		let a = this.taken.fill(0), o = (e, t, i, o) => {
			let s = Sn(e);
			if (t < 4 || i < 10 || t + s > this.width - 4 || i > this.height - 10) return !1;
			let [c, l, u, d] = [
				t / $ | 0,
				(t + s) / $ | 0,
				(i - 7) / $ | 0,
				(i + 7) / $ | 0
			];
			for (let e = u; e <= d; e++) for (let t = c; t <= l; t++) if (a[e * r + t]) return !1;
			for (let e = u; e <= d; e++) for (let t = c; t <= l; t++) a[e * r + t] = 1;
			return n.push({
				text: e,
				x: t,
				y: i,
				bold: o
			}), !0;
		}, s = t.state?.branch.has("loading") ? t.state.branch.f("loading") : null, c = e.ends, l = ({ table: t, index: n }) => t === "bus" ? this.screen(e.places[2 * n], e.places[2 * n + 1]) : this.screen((c[4 * n] + c[4 * n + 2]) / 2, (c[4 * n + 1] + c[4 * n + 3]) / 2);
		for (let e of t.lost) {
			let [t, n] = l(e);
			o(`✕ ${e.label}`, t - 5, n, !0);
		}
		let [u, d] = t.selected.split(":"), f = Number(d);
		if (u === "branch") {
			let [e, n] = l({
				table: u,
				index: f
			});
			o(`${t.grid.branch.t("id")[f]}  ${s && s[f] === s[f] ? `${(100 * s[f]).toFixed(0)} %` : ""}`, e + 8, n - 10, !0);
		} else if (u === "bus") {
			let [e, n] = l({
				table: u,
				index: f
			});
			o(t.grid.bus.t("name")[f] || t.grid.bus.t("id")[f], e + 9, n - 9, !0);
		}
		if (s) {
			let e = Math.min(60, this.told.length), n = this.loading;
			for (let r = 0, i = 0; r < e && i < 25; r++) {
				let e = this.told[r], [a, s] = l({
					table: "branch",
					index: e
				}), c = Math.abs(100 * n[e]).toFixed(0);
				o(t.change ? `${n[e] < 0 ? "−" : "+"}${c} %` : `${c} %`, a + 6, s, !0) && i++;
			}
		}
		if (e.typical * this.camera.scale < 34) return n;
		let p = t.grid.bus.t("name"), m = t.grid.bus.t("id"), h = 0;
		for (let t of e.rank) {
			let [n, r] = this.screen(e.places[2 * t], e.places[2 * t + 1]);
			if (!(n < 0 || r < 0 || n > this.width || r > this.height) && o(p[t] || m[t], n + 8, r + 1, !1) && ++h > 70) break;
		}
		return n;
	}
	picture() {
		let e = {
			drawing: this.drawing,
			camera: this.camera,
			width: this.width,
			height: this.height,
			detail: this.detail,
			palette: this.renderer.palette,
			byLevel: this.renderer.byLevel,
			loading: this.loading,
			mark: this.mark,
			voltage: this.voltage,
			busMark: this.busMark
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
			svg: fn(e, this.meridians(), this.placed(), t)
		};
	}
	async measure(e) {
		let t = [], n = this.scene, r = n.state, i = {
			...r,
			branch: r.branch.changed("loading", 1.02),
			bus: r.bus.changed("v_mag", 1.001)
		};
		for (let a = 0; a < e; a++) {
			await new Promise(requestAnimationFrame);
			let e = performance.now();
			this.scene = {
				...n,
				state: a % 2 ? i : r
			}, this.camera = {
				...this.camera,
				x: this.camera.x + (a % 2 ? 1 : -1) * (3 / this.camera.scale)
			}, this.recolour(), this.frame(), t.push(performance.now() - e);
		}
		return this.show(n), t;
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
}, Dn = {
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
function On(e) {
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
function kn(e) {
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
function An({ model: e, el: t }) {
	let n = document.createElement("div"), r = document.createElement("div");
	n.className = "aurigrid-map", n.tabIndex = 0, r.className = "aurigrid-key", n.style.height = `${e.get("height")}px`, t.append(n, r);
	let i = new En(n), a = On(e.get("grid")), o = () => {
		let t = e.get("theme") === "dark" ? "dark" : "light", r = kn(e.get("state"));
		n.style.height = `${e.get("height")}px`;
		for (let [e, r] of Object.entries(Dn[t])) n.style.setProperty(`--${e}`, r);
		n.style.background = Dn[t].map;
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
		let n = (e, t) => `<span><i style="background:${e}"></i>${t}</span>`, o = e.get("buses") === "level" ? b(a).kv.slice(0, 6).map((e, r) => n(h[t][r], `${e} kV`)) : [
			"low",
			"1 pu",
			"high"
		].map((e, r) => n(g[t][r], e)), [s, c] = i.bar(), l = a.geographic ? `<span><b style="width:${c.toFixed(0)}px"></b>${s} km</span><span>N↑</span>` : "";
		r.innerHTML = `<span>loading 0 %<em style="background:linear-gradient(90deg,${d[t].join(",")})"></em>130 %</span>${n(_[t], "over 100 %")}${o.join("")}${l}`;
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
		a = On(e.get("grid")), o();
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
var jn = { render: An };
export { jn as default };
