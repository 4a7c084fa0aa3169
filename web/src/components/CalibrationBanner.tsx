import type { Run } from "../run";
import { count, visible } from "../text";

/** A banner that says whether the confidences are calibrated or estimated, and why. */
export function CalibrationBanner({ run }: { run: Run }) {
  const weighed = run.tags.filter((tag) => tag.calibration !== undefined);
  const estimated = weighed.filter((tag) => tag.calibration?.status !== "calibrated");
  if (weighed.length === 0) {
    return (
      <div class="banner">
        <p>
          <strong>No confidence yet.</strong> The candidates are still to be weighed.
        </p>
      </div>
    );
  }
  if (estimated.length === 0) {
    return (
      <div class="banner good">
        <p>
          <strong>Calibrated.</strong> Every confidence was measured on labels of this store.
        </p>
      </div>
    );
  }
  const reasons = [...new Set(estimated.map((tag) => tag.calibration?.reason ?? ""))].filter(Boolean);
  return (
    <div class="banner">
      <p>
        <strong>{estimated.length === weighed.length ? "Estimated." : "Partly calibrated."}</strong> An estimated confidence
        comes from what llm4tag learned on other vocabularies and from this store's history.
      </p>
      {reasons.map((reason) => (
        <p key={reason}>
          {count(estimated.filter((tag) => tag.calibration?.reason === reason).length, "tag")}: estimated, as {visible(reason)}
        </p>
      ))}
    </div>
  );
}
