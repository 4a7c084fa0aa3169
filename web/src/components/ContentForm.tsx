import { useEffect, useRef, useState } from "preact/hooks";
import type { Content, Options } from "../api";

interface Props {
  running: boolean;
  onTag: (content: Content, options: Options) => void;
  onCancel: () => void;
}

/** The content to tag. */
export function ContentForm({ running, onTag, onCancel }: Props) {
  const [title, setTitle] = useState("");
  const [text, setText] = useState("");
  const [useLlm, setUseLlm] = useState(true);
  const [blank, setBlank] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);

  useEffect(() => {
    if (!running) return;
    const onKey = (event: KeyboardEvent) => event.key === "Escape" && onCancel();
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [running, onCancel]);

  const submit = () => {
    if (running) return;
    if (!text.trim()) {
      setBlank(true);
      field.current?.focus();
      return;
    }
    setBlank(false);
    onTag({ title, text }, { useLlm });
  };

  return (
    <section aria-labelledby="content-heading">
      <h2 id="content-heading">Content</h2>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            submit();
          }
        }}
      >
        <label for="title">
          Title <span class="quiet">(optional)</span>
        </label>
        <input id="title" autocomplete="off" value={title} onInput={(event) => setTitle(event.currentTarget.value)} />
        <label for="text">Text</label>
        <textarea
          id="text"
          ref={field}
          rows={7}
          required
          aria-invalid={blank}
          aria-describedby={blank ? "blank keys" : "keys"}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setBlank(false);
          }}
        />
        {blank && (
          <p id="blank" class="wrong">
            Paste some text first.
          </p>
        )}
        <label class="check">
          <input type="checkbox" checked={useLlm} onChange={(event) => setUseLlm(event.currentTarget.checked)} />
          Ask the language model <span class="quiet">(slower; unticked: recall alone)</span>
        </label>
        <div class="buttons">
          {/* Never disabled, which would take the focus away from whoever is at them. */}
          <button type="submit" class="main" aria-disabled={running}>
            Tag
          </button>
          <button type="button" aria-disabled={!running} onClick={() => running && onCancel()}>
            Cancel
          </button>
          <span id="keys" class="quiet small">
            Ctrl+Enter tags, Esc cancels
          </span>
        </div>
      </form>
    </section>
  );
}
