import { useState } from "preact/hooks";
import { ContentForm } from "./components/ContentForm";
import { JsonView } from "./components/JsonView";
import { KeyForm } from "./components/KeyForm";
import { ProblemBanner } from "./components/ProblemBanner";
import { Remarks } from "./components/Remarks";
import { StageList } from "./components/StageList";
import { TagList } from "./components/TagList";
import { summary } from "./summary";
import { useRun } from "./useRun";

export function App() {
  const { run, key, start, cancel, useKey } = useRun();
  const [keyWanted, setKeyWanted] = useState(false);
  const running = run.phase === "running";
  return (
    <>
      <header>
        <h1>llm4tag</h1>
        <p class="quiet">Tags for a text, stage by stage, with the evidence for each.</p>
      </header>
      <main>
        <div class="columns">
          <ContentForm running={running} onTag={start} onCancel={cancel} />
          <StageList run={run} />
        </div>
        <p class="status" role="status">
          {summary(run)}
        </p>
        {run.problem && <ProblemBanner problem={run.problem} />}
        {(run.problem?.key || keyWanted) && (
          <KeyForm
            focus={run.problem?.key === true}
            onKey={(given) => {
              setKeyWanted(false);
              useKey(given);
            }}
          />
        )}
        {run.tags.length > 0 && <TagList run={run} />}
        {run.result && <Remarks result={run.result} />}
        {(run.result || run.tags.length > 0) && <JsonView run={run} />}
      </main>
      <footer>
        <p class="quiet small">
          What you paste goes to this server and, if you ask for it, to the language model it is set up with.{" "}
          {key ? (
            <button type="button" class="link" onClick={() => useKey("")}>
              Forget the API key
            </button>
          ) : (
            <button type="button" class="link" onClick={() => setKeyWanted(true)}>
              Give an API key
            </button>
          )}
        </p>
      </footer>
    </>
  );
}
