import type { Shown } from "../events";
import { visible } from "../text";

/** The examples and passages that the language model is shown with the content. */
export function Knowledge({ shown }: { shown: Shown }) {
  if (shown.examples.length + shown.passages.length === 0) return null;
  return (
    <details class="small">
      <summary>What the model is shown</summary>
      <ul>
        {shown.examples.map((example, place) => (
          <li key={place}>
            Example: {visible(example.text)}
            <ul>
              <li>its tags: {example.tags.map(visible).join(", ") || "none"}</li>
              {example.wrong.length > 0 && <li>tags that only look right: {example.wrong.map(visible).join(", ")}</li>}
            </ul>
          </li>
        ))}
        {shown.passages.map((passage) => (
          <li key={passage.id}>
            Passage{passage.title && ` “${visible(passage.title)}”`}: {visible(passage.text)}
          </li>
        ))}
      </ul>
    </details>
  );
}
