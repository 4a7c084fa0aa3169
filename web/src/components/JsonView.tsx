import { useState } from "preact/hooks";
import type { Run } from "../run";
import { readableJson } from "../text";

/** The JSON behind the page: the result line, or what is known so far. */
export function JsonView({ run }: { run: Run }) {
  const [open, setOpen] = useState(false);
  return (
    <section aria-labelledby="json-heading">
      <h2 id="json-heading">JSON</h2>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{run.result ? "The result" : "What is known so far"}</summary>
        {open && <Json value={run.result ?? { tags: run.tags }} />}
      </details>
    </section>
  );
}

function Json({ value }: { value: unknown }) {
  const text = readableJson(value);
  const [copied, setCopied] = useState("");
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied("copied"),
      () => setCopied("could not be copied"),
    );
  return (
    <>
      {/* Browsers give the clipboard to pages of this machine and of https alone. */}
      {window.isSecureContext && (
        <p>
          <button type="button" onClick={copy}>
            Copy
          </button>{" "}
          <span role="status" class="quiet small">
            {copied}
          </span>
        </p>
      )}
      <pre tabIndex={0} role="region" aria-label="JSON">
        {text}
      </pre>
    </>
  );
}
