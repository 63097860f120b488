// Colours by theme. The ramps keep their order in lightness, so they read without colour, and avoid red beside green.
import { codesOf, type Palette, type Rgb } from "./renderer";
import type { Theme } from "../state";

const rgb = (hex: string): Rgb => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255) as Rgb;

export const LOADING = {
  dark: ["#34505f", "#3f7d9c", "#5fb0c9", "#e8c64a", "#f2872f", "#ff5c8a"],
  light: ["#b3c1c8", "#6b9db5", "#2f7896", "#bb8f00", "#bf4a08", "#8f0a4a"],
};
export const LOADING_STOPS = [0, 0.3, 0.6, 0.8, 1.0, 1.3];
export const CHANGE = {
  dark: ["#59a8ff", "#3a6ea8", "#3a474f", "#3a474f", "#b97a2a", "#ffb14d"],
  light: ["#0b5cad", "#5b8fc2", "#c3ccd1", "#c3ccd1", "#c98a3b", "#9a5200"],
};
export const CHANGE_STOPS = [-0.3, -0.1, -0.01, 0.01, 0.1, 0.3];
export const LEVELS = {
  dark: ["#e6d9a8", "#8fc7dd", "#b39ddb", "#9bc48a", "#d99a7c", "#9aa8b0"],
  light: ["#7a5c00", "#0f6a8c", "#5f3f9e", "#33691e", "#93401d", "#5b6a72"],
};
export const VOLTAGE = { dark: ["#4aa3ff", "#dfe7ea", "#ff9d3c"], light: ["#0b5cad", "#42525a", "#b34a00"] };
export const HALO = { dark: "#ff5c8a", light: "#c2185b" };

const made = new Map<string, Palette>();

/** The palette of a theme: one object as long as the page lives. */
export function palette(theme: Theme, change: boolean): Palette {
  const key = `${theme}${change}`, found = made.get(key) ?? {
    ramp: (change ? CHANGE : LOADING)[theme].map(rgb),
    stops: change ? CHANGE_STOPS : LOADING_STOPS,
    halo: rgb(HALO[theme]),
    selected: rgb(theme === "dark" ? "#ffffff" : "#10181c"),
    out: rgb(theme === "dark" ? "#7d8f99" : "#6b7a82"),
    ring: rgb(theme === "dark" ? "#0f1519" : "#ffffff"),
    bus: [...VOLTAGE[theme], ...LEVELS[theme]].map(rgb),
    widen: change ? 0 : 0.25,
    codes: codesOf(change ? CHANGE_STOPS : LOADING_STOPS),
  };
  made.set(key, found);
  return found;
}
