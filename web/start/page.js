// The few things that all parts of the start page do with its elements.

export const one = (id) => document.getElementById(id);

/** An element with a class and children, which are elements or texts. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Shows a message, or hides its place where there is none. */
export function say(place, message) {
  place.textContent = message ?? "";
  place.hidden = !message;
}

const number = new Intl.NumberFormat();
export const count = (value) => number.format(value);
export const rows = (value) => `${count(value)} ${value === 1 ? "row" : "rows"}`;

export function bytes(value) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(value, 1)) / 3));
  const options = { style: "unit", unit: units[step], unitDisplay: step ? "short" : "long", maximumFractionDigits: step > 1 ? 1 : 0 };
  return new Intl.NumberFormat(undefined, options).format(value / 1000 ** step);
}

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** "3 min. ago"; and in full. */
export function ago(time) {
  const seconds = Math.max(0, (Date.now() - time) / 1000);
  if (seconds < 45) return "just now";
  if (seconds < 3600) return relative.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86400) return relative.format(-Math.round(seconds / 3600), "hour");
  return relative.format(-Math.round(seconds / 86400), "day");
}
export const inFull = (time) => absolute.format(time);

/** The first letters of a name's first and last word. */
export function initials(name) {
  const words = name.split("@")[0].split(/[\s.]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0]).join("").toLocaleUpperCase();
}

/** One of the six tints of faces, always the same for the same id. */
export function tint(id) {
  return `t${[...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7) % 6}`;
}
