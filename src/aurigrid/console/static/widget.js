// src/api.ts
function e(e) {
	let t = atob(e), n = new Uint8Array(t.length);
	for (let e = 0; e < t.length; e++) n[e] = t.charCodeAt(e);
	return n.buffer;
}
var t = class {
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
	f(t) {
		return this.has(t) ? this.made(t, (t) => t.kind === "f32" ? new Float32Array(e(t.data)) : t.kind === "f64" ? Float32Array.from(new Float64Array(e(t.data))) : t.kind === "i32" ? Float32Array.from(new Int32Array(e(t.data))) : t.kind === "u8" ? Float32Array.from(new Uint8Array(e(t.data))) : Float32Array.from(t.values.map((e) => e === null ? NaN : Number(e)))) : this.none ??= new Float32Array(this.rows).fill(NaN);
	}
	i(t) {
		return this.made(t, (t) => t.kind === "i32" ? new Int32Array(e(t.data)) : Int32Array.from(new Uint8Array(e(t.data))));
	}
	t(t) {
		return this.made(t, (t) => t.kind === "text" ? Array.from(new Int32Array(e(t.data)), (e) => e < 0 ? "" : t.words[e]) : t.values.map((e) => e === null ? "" : String(e)));
	}
	made(e, t) {
		if (!this.cache.has(e)) {
			let n = this.raw.columns[e];
			if (!n) throw Error(`no column ${e}`);
			this.cache.set(e, t(n));
		}
		return this.cache.get(e);
	}
}, n = (e) => [
	1,
	3,
	5
].map((t) => parseInt(e.slice(t, t + 2), 16) / 255), r = {
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
		"#b08400",
		"#c9530b",
		"#a80f56"
	]
}, i = [
	0,
	.3,
	.6,
	.8,
	1,
	1.3
], a = {
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
}, o = [
	-.3,
	-.1,
	-.01,
	.01,
	.1,
	.3
], s = {
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
}, c = {
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
}, l = {
	dark: "#ff5c8a",
	light: "#c2185b"
};
function u(e, t) {
	return {
		ramp: (t ? a : r)[e].map(n),
		stops: t ? o : i,
		halo: n(l[e]),
		selected: n(e === "dark" ? "#ffffff" : "#10181c"),
		out: n(e === "dark" ? "#7d8f99" : "#6b7a82"),
		ring: n(e === "dark" ? "#0f1519" : "#ffffff"),
		bus: [...c[e], ...s[e]].map(n)
	};
}
// src/map/geometry.ts
function d(e) {
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
function f(e, t, n, r, i, a) {
	let o = i - n, s = a - r, c = o * o + s * s, l = c > 0 ? Math.min(1, Math.max(0, ((e - n) * o + (t - r) * s) / c)) : 0;
	return Math.hypot(e - n - l * o, t - r - l * s);
}
// src/map/renderer.ts
var p = "#version 300 es\nprecision highp float; precision highp int;\nuniform vec2 uView, uCentre; uniform float uScale, uRatio, uSize;\nvec2 place(vec2 p) { return (p - uCentre) * uScale; }\nvec4 clip(vec2 px) { return vec4(px * 2.0 / uView, 0.0, 1.0); }\n", m = "\nuniform vec3 uRamp[6]; uniform float uStops[6];\nvec3 ramp(float v) {\n  vec3 c = uRamp[0];\n  for (int i = 1; i < 6; i++) c = mix(c, uRamp[i], clamp((v - uStops[i-1]) / (uStops[i] - uStops[i-1]), 0.0, 1.0));\n  return c;\n}\n", h = `${p}
layout(location=0) in vec4 aEnds; layout(location=1) in vec2 aShape; layout(location=2) in float aValue; layout(location=3) in float aFlag;
uniform int uPass; out float vAlong, vValue; flat out int vFlag; flat out float vLength;
void main() {
  vec2 a = place(aEnds.xy), b = place(aEnds.zw), d = b - a; float l = length(d);
  vec2 u = l > 0.001 ? d / l : vec2(1.0, 0.0), n = vec2(-u.y, u.x);
  int flag = int(aFlag), k = gl_VertexID;
  float w = aShape.y * uSize * (aValue > 0.8 ? 1.0 + 0.5 * min(aValue - 0.8, 0.8) : 1.0);
  if (uPass == 0) w = (flag & 3) == 0 ? 0.0 : w + ((flag & 1) != 0 ? 9.0 : 5.0) * uRatio;
  float side = (k == 0 || k == 1 || k == 4) ? -1.0 : 1.0, end = (k == 0 || k == 2 || k == 3) ? 0.0 : 1.0;
  float fan = aShape.x * min(3.2 * uRatio, l * 0.06);
  vec2 p = mix(a, b, end) + n * (fan + side * w * 0.5) + u * (end * 2.0 - 1.0) * (uPass == 0 ? w * 0.3 : 0.0);
  vAlong = end * l; vLength = l; vValue = aValue; vFlag = flag;
  gl_Position = w <= 0.0 ? vec4(2.0, 2.0, 0.0, 1.0) : clip(p);
}`, g = `#version 300 es
precision highp float; precision highp int;
uniform int uPass; uniform float uRatio; uniform vec3 uHalo, uSelected, uOut; in float vAlong, vValue; flat in int vFlag; flat in float vLength; out vec4 o;
${m}
void main() {
  if (uPass == 0) { o = (vFlag & 2) != 0 ? vec4(uSelected, 0.95) : vec4(uHalo, 0.34); o.rgb *= o.a; return; }
  bool gone = (vFlag & 12) != 0 || !(vValue == vValue);
  if (gone && mod(vAlong / uRatio, 8.0) > 4.0) discard;
  o = gone ? vec4(uOut, 0.9) : vec4(ramp(vValue), 0.96); o.rgb *= o.a;
}`, _ = `${p}
layout(location=0) in vec4 aEnds; layout(location=1) in vec2 aShape; layout(location=2) in float aValue; layout(location=3) in float aFlag; layout(location=4) in float aFlow;
out float vValue;
void main() {
  vec2 a = place(aEnds.xy), b = place(aEnds.zw), d = b - a; float l = length(d);
  vec2 u = l > 0.001 ? d / l : vec2(1.0, 0.0), n = vec2(-u.y, u.x);
  float s = (2.2 + aShape.y * 0.9 * uSize) * uRatio; bool show = l > 30.0 * uRatio && abs(aFlow) > 0.5 && (int(aFlag) & 12) == 0 && aValue == aValue;
  float fan = aShape.x * min(3.2 * uRatio, l * 0.06);
  vec2 m = (a + b) * 0.5 + n * fan; if (aFlow < 0.0) u = -u;
  vec2 p = gl_VertexID == 0 ? m + u * s * 1.25 : m - u * s * 0.85 + vec2(-u.y, u.x) * s * (gl_VertexID == 1 ? 0.85 : -0.85);
  vValue = aValue; gl_Position = show ? clip(p) : vec4(2.0, 2.0, 0.0, 1.0);
}`, v = `#version 300 es
precision highp float; precision highp int;
in float vValue; out vec4 o;
${m}
void main() { o = vec4(ramp(vValue), 1.0); }`, y = `${p}
layout(location=0) in vec2 aPlace; layout(location=1) in float aSize; layout(location=2) in float aValue; layout(location=3) in float aFlag; layout(location=4) in float aLevel;
uniform int uPass; out float vValue, vSize; flat out int vFlag, vLevel;
void main() {
  int flag = int(aFlag); float s = aSize * uSize * uRatio;
  if (uPass == 0) s = (flag & 3) == 0 ? 0.0 : max(s, 5.0 * uRatio) + 9.0 * uRatio;
  else if ((flag & 2) != 0) s = max(s, 9.0 * uRatio);
  vValue = aValue; vFlag = flag; vSize = s; vLevel = int(aLevel); gl_PointSize = s;
  gl_Position = s < 1.0 ? vec4(2.0, 2.0, 0.0, 1.0) : clip(place(aPlace));
}`, b = "#version 300 es\nprecision highp float; precision highp int;\nuniform int uPass, uByLevel; uniform float uRatio; uniform vec3 uHalo, uSelected, uOut, uRing, uLow, uMid, uHigh, uLevels[6]; in float vValue, vSize; flat in int vFlag, vLevel; out vec4 o;\nvoid main() {\n  float r = length(gl_PointCoord - 0.5) * vSize, edge = vSize * 0.5;\n  float inside = clamp(edge - r, 0.0, 1.0); if (inside <= 0.0) discard;\n  if (uPass == 0) { float a = (vFlag & 2) != 0 ? 0.95 : 0.34; o = vec4((vFlag & 2) != 0 ? uSelected : uHalo, a * inside); o.rgb *= o.a; return; }\n  bool gone = !(vValue == vValue);\n  vec3 c = gone ? uRing : uByLevel == 1 ? uLevels[vLevel] : vValue < 0.0 ? mix(uMid, uLow, min(-vValue, 1.0)) : mix(uMid, uHigh, min(vValue, 1.0));\n  vec3 ring = gone ? uOut : uRing;\n  c = mix(c, ring, clamp(r - (edge - max(1.0, vSize * 0.16)), 0.0, 1.0));\n  o = vec4(c, inside); o.rgb *= o.a;\n}", x = class {
	canvas;
	gl;
	line;
	arrow;
	bus;
	lines;
	buses;
	buffers = {};
	nLine = 0;
	nBus = 0;
	byLevel = !1;
	palette;
	constructor(e) {
		this.canvas = e;
		let t = e.getContext("webgl2", {
			antialias: !0,
			alpha: !0,
			premultipliedAlpha: !0
		});
		if (!t) throw Error("WebGL2 is not available in this browser");
		this.gl = t, this.line = this.program(h, g), this.arrow = this.program(_, v), this.bus = this.program(y, b), t.enable(t.BLEND), t.blendFunc(t.ONE, t.ONE_MINUS_SRC_ALPHA);
	}
	program(e, t) {
		let n = this.gl, r = n.createProgram();
		for (let [i, a] of [[n.VERTEX_SHADER, e], [n.FRAGMENT_SHADER, t]]) {
			let e = n.createShader(i);
			n.shaderSource(e, a), n.compileShader(e), n.attachShader(r, e);
		}
		if (n.linkProgram(r), !n.getProgramParameter(r, n.LINK_STATUS)) {
			let e = n.getAttachedShaders(r).map((e) => n.getShaderInfoLog(e)).join("\n");
			throw Error(n.getProgramInfoLog(r) + e);
		}
		let i = /* @__PURE__ */ new Map();
		for (let e = 0; e < n.getProgramParameter(r, n.ACTIVE_UNIFORMS); e++) {
			let t = n.getActiveUniform(r, e).name.replace("[0]", "");
			i.set(t, n.getUniformLocation(r, t));
		}
		return {
			use: r,
			at: i
		};
	}
	attribute(e, t, n, r, i) {
		let a = this.gl;
		this.buffers[e] && a.deleteBuffer(this.buffers[e]), this.buffers[e] = a.createBuffer(), a.bindBuffer(a.ARRAY_BUFFER, this.buffers[e]), a.bufferData(a.ARRAY_BUFFER, r, a.DYNAMIC_DRAW), a.enableVertexAttribArray(t), a.vertexAttribPointer(t, n, a.FLOAT, !1, 0, 0), a.vertexAttribDivisor(t, i);
	}
	setGrid(e, t, n, r, i) {
		let a = this.gl;
		this.nLine = e.length / 4, this.nBus = r.length, a.bindVertexArray(this.lines = a.createVertexArray()), this.attribute("ends", 0, 4, e, 1), this.attribute("shape", 1, 2, t, 1), this.attribute("loading", 2, 1, new Float32Array(this.nLine), 1), this.attribute("lineFlag", 3, 1, new Float32Array(this.nLine), 1), this.attribute("flow", 4, 1, new Float32Array(this.nLine), 1), a.bindVertexArray(this.buses = a.createVertexArray()), this.attribute("place", 0, 2, n, 0), this.attribute("size", 1, 1, r, 0), this.attribute("voltage", 2, 1, new Float32Array(this.nBus), 0), this.attribute("busFlag", 3, 1, new Float32Array(this.nBus), 0), this.attribute("level", 4, 1, i, 0), a.bindVertexArray(null);
	}
	set(e, t) {
		let n = this.gl;
		n.bindBuffer(n.ARRAY_BUFFER, this.buffers[e]), n.bufferSubData(n.ARRAY_BUFFER, 0, t);
	}
	uniforms(e, t, n) {
		let r = this.gl, i = e.at, a = this.palette, o = this.ratio;
		r.useProgram(e.use), r.uniform2f(i.get("uView"), this.canvas.width, this.canvas.height), r.uniform2f(i.get("uCentre"), t.x, t.y), r.uniform1f(i.get("uScale"), t.scale * o), r.uniform1f(i.get("uSize"), n), i.has("uRatio") && r.uniform1f(i.get("uRatio"), o);
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
	get ratio() {
		return Math.min(devicePixelRatio || 1, 2);
	}
	resize(e, t) {
		this.canvas.width = Math.max(1, Math.round(e * this.ratio)), this.canvas.height = Math.max(1, Math.round(t * this.ratio));
	}
	draw(e, t) {
		let n = this.gl;
		if (n.viewport(0, 0, this.canvas.width, this.canvas.height), n.clearColor(0, 0, 0, 0), n.clear(n.COLOR_BUFFER_BIT), this.nBus) {
			n.bindVertexArray(this.lines), this.uniforms(this.line, e, t * this.ratio);
			for (let e of [0, 1]) n.uniform1i(this.line.at.get("uPass"), e), n.drawArraysInstanced(n.TRIANGLES, 0, 6, this.nLine);
			this.uniforms(this.arrow, e, t), n.drawArraysInstanced(n.TRIANGLES, 0, 3, this.nLine), n.bindVertexArray(this.buses), this.uniforms(this.bus, e, t), n.uniform1i(this.bus.at.get("uByLevel"), +!!this.byLevel);
			for (let e of [0, 1]) n.uniform1i(this.bus.at.get("uPass"), e), n.drawArrays(n.POINTS, 0, this.nBus);
			n.bindVertexArray(null);
		}
	}
}, S = 111.195, C = class {
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
	lineFlag = /* @__PURE__ */ new Float32Array();
	flow = /* @__PURE__ */ new Float32Array();
	voltage = /* @__PURE__ */ new Float32Array();
	busFlag = /* @__PURE__ */ new Float32Array();
	watch;
	colours = /* @__PURE__ */ new Map();
	worst = [];
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
		}), this.renderer = new x(this.gl), this.watch = new ResizeObserver(() => this.resize()), this.watch.observe(e), e.addEventListener("pointerdown", this.down), e.addEventListener("pointermove", this.move), e.addEventListener("pointerup", this.up), e.addEventListener("pointerleave", () => this.onhover(null, 0, 0)), e.addEventListener("wheel", this.wheel, { passive: !1 }), e.addEventListener("dblclick", (e) => this.zoom(2, e.offsetX, e.offsetY)), this.resize();
	}
	close() {
		this.watch.disconnect(), cancelAnimationFrame(this.asked), this.host.replaceChildren();
	}
	show(e) {
		let t = this.scene?.grid !== e.grid;
		if (this.scene = e, t) {
			let t = this.drawing = d(e.grid);
			this.renderer.setGrid(t.ends, t.shape, t.places, t.sizes, t.levels);
			let [n, r] = [e.grid.branch.rows, e.grid.bus.rows];
			this.loading = new Float32Array(n), this.lineFlag = new Float32Array(n), this.flow = new Float32Array(n), this.voltage = new Float32Array(r), this.busFlag = new Float32Array(r);
		}
		this.recolour(), t && this.fit(), this.later();
	}
	recolour() {
		let e = this.scene, { bus: t, branch: n } = e.grid;
		this.renderer.palette = u(e.theme, e.change), this.renderer.byLevel = e.byLevel;
		let r = n.i("in_service"), i = e.state?.branch.has("loading") ? e.state.branch : null, a = i?.f("loading"), o = i?.f("p_from_mw"), s = e.change ? e.before?.branch.f("loading") : void 0, [c, l] = e.selected.split(":"), d = Number(l ?? -1);
		for (let t = 0; t < n.rows; t++) {
			let n = a ? a[t] : 0, i = !o || o[t] === o[t], l = n === n ? n : i ? 0 : NaN;
			this.loading[t] = s ? l - (s[t] || 0) : l, this.flow[t] = o ? o[t] : 0, this.lineFlag[t] = !!e.brokenBranch.has(t) | (c === "branch" && d === t ? 2 : 0) | (!r[t] || e.wentOut.has(t) ? 4 : i ? 0 : 8);
		}
		let f = e.prices && e.state?.bus.has("price_per_mwh") ? e.state.bus.f("price_per_mwh") : null, p = e.state?.bus.has("v_mag") ? e.state.bus.f("v_mag") : null, m = t.f("v_min_pu"), h = t.f("v_max_pu");
		for (let n = 0; n < t.rows; n++) {
			let t = Math.max(.02, Math.min(h[n] < 2 ? h[n] - 1 : .1, m[n] > 0 ? 1 - m[n] : .1, .1));
			this.voltage[n] = f ? (f[n] - e.prices[0]) / e.prices[1] : p ? (p[n] - 1) / t : 0, this.busFlag[n] = !!e.brokenBus.has(n) | (c === "bus" && d === n ? 2 : 0);
		}
		let g = this.loading;
		this.worst = [...e.brokenBranch].sort((e, t) => (g[t] || 0) - (g[e] || 0)).slice(0, 60), this.renderer.set("loading", this.loading), this.renderer.set("flow", this.flow), this.renderer.set("lineFlag", this.lineFlag), this.renderer.set("voltage", this.voltage), this.renderer.set("busFlag", this.busFlag);
	}
	resize() {
		let { clientWidth: e, clientHeight: t } = this.host, n = this.width === 1;
		this.width = e || 1, this.height = t || 1, this.renderer.resize(this.width, this.height);
		let r = this.renderer.ratio;
		for (let e of [this.under, this.over]) e.width = Math.round(this.width * r), e.height = Math.round(this.height * r);
		n && this.fit(), this.frame();
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
			let t = f(r, i, s[4 * e], s[4 * e + 1], s[4 * e + 2], s[4 * e + 3]);
			t < a && (a = t, o = {
				table: "branch",
				index: e
			});
		}
		return o;
	}
	later() {
		this.asked ||= requestAnimationFrame(() => {
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
		let e = this.under.getContext("2d"), t = this.renderer.ratio, { grid: n } = this.scene;
		if (e.setTransform(t, 0, 0, t, 0, 0), e.clearRect(0, 0, this.width, this.height), !n.geographic || this.height / this.camera.scale > 360 * S) return;
		let [r, i] = n.origin, a = this.camera, o = S * Math.cos(i * Math.PI / 180), s = this.height / a.scale / S, c = [
			.1,
			.25,
			.5,
			1,
			2,
			5,
			10
		].find((e) => s / e < 7) ?? 20;
		e.strokeStyle = this.colour("--graticule"), e.fillStyle = this.colour("--faint"), e.font = "10px system-ui, sans-serif", e.lineWidth = 1, e.beginPath();
		let l = (e) => `${Math.abs(Number(e.toFixed(2)))}°`, u = [this.width / 2 / a.scale, this.height / 2 / a.scale];
		for (let t = Math.ceil((r + (a.x - u[0]) / o) / c) * c;; t += c) {
			let [n] = this.screen((t - r) * o, 0);
			if (n > this.width) break;
			e.moveTo(Math.round(n) + .5, 0), e.lineTo(Math.round(n) + .5, this.height), n > 40 && n < this.width - 90 && e.fillText(`${l(t)} ${t < 0 ? "W" : "E"}`, n + 4, 12);
		}
		for (let t = Math.ceil((i + (a.y - u[1]) / S) / c) * c;; t += c) {
			let [, n] = this.screen(0, (t - i) * S);
			if (n < 0) break;
			e.moveTo(0, Math.round(n) + .5), e.lineTo(this.width, Math.round(n) + .5), n > 24 && n < this.height - 60 && e.fillText(`${l(t)} ${t < 0 ? "S" : "N"}`, 5, n - 4);
		}
		e.stroke();
	}
	labels() {
		let e = this.over.getContext("2d"), t = this.drawing, n = this.scene, r = this.renderer.ratio;
		e.setTransform(r, 0, 0, r, 0, 0), e.clearRect(0, 0, this.width, this.height), e.textBaseline = "middle", e.lineJoin = "round";
		let i = this.colour("--map"), a = this.colour("--ink"), o = this.colour("--soft"), s = Math.ceil(this.width / 8), c = new Uint8Array(s * Math.ceil(this.height / 8)), l = (t, n, r, l) => {
			e.font = `${l ? "600 " : ""}11px system-ui, "Noto Sans CJK SC", sans-serif`;
			let u = t.length * 6.2;
			if (n < 4 || r < 10 || n + u > this.width - 4 || r > this.height - 10) return !1;
			let [d, f, p, m] = [
				n / 8 | 0,
				(n + u) / 8 | 0,
				(r - 7) / 8 | 0,
				(r + 7) / 8 | 0
			];
			for (let e = p; e <= m; e++) for (let t = d; t <= f; t++) if (c[e * s + t]) return !1;
			for (let e = p; e <= m; e++) for (let t = d; t <= f; t++) c[e * s + t] = 1;
			return e.strokeStyle = i, e.lineWidth = 3, e.strokeText(t, n, r), e.fillStyle = l ? a : o, e.fillText(t, n, r), !0;
		}, u = n.state?.branch.has("loading") ? n.state.branch.f("loading") : null, d = t.ends, f = (e) => this.screen((d[4 * e] + d[4 * e + 2]) / 2, (d[4 * e + 1] + d[4 * e + 3]) / 2), [p, m] = n.selected.split(":");
		if (p === "branch") {
			let e = Number(m), [t, r] = f(e);
			l(`${n.grid.branch.t("id")[e]}  ${u && u[e] === u[e] ? `${(100 * u[e]).toFixed(0)} %` : ""}`, t + 8, r - 10, !0);
		} else if (p === "bus") {
			let e = Number(m), [r, i] = this.screen(t.places[2 * e], t.places[2 * e + 1]);
			l(n.grid.bus.t("name")[e] || n.grid.bus.t("id")[e], r + 9, i - 9, !0);
		}
		let h = 0;
		if (u) for (let e of this.worst) {
			let [t, n] = f(e);
			if (u[e] > 1 && l(`${(100 * u[e]).toFixed(0)} %`, t + 6, n, !0) && ++h > 24) break;
		}
		if (t.typical * this.camera.scale < 34) return;
		let g = n.grid.bus.t("name"), _ = n.grid.bus.t("id");
		h = 0;
		for (let e of t.rank) {
			let [n, r] = this.screen(t.places[2 * e], t.places[2 * e + 1]);
			if (!(n < 0 || r < 0 || n > this.width || r > this.height) && l(g[e] || _[e], n + 8, r + 1, !1) && ++h > 70) break;
		}
	}
	async measure(e) {
		let t = [];
		for (let n = 0; n < e; n++) {
			await new Promise(requestAnimationFrame);
			let e = performance.now();
			this.camera = {
				...this.camera,
				x: this.camera.x + (n % 2 ? 1 : -1) * (3 / this.camera.scale)
			}, this.recolour(), this.frame(), t.push(performance.now() - e);
		}
		return t;
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
}, w = {
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
function T(e) {
	let n = (n) => new t(e[n]);
	return {
		name: e.name,
		geographic: e.geographic,
		origin: e.origin,
		bus: n("bus"),
		branch: n("branch"),
		gen: n("gen"),
		load: n("load"),
		switches: n("switch")
	};
}
function E(e) {
	return !e || !e.bus ? null : {
		step: 0,
		contingency: -1,
		status: "",
		agrees: !0,
		lost: [],
		bus: new t(e.bus),
		branch: new t(e.branch),
		gen: new t(e.gen)
	};
}
function D({ model: e, el: t }) {
	let n = document.createElement("div"), i = document.createElement("div");
	n.className = "aurigrid-map", n.tabIndex = 0, i.className = "aurigrid-key", n.style.height = `${e.get("height")}px`, t.append(n, i);
	let a = new C(n), o = T(e.get("grid")), u = () => {
		let t = e.get("theme") === "dark" ? "dark" : "light", r = E(e.get("state"));
		n.style.height = `${e.get("height")}px`;
		for (let [e, r] of Object.entries(w[t])) n.style.setProperty(`--${e}`, r);
		n.style.background = w[t].map;
		let i = r?.branch.has("loading") ? r.branch.f("loading") : /* @__PURE__ */ new Float32Array(), s = /* @__PURE__ */ new Set();
		i.forEach((e, t) => {
			e > 1 && s.add(t);
		});
		let c = /* @__PURE__ */ new Set();
		r?.branch.has("out") && r.branch.i("out").forEach((e, t) => {
			e && c.add(t);
		}), a.show({
			grid: o,
			state: r,
			before: r,
			change: !1,
			theme: t,
			byLevel: e.get("buses") === "level",
			brokenBranch: s,
			brokenBus: /* @__PURE__ */ new Set(),
			selected: e.get("selected"),
			wentOut: c,
			prices: null
		}), f(t);
	}, f = (t) => {
		let n = (e, t) => `<span><i style="background:${e}"></i>${t}</span>`, u = e.get("buses") === "level" ? d(o).kv.slice(0, 6).map((e, r) => n(s[t][r], `${e} kV`)) : [
			"low",
			"1 pu",
			"high"
		].map((e, r) => n(c[t][r], e)), [f, p] = a.bar(), m = o.geographic ? `<span><b style="width:${p.toFixed(0)}px"></b>${f} km</span><span>N↑</span>` : "";
		i.innerHTML = `<span>loading 0 %<em style="background:linear-gradient(90deg,${r[t].join(",")})"></em>130 %</span>${n(l[t], "over 100 %")}${u.join("")}${m}`;
	};
	a.onpick = (t) => {
		e.set("selected", t ? `${t.table}:${t.index}` : ""), e.save_changes();
	};
	let p = a.later.bind(a);
	a.later = () => {
		p(), f(e.get("theme") === "dark" ? "dark" : "light");
	};
	let m = {
		ArrowLeft: () => a.pan(60, 0),
		ArrowRight: () => a.pan(-60, 0),
		ArrowUp: () => a.pan(0, 60),
		ArrowDown: () => a.pan(0, -60),
		"+": () => a.zoom(1.4),
		"-": () => a.zoom(1 / 1.4),
		0: () => a.fit()
	};
	n.addEventListener("keydown", (e) => {
		m[e.key] && (e.preventDefault(), e.stopPropagation(), m[e.key]());
	});
	let h = [["change:grid", () => {
		o = T(e.get("grid")), u();
	}], ...[
		"state",
		"theme",
		"buses",
		"height",
		"selected"
	].map((e) => [`change:${e}`, u])];
	return h.forEach(([t, n]) => e.on(t, n)), u(), () => {
		h.forEach(([t, n]) => e.off(t, n)), a.close();
	};
}
var O = { render: D };
export { O as default };
