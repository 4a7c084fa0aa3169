import type { Problem } from "../problems";
import { visible } from "../text";

/** A banner that says what went wrong, and what to do about it. */
export function ProblemBanner({ problem }: { problem: Problem }) {
  return (
    <div class="banner warn" role="alert">
      <p>
        <strong>{visible(problem.title)}.</strong> {visible(problem.message)}
      </p>
      {problem.todo && <p>{problem.todo}</p>}
    </div>
  );
}
