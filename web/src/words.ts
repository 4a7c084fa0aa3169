/** Evidence in words, the same as in llm4tag/evidence_words.py: a test compares them. */

import type { Evidence, TagSoFar } from "./events";
import type { C2TEvidence, Neighbour, Signals, TagLink } from "./schema";
import { even, percent, two, visible } from "./text";

/** What evidence refers to: the texts of contents by id, the names of tags by id. */
export interface References {
  texts: ReadonlyMap<string, string>;
  names: ReadonlyMap<string, string>;
}

/** The evidence of one path, or of the LLM: a sentence, then its particulars. */
export interface Said {
  line: string;
  particulars: Particular[];
}

export interface Particular {
  line: string;
  /** Whether it is a content to which a person gave the tag. */
  human?: boolean;
}

const BEGINNING = 90;
const LINKS = { cooccurrence: "often given together with", parent: "a child of", child: "a parent of" };

/** Return a confidence for people to read: the number, and whether it is calibrated or estimated. */
export function confidenceOf(tag: TagSoFar): string {
  if (tag.confidence === undefined || tag.calibration === undefined) return "none yet";
  return `${two(tag.confidence)} ${tag.calibration.status}`;
}

/** Return the evidence of a tag in a few words, on one line. */
export function inShort(tag: TagSoFar): string {
  const single = tag.evidence.length === 1;
  const said = tag.evidence.filter((item) => single || item.path !== "t2t").map(short);
  const reason = tag.reason ? [visible(tag.reason)] : [];
  return [...reason, ...said, ...(ofLlm(tag.signals) ? [llmLine(tag.signals)] : [])].join("; ");
}

/** Return the evidence of a tag, path by path and then of the LLM. */
export function allSaid(tag: TagSoFar, references: References): Said[] {
  const said = tag.evidence.map((item) => lines(item, references));
  const reason = tag.reason ? [{ line: visible(tag.reason), particulars: [] }] : [];
  return [...reason, ...said, ...(ofLlm(tag.signals) ? [{ line: llmLine(tag.signals), particulars: [] }] : [])];
}

/** Return the first words of a content, on one line. */
export function beginning(text: string): string {
  const chars = [...visible([...text].slice(0, 4 * BEGINNING).join(""))];
  return chars.length <= BEGINNING ? chars.join("") : `${chars.slice(0, BEGINNING - 1).join("")}…`;
}

function ofLlm(signals: Signals): boolean {
  return [signals.agreement, signals.p_yes, signals.yes_no_mass, signals.rating].some((value) => value !== null);
}

function short(item: Evidence): string {
  switch (item.path) {
    case "c2t":
      if (item.verbatim) return `'${visible(item.unit)}' is in the text`;
      return item.unit ? `resembles '${visible(item.unit)}'` : "resembles the tag";
    case "c2c2t":
      return `on ${item.support} of ${item.looked_at} similar contents`;
    case "linear":
      return `linear scorer ${two(item.raw)}`;
    case "t2t":
      return "goes together with other candidates";
  }
}

function lines(item: Evidence, references: References): Said {
  const foundIn = item.round > 1 ? `, round ${item.round}` : "";
  const [line, particulars] = parts(item, references);
  return { line: `${item.path} ${two(item.score)}${foundIn}: ${line}`, particulars };
}

function parts(item: Evidence, { texts, names }: References): [string, Particular[]] {
  switch (item.path) {
    case "c2t":
      return ["the text resembles the tag", ofText(item)];
    case "c2c2t":
      return [
        `${item.support} of ${item.looked_at} similar contents carry it, ${item.human_support} by people`,
        item.neighbours.map((one) => neighbour(one, texts)),
      ];
    case "linear":
      return [`history's words and meaning, weighed by the linear scorer, give ${two(item.raw)} (1: sure)`, []];
    case "t2t":
      return ["it goes together with other candidates", item.links.map((one) => link(one, names))];
  }
}

function ofText(item: C2TEvidence): Particular[] {
  const said: Particular[] = [];
  if (item.unit) {
    const how = item.verbatim ? "is in the text word for word" : "shares words with the text";
    const score = item.keyword_score === null ? "" : ` (BM25 ${two(item.keyword_score)})`;
    said.push({ line: `its ${item.unit_kind || "name"} '${visible(item.unit)}' ${how}${score}` });
  }
  if (item.vector_score !== null) {
    const part = item.part ? `the part '${visible(item.part)}'` : "the whole text";
    said.push({ line: `the nearest in meaning is ${part} (cosine ${two(item.vector_score)})` });
  }
  return said;
}

function neighbour(one: Neighbour, texts: ReadonlyMap<string, string>): Particular {
  const text = texts.get(one.id);
  const human = one.provenance === "human";
  const given = human ? "tagged by people" : "tagged by a model";
  const words = text === undefined ? "no longer in the store" : beginning(text);
  return { line: `${visible(one.id)} (similarity ${two(one.similarity)}, ${given}): ${words}`, human };
}

function link(one: TagLink, names: ReadonlyMap<string, string>): Particular {
  return { line: `${LINKS[one.kind]} '${visible(names.get(one.tag) ?? one.tag)}' (weight ${two(one.weight)})` };
}

function llmLine(signals: Signals): string {
  const said: string[] = [];
  if (signals.agreement !== null) {
    said.push(`named in ${even(signals.agreement * signals.samples)} of ${signals.samples} answers`);
  }
  if (signals.p_yes !== null) said.push(`judged yes with probability ${two(signals.p_yes)}`);
  if (signals.rating !== null) said.push(`said to be ${percent(signals.rating)} likely among all`);
  return `the LLM: ${said.join(", ") || "no usable answer"}`;
}
