import type { Run, Stage, StageName } from "../run";
import { Knowledge } from "./Knowledge";

const TITLES: Record<StageName, string> = {
  recall: "Recall",
  knowledge: "Knowledge",
  judge: "Judge",
  generate: "Generate",
  calibrate: "Calibrate",
  decide: "Decide",
};
const MARKS: Record<Stage["state"], string> = {
  waiting: "○",
  running: "◐",
  done: "●",
  skipped: "–",
  failed: "✕",
  cancelled: "■",
};

/** The stages of a run and their states. */
export function StageList({ run }: { run: Run }) {
  return (
    <section aria-labelledby="stages-heading">
      <h2 id="stages-heading">Stages{run.round > 1 && <span class="quiet">, round {run.round}</span>}</h2>
      <ol class="stages">
        {run.stages.map((stage) => (
          <li key={stage.name} data-stage={stage.name} data-state={stage.state}>
            <span class="mark" aria-hidden="true">
              {MARKS[stage.state]}
            </span>
            <div>
              <strong>{TITLES[stage.name]}</strong> <span class="quiet">{stage.state}</span>
              {stage.said.length > 0 && <p class="small">{stage.said.join("; ")}</p>}
              {stage.name === "knowledge" && run.shown && <Knowledge shown={run.shown} />}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
