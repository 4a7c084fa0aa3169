/** Untrusted text made safe to show, and figures as the command line writes them. */

// The characters at which Python's str.split() splits, so that both show the same.
const SPACES = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;
// Control characters, marks of direction and the like: those for which Python's str.isprintable() is false.
const UNSEEN = /[\p{C}\p{Z}]/gu;

/** Return text on one line, its control characters spelled out, as schema/text.py does. */
export function visible(text: string): string {
  const line = text.split(SPACES).filter(Boolean).join(" ");
  return line.replace(UNSEEN, (char) => (char === " " ? char : spelled(char)));
}

/** Return JSON for a reader: indented, and with what cannot be seen escaped, which is the same JSON. */
export function readableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(UNSEEN, (char) =>
    char === " " || char === "\n" ? char : [...Array(char.length).keys()].map((at) => unit(char.charCodeAt(at))).join(""),
  );
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

function spelled(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? unit(code) : `\\U${code.toString(16).padStart(8, "0")}`;
}

/** Return a figure with two digits; at a tie the even one, as Python has it (.125 and .625 are the ties that differ). */
export function two(value: number): string {
  const tied = Math.abs(value) % 0.5 === 0.125;
  return (tied ? value - Math.sign(value) * 0.001 : value).toFixed(2);
}

/** Return a share as a percentage without digits, rounded as `two` does. */
export function percent(value: number): string {
  return `${even(value * 100)}%`;
}

/** Return the nearest whole number, at a tie the even one. */
export function even(value: number): number {
  const below = Math.floor(value);
  const tied = value - below === 0.5;
  return tied ? below + (below % 2) : Math.round(value);
}

/** Return a count with its noun. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
