/** What the server streams while a content is tagged: graphs/events.py, and LangGraph's own envelope. */

import type { CalibrationNote, Decision, Signals, TagDecision, TagResult } from "./schema";

export type Evidence = TagDecision["evidence"][number];

/** What a stage knows about a tag; merged by id. */
export interface TagSoFar {
  id: string;
  name: string;
  signals: Signals;
  evidence: Evidence[];
  confidence?: number;
  calibration?: CalibrationNote;
  decision?: Decision;
  reason?: string;
}

export interface Shown {
  examples: { text: string; tags: string[]; wrong: string[] }[];
  passages: { id: string; title: string; text: string }[];
}

/** A custom event: the counts of one node, and with `watched` what it found. */
export interface StageEvent {
  stage: string;
  round?: number;
  found?: number;
  candidates?: number;
  judged?: number;
  rated?: number;
  samples?: number;
  scored?: number;
  status?: string;
  accepted?: number;
  failure?: string;
  /** A number in the last event of a run: how many tags the result has. */
  tags?: (Partial<TagSoFar> & { id: string })[] | number;
  texts?: Record<string, string>;
  names?: Record<string, string>;
  shown?: Shown;
}

export interface ServerError {
  error: string;
  message: string;
}

export type ServerEvent =
  | { event: "custom"; data: StageEvent }
  | { event: "values"; data: TagResult | { __error__: ServerError } }
  | { event: "error"; data: ServerError };
