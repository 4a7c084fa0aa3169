import { useEffect, useRef, useState } from "preact/hooks";

interface Props {
  /** Whether to focus the field at once, as the server asked for a key. */
  focus: boolean;
  onKey: (key: string) => void;
}

/** The form for the API key that a server requires. */
export function KeyForm({ focus, onKey }: Props) {
  const [key, setKey] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (focus) field.current?.focus();
  }, [focus]);
  // A header allows no other characters.
  const usable = /^[\x21-\x7e]+$/.test(key);
  return (
    <section aria-labelledby="key-heading">
      <h2 id="key-heading">API key</h2>
      <form
        class="key"
        onSubmit={(event) => {
          event.preventDefault();
          if (usable) onKey(key);
        }}
      >
        <label for="key">Key for this server</label>
        <input
          id="key"
          ref={field}
          type="password"
          autocomplete="off"
          aria-describedby="key-note"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value.trim())}
        />
        <div class="buttons">
          <button type="submit" class="main">
            Use this key
          </button>
          <span id="key-note" class="quiet small">
            {key && !usable ? "This has characters that no key has." : "Saved until this tab is closed, and sent to this server only."}
          </span>
        </div>
      </form>
    </section>
  );
}
