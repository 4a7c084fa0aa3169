/** A run in a sentence, for the line that is read out. */

import { type Run, STAGES } from "./run";
import { count } from "./text";

export function summary(run: Run): string {
  const round = run.round > 1 ? `Round ${run.round}: ` : "";
  switch (run.phase) {
    case "idle":
      return "";
    case "running": {
      const at = run.stages.find((stage) => stage.state === "running");
      return at ? `${round}${at.name}, ${STAGES.indexOf(at.name) + 1} of ${STAGES.length} …` : `${round}almost done …`;
    }
    case "done":
      return `Done: ${decided(run)}.`;
    case "cancelled":
      return run.tags.length > 0 ? "Cancelled. What was found so far is shown below." : "Cancelled.";
    case "failed":
      return "Failed.";
  }
}

function decided(run: Run): string {
  const tags = run.result?.tags ?? [];
  if (tags.length === 0) return "no tag was found";
  const having = (decision: string) => tags.filter((tag) => tag.decision === decision).length;
  return `${count(having("accept"), "tag")} accepted, ${having("review")} to review, ${having("reject")} rejected`;
}
