import type { TagResult } from "../schema";
import { count, two, visible } from "../text";

/** Remarks on a result as a whole. */
export function Remarks({ result }: { result: TagResult }) {
  const { usage } = result;
  const off = result.off_vocabulary.map((one) => `'${visible(one.name)}' (${one.count}x)`).join(", ");
  return (
    <section aria-labelledby="remarks-heading">
      <h2 id="remarks-heading">Remarks</h2>
      {result.degraded !== null && (
        <div class="banner warn" data-degraded="">
          <p>
            <strong>Degraded.</strong> The language model failed, so this is less than was asked for: {visible(result.degraded)}
          </p>
          <p>
            {result.degraded_for_good
              ? "Trying again is of no use until the model is set up otherwise on the server."
              : "Try again once the model answers, or untick “Ask the language model”."}
          </p>
        </div>
      )}
      <ul>
        {off && <li>Named by the LLM, but no tags of the vocabulary: {off}</li>}
        {result.rounds > 1 && (
          <li>{result.rounds} rounds: the search was widened while no tag was confident enough.</li>
        )}
        {result.notes.map((note, place) => (
          <li key={place}>{visible(note)}</li>
        ))}
        {result.cut.length > 0 && <li>{count(result.cut.length, "more candidate")} below those shown</li>}
        <li>
          {count(usage.llm_calls, "LLM call")} ({usage.cached_answers} answers replayed), {usage.prompt_tokens} prompt and{" "}
          {usage.completion_tokens} completion tokens, {two(usage.seconds)} s
        </li>
      </ul>
    </section>
  );
}
