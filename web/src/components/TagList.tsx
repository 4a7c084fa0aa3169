import { useState } from "preact/hooks";
import type { TagSoFar } from "../events";
import type { Run } from "../run";
import { visible } from "../text";
import { confidenceOf, inShort } from "../words";
import { CalibrationBanner } from "./CalibrationBanner";
import { TagEvidence } from "./TagEvidence";

const FIRST = 10;

/** The tags found so far, best first. */
export function TagList({ run }: { run: Run }) {
  const [all, setAll] = useState(false);
  const tags = all ? run.tags : run.tags.slice(0, FIRST);
  return (
    <section aria-labelledby="tags-heading">
      <h2 id="tags-heading">Tags</h2>
      <CalibrationBanner run={run} />
      <ol class="found">
        {tags.map((tag) => (
          <TagRow key={tag.id} tag={tag} run={run} />
        ))}
      </ol>
      {run.tags.length > FIRST && (
        <button type="button" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? `Show the first ${FIRST} alone` : `Show all ${run.tags.length}`}
        </button>
      )}
    </section>
  );
}

function TagRow({ tag, run }: { tag: TagSoFar; run: Run }) {
  return (
    <li data-tag={tag.id} data-decision={tag.decision ?? "none"}>
      <div class="line">
        <span class="name">
          <strong>{visible(tag.name)}</strong> <code>{visible(tag.id)}</code>
        </span>
        <span class="confidence">{confidenceOf(tag)}</span>
        <span class="decision">{tag.decision ?? "undecided"}</span>
        <span class="short quiet">{inShort(tag)}</span>
      </div>
      <details>
        <summary>
          Evidence<span class="unseen"> for {visible(tag.name)}</span>
        </summary>
        <TagEvidence tag={tag} references={run.references} reason={tag.calibration?.reason ?? ""} />
      </details>
    </li>
  );
}
