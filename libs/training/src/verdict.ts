/** How good predictions are on the held-back rows, next to persistence, and whether the difference is more than chance. */
import type { Batch } from './sequences.js';

export interface Verdict {
  readonly rows: number;
  readonly mae: number;
  /** On the same rows, predicting no change. */
  readonly persistenceMae: number;
  readonly improved: boolean;
}

/** The best of many epochs looks good on the held-back rows by selection alone: an improvement has to be this large and this certain. */
const MIN_GAIN = 0.005;
const MIN_STANDARD_ERRORS = 2.5;

/** `predict`: [steps, size] in the batch's order. */
export function judge(batches: readonly Batch[], predict: (batch: Batch) => Float32Array): Verdict {
  let rows = 0;
  let mae = 0;
  let persistenceMae = 0;
  let squares = 0;
  for (const batch of batches) {
    const { targets, counts } = batch;
    const predictions = predict(batch);
    for (let i = 0; i < targets.length; i++) {
      if (counts[i] === 0) continue;
      const error = Math.abs(targets[i] - predictions[i]);
      const still = Math.abs(targets[i]);
      rows++;
      mae += error;
      persistenceMae += still;
      squares += (still - error) ** 2;
    }
  }
  if (rows === 0) return { rows, mae: 0, persistenceMae: 0, improved: false };
  mae /= rows;
  persistenceMae /= rows;
  const gain = persistenceMae - mae;
  const standardError = Math.sqrt(Math.max(0, squares / rows - gain * gain) / rows);
  const improved = gain > MIN_GAIN * persistenceMae && gain > MIN_STANDARD_ERRORS * standardError;
  return { rows, mae, persistenceMae, improved };
}
