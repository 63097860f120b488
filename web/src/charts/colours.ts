import type { Theme } from "../state";

const FUEL: Record<string, [string, string]> = {
  nuclear: ["#8f7fc7", "#6a57b0"], lignite: ["#7a5b47", "#6d4c37"], coal: ["#6c7780", "#4d5860"], waste: ["#94805f", "#7d693f"],
  biomass: ["#6f9a54", "#4d7a31"], hydro: ["#3d86b8", "#1f6da3"], import: ["#a5aeb4", "#8a959c"], gas: ["#c98a5b", "#b0672f"],
  oil: ["#a35a5a", "#8c3c3c"], solar: ["#e8c64a", "#d3a400"], wind: ["#62c0d6", "#2a9db8"], storage: ["#b48bd0", "#8d58b3"],
  unknown: ["#59646b", "#9aa6ad"],
};
const MORE: [string, string][] = [["#d98fb3", "#b3437a"], ["#9bc48a", "#33691e"], ["#8fa8dd", "#34508c"]];

/** Bottom of the stack first: what runs steadily, then what follows, then the weather. */
export const ORDER = ["nuclear", "lignite", "coal", "waste", "biomass", "hydro", "import", "gas", "oil", "storage", "unknown", "solar", "wind"];

export function fuelColour(fuel: string, theme: Theme, index = 0): string {
  return (FUEL[fuel] ?? MORE[index % MORE.length]!)[theme === "dark" ? 0 : 1];
}

export const byOrder = (a: string, b: string) => (ORDER.indexOf(a) + 99 * Number(!ORDER.includes(a))) - (ORDER.indexOf(b) + 99 * Number(!ORDER.includes(b)));

export const STATE = {
  dark: { secure: "#3f8fb5", insecure: "#e0a11b", broken: "#f2702f", unsolved: "#c77dd6" },
  light: { secure: "#2b7a9e", insecure: "#b07a00", broken: "#c04a08", unsolved: "#8e3aa3" },
};

/** Ink of lines by theme: the main one, and two that stay apart. */
export const INK = {
  dark: { main: "#e7eef1", first: "#62c0d6", second: "#ffb14d" },
  light: { main: "#1b262b", first: "#1b7f99", second: "#9a5200" },
};

const CAUSE: [string, string][] = [["#e0a11b", "#b07a00"], ["#d98fb3", "#b3437a"], ["#8fa8dd", "#34508c"], ["#9bc48a", "#3d7224"], ["#b48bd0", "#8d58b3"], ["#62c0d6", "#1b7f99"]];
export const causeColour = (index: number, theme: Theme) => CAUSE[index % CAUSE.length]![theme === "dark" ? 0 : 1];
