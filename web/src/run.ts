/** One run as the page shows it, computed from the server's events by plain functions. */

import type { ServerEvent, Shown, StageEvent, TagSoFar } from "./events";
import { ofRun, type Problem } from "./problems";
import type { TagResult } from "./schema";
import { count, visible } from "./text";
import type { References } from "./words";

export const STAGES = ["recall", "knowledge", "judge", "generate", "calibrate", "decide"] as const;
export type StageName = (typeof STAGES)[number];
export type StageState = "waiting" | "running" | "done" | "skipped" | "failed" | "cancelled";

export interface Stage {
  name: StageName;
  state: StageState;
  /** What the stage did, a line for each of its nodes. */
  said: string[];
}

export interface Run {
  phase: "idle" | "running" | "done" | "failed" | "cancelled";
  useLlm: boolean;
  round: number;
  stages: Stage[];
  /** The tags found so far, best first. */
  tags: TagSoFar[];
  references: References;
  shown: Shown | null;
  result: TagResult | null;
  problem: Problem | null;
}

/** Which stage a node of the graph belongs to. */
const STAGE_OF: Record<string, StageName> = {
  prepare: "recall",
  search_tags: "recall",
  search_contents: "recall",
  classify: "recall",
  follow_tags: "recall",
  fuse_candidates: "recall",
  widen: "recall",
  retrieve_knowledge: "knowledge",
  judge: "judge",
  rate: "judge",
  generate: "generate",
  calibrate: "calibrate",
  decide: "decide",
  report: "decide",
};
/** The nodes that end a stage; the other nodes of a stage only add lines to it. */
const LAST = new Set(["fuse_candidates", "retrieve_knowledge", "judge", "rate", "generate", "calibrate", "decide"]);
const OF_LLM: ReadonlySet<StageName> = new Set(["knowledge", "judge", "generate"]);
const NOTHING: References = { texts: new Map(), names: new Map() };

export function idle(): Run {
  return { ...started(true), phase: "idle", stages: untouched() };
}

export function started(useLlm: boolean): Run {
  return {
    phase: "running",
    useLlm,
    round: 1,
    stages: fresh(useLlm),
    tags: [],
    references: NOTHING,
    shown: null,
    result: null,
    problem: null,
  };
}

/** Return the run after an event. */
export function after(run: Run, event: ServerEvent): Run {
  switch (event.event) {
    case "custom":
      return afterStage(run, event.data);
    case "error":
      return failed(run, ofRun(event.data));
    case "values":
      if ("__error__" in event.data) return failed(run, ofRun(event.data.__error__));
      // The server may send the state before its first step.
      return Array.isArray(event.data.tags) ? { ...run, result: event.data, tags: event.data.tags } : run;
  }
}

/** Return the run at the end of its stream. */
export function ended(run: Run, problem: Problem): Run {
  if (run.phase !== "running") return run;
  return run.result ? { ...run, phase: "done", stages: settled(run.stages, "skipped") } : failed(run, problem);
}

export function failed(run: Run, problem: Problem): Run {
  return { ...run, phase: "failed", problem, stages: problem.refused ? untouched() : settled(run.stages, "failed") };
}

export function cancelled(run: Run): Run {
  return run.phase === "running" ? { ...run, phase: "cancelled", stages: settled(run.stages, "cancelled") } : run;
}

function untouched(): Stage[] {
  return STAGES.map((name) => ({ name, state: "waiting", said: [] }));
}

function fresh(useLlm: boolean): Stage[] {
  return STAGES.map((name) => {
    if (name === "recall") return { name, state: "running", said: [] };
    const skipped = !useLlm && OF_LLM.has(name);
    return { name, state: skipped ? "skipped" : "waiting", said: skipped ? ["no language model is asked"] : [] };
  });
}

/** Give the running stage a state, and mark the stages that did not start as skipped. */
function settled(stages: Stage[], state: StageState): Stage[] {
  return stages.map((stage) => {
    if (stage.state === "running") return { ...stage, state };
    return stage.state === "waiting" ? { ...stage, state: "skipped" as const } : stage;
  });
}

function afterStage(run: Run, event: StageEvent): Run {
  if (event.stage === "widen") {
    return { ...run, round: event.round ?? run.round + 1, stages: fresh(run.useLlm) };
  }
  const name = STAGE_OF[event.stage];
  if (name === undefined || event.stage === "report") return run;
  const said = saidOf(event);
  const at = STAGES.indexOf(name);
  const stages = run.stages.map((stage, place): Stage => {
    if (place === at) return { ...stage, state: stateAt(event), said: said ? [...stage.said, said] : stage.said };
    // Stages that were passed had nothing to do.
    if (place < at && (stage.state === "waiting" || stage.state === "running")) return { ...stage, state: "skipped" };
    return stage;
  });
  return {
    ...run,
    stages: LAST.has(event.stage) ? nextRunning(stages, at) : stages,
    tags: mergedTags(run.tags, event),
    references: {
      texts: new Map([...run.references.texts, ...Object.entries(event.texts ?? {})]),
      names: new Map([...run.references.names, ...Object.entries(event.names ?? {})]),
    },
    shown: event.shown ?? run.shown,
  };
}

function stateAt(event: StageEvent): StageState {
  if (event.failure) return "failed";
  return LAST.has(event.stage) ? "done" : "running";
}

function nextRunning(stages: Stage[], at: number): Stage[] {
  const next = stages.findIndex((stage, place) => place > at && stage.state === "waiting");
  return stages.map((stage, place) => (place === next ? { ...stage, state: "running" } : stage));
}

function saidOf(event: StageEvent): string {
  switch (event.stage) {
    case "search_tags":
      return `names and meaning: ${count(event.found ?? 0, "tag")}`;
    case "search_contents":
      return `similar contents: ${count(event.found ?? 0, "tag")}`;
    case "classify":
      return `linear scorer: ${count(event.found ?? 0, "tag")}`;
    case "follow_tags":
      return `tags that go together: ${count(event.found ?? 0, "tag")}`;
    case "fuse_candidates":
      return `${count(event.candidates ?? 0, "candidate")} in all`;
    case "retrieve_knowledge":
      return `${count(event.shown?.examples.length ?? 0, "similar example")}, ${count(event.shown?.passages.length ?? 0, "passage")}`;
    case "judge":
      return event.failure ? visible(event.failure) : `${count(event.judged ?? 0, "candidate")} judged yes or no`;
    case "rate":
      return event.failure ? visible(event.failure) : `${count(event.rated ?? 0, "candidate")} rated in words`;
    case "generate":
      return event.failure ? visible(event.failure) : count(event.samples ?? 0, "answer");
    case "calibrate":
      return `${count(event.scored ?? 0, "candidate")} weighed: ${event.status === "calibrated" ? "calibrated" : "estimated"}`;
    case "decide":
      return `${event.accepted ?? 0} accepted`;
    default:
      return "";
  }
}

/** Merge what a stage says about tags; recall gives a new list, calibration its order. */
function mergedTags(known: TagSoFar[], event: StageEvent): TagSoFar[] {
  if (!Array.isArray(event.tags)) return known;
  const fresh = event.tags;
  const byId = new Map(known.map((tag) => [tag.id, tag]));
  const merge = (one: (typeof fresh)[number]): TagSoFar | null => {
    const before = byId.get(one.id);
    if (before) return { ...before, ...one };
    return one.name !== undefined && one.evidence && one.signals ? (one as TagSoFar) : null;
  };
  if (event.stage !== "fuse_candidates" && event.stage !== "calibrate") {
    const news = new Map(fresh.map((one) => [one.id, merge(one)]));
    return known.map((tag) => news.get(tag.id) ?? tag);
  }
  const first = fresh.map(merge).filter((tag) => tag !== null);
  const listed = new Set(first.map((tag) => tag.id));
  return event.stage === "fuse_candidates" ? first : [...first, ...known.filter((tag) => !listed.has(tag.id))];
}
