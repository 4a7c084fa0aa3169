import type { TagSoFar } from "../events";
import { visible } from "../text";
import { allSaid, type References } from "../words";

interface Props {
  tag: TagSoFar;
  references: References;
  /** Why the confidence is estimated; empty if it is calibrated, or if there is none yet. */
  reason: string;
}

/** The evidence of a tag: path by path, then of the language model. */
export function TagEvidence({ tag, references, reason }: Props) {
  return (
    <ul class="evidence">
      {allSaid(tag, references).map((said, place) => (
        <li key={place}>
          <span class="said">{said.line}</span>
          {said.particulars.length > 0 && (
            <ul>
              {said.particulars.map((particular, at) => (
                <li key={at} class={particular.human ? "said human" : "said"}>
                  {particular.line}
                </li>
              ))}
            </ul>
          )}
        </li>
      ))}
      {reason && <li class="reason">estimated: {visible(reason)}</li>}
    </ul>
  );
}
