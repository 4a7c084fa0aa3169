import type { Run } from "../run";
import { visible } from "../text";

export const NOT_YET = "calibration is still to come";

/** A banner that says whether the confidences are measured probabilities, and why not. */
export function CalibrationBanner({ run }: { run: Run }) {
  const weighed = run.tags.filter((tag) => tag.calibration !== undefined);
  const not = weighed.filter((tag) => tag.calibration?.status !== "calibrated");
  if (weighed.length === 0) {
    return (
      <div class="banner">
        <p>
          <strong>Uncalibrated</strong> so far: {NOT_YET}.
        </p>
      </div>
    );
  }
  if (not.length === 0) {
    return (
      <div class="banner good">
        <p>
          <strong>Calibrated.</strong> Every confidence is a measured probability.
        </p>
      </div>
    );
  }
  const reasons = [...new Set(not.map((tag) => tag.calibration?.reason ?? ""))].filter(Boolean);
  return (
    <div class="banner warn">
      <p>
        <strong>{not.length === weighed.length ? "Uncalibrated." : "Partly calibrated."}</strong> Confidences rank; where
        one is no measured probability, this word replaces it.
      </p>
      {reasons.map((reason) => (
        <p key={reason}>
          {not.filter((tag) => tag.calibration?.reason === reason).length} tags: uncalibrated, as {visible(reason)}
        </p>
      ))}
    </div>
  );
}
