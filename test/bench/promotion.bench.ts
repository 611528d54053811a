/** npm run bench:promotion [-- RUNS (300)]: how often libs/forecasting's sequential test promotes a challenger within 5,000 truths, looked at after every one.
 *  Both models' errors share the part rho of their variance and persist as AR(1). For each alpha, `worse`, `equal`, `better`: shares promoted of challengers with 5 % higher,
 *  the same and 5 % lower MAE (`equal` of five times the runs), `truths` the median time it took the better ones. `fixed` is what one look at the end would have found at alpha 0.05: a z-test on
 *  block means. Prints one JSON document. */
import { compareLosses, resetTest, TEST_SIZE, testBlock } from '#forecasting/sequential-test';
import { pairedLosses, type Law } from '../../libs/forecasting/testing/noise.js';

const ALPHAS = [0.05, 0.02, 0.01];
const Z = 1.645;
const TRUTHS = 5000;
const block = testBlock(1);
const runs = Number(process.argv[2] ?? 300);
const state = new Float64Array(TEST_SIZE);
const losses = [0, 0];

interface Run {
  /** Truths until promotion at each of ALPHAS; Infinity for never. */
  readonly promoted: readonly number[];
  readonly fixed: boolean;
}

function run(seed: number, law: Law, rho: number, coefficient: number, factor: number): Run {
  const draw = pairedLosses(seed, law, rho, coefficient);
  resetTest(state, 0);
  const promoted = ALPHAS.map(() => Infinity);
  let [block0, sum, squares] = [0, 0, 0];
  for (let t = 1; t <= TRUTHS; t++) {
    draw(losses);
    const evidence = compareLosses(state, 0, block, losses[0], factor * losses[1]);
    for (const [i, alpha] of ALPHAS.entries()) if (evidence >= 1 / alpha) promoted[i] = Math.min(promoted[i], t);
    block0 += losses[0] - factor * losses[1];
    if (t % block !== 0) continue;
    sum += block0;
    squares += block0 * block0;
    block0 = 0;
  }
  const n = TRUTHS / block;
  const deviation = Math.sqrt(Math.max(squares / n - (sum / n) ** 2, 0));
  return { promoted, fixed: sum / n > (Z * deviation) / Math.sqrt(n) };
}

const share = (values: readonly boolean[]): number => values.filter(Boolean).length / values.length;
const results: Record<string, unknown>[] = [];
for (const law of ['laplace', 'studentT3'] as const) {
  for (const coefficient of [0, 0.4, 0.8]) {
    for (const rho of [0.5, 0.7, 0.9, 0.95]) {
      const of = (factor: number, n: number): Run[] =>
        Array.from({ length: n }, (_, i) => run(104_729 * i + 77, law, rho, coefficient, factor));
      const [worse, equal, better] = [of(1.05, runs), of(1, 5 * runs), of(0.95, runs)];
      const at = (alpha: number, i: number): Record<string, number> => {
        const promotedShare = (all: readonly Run[]): number => share(all.map(({ promoted }) => promoted[i] < Infinity));
        const times = better.map(({ promoted }) => promoted[i]).sort((a, b) => a - b);
        const shares = { worse: promotedShare(worse), equal: promotedShare(equal), better: promotedShare(better) };
        return { alpha, ...shares, truths: times[times.length >> 1] };
      };
      const fixed = share(better.map((r) => r.fixed));
      results.push({ law, autocorrelation: coefficient, rho, fixed, at: ALPHAS.map(at) });
      process.stderr.write(`${JSON.stringify(results.at(-1))}\n`);
    }
  }
}
process.stdout.write(`${JSON.stringify({ block, runs, results }, null, 2)}\n`);
