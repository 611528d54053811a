/** How a residual hangs together with those some steps before it: autoregressive coefficients, each knot's own, tracked on line. */

/** Residuals that coefficients remember. */
const MEMORY = 4096;
const KEEP = 1 - 1 / MEMORY;
/** Wild residuals count as this many scales. */
const LIMIT = 8;
/** Weight of "no correlation", in squared scales: the first few residuals say nothing. */
const RIDGE = 10;

/** Floats of so many knots: their sums of products, then those of squares. */
export const regressionSize = (knots: number): number => 2 * knots;

/** Learns from the residual `target` that `residual` was what lay `knots[knot]` steps before it; NaN changes nothing. `scale`: how large the stream's residuals are. */
export function learnSlope(
  state: Float64Array,
  at: number,
  knots: readonly number[],
  knot: number,
  residual: number,
  target: number,
  scale: number,
): void {
  if (residual !== residual || target !== target) return;
  // Wild residuals are pulled in, both by the same factor: they must not decide the slope alone.
  const wild = Math.max(1, Math.abs(residual) / (LIMIT * scale), Math.abs(target) / (LIMIT * scale));
  const x = residual / wild;
  const y = target / wild;
  const xy = at + knot;
  const xx = at + knots.length + knot;
  state[xy] = KEEP * state[xy] + x * y;
  state[xx] = KEEP * state[xx] + x * x;
}

/** The coefficient of the residual `knots[knot]` steps on, within +-1. */
export function slopeOf(
  state: Float64Array,
  at: number,
  knots: readonly number[],
  knot: number,
  scale: number,
): number {
  const squares = state[at + knots.length + knot] + RIDGE * scale * scale;
  return squares > 0 ? Math.min(Math.max(state[at + knot] / squares, -1), 1) : 0;
}

/** Those of all steps, into slopes[0 ..]: by straight lines between knots. */
export function writeSlopes(
  state: Float64Array,
  at: number,
  knots: readonly number[],
  scale: number,
  slopes: Float64Array,
): void {
  let from = 0;
  for (let j = 0; j < knots.length; j++) {
    const to = knots[j];
    const slope = (slopes[to - 1] = slopeOf(state, at, knots, j, scale));
    for (let h = from + 1; h < to; h++)
      slopes[h - 1] = slopes[from - 1] + ((slope - slopes[from - 1]) * (h - from)) / (to - from);
    from = to;
  }
}
