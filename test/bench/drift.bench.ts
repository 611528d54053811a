/** npm run bench:drift [-- TRUTHS (1000000)]: libs/forecasting's drift detector. False alarms in 100,000 truths of errors that do not change, and the truths it takes to see their mean double
 *  1,500 truths after a reset (median, nine of ten, share seen within 1,500). Prints one JSON document. */
import { detectDrift, DRIFT_SIZE, driftBlock, resetDrift } from '#forecasting/drift';
import { autoregressive, laws, uniform, type Law } from '../../libs/forecasting/testing/noise.js';

const truths = Number(process.argv[2] ?? 1_000_000);
const RUNS = 300;
const BEFORE = 1500;
const block = driftBlock(1);
const state = new Float64Array(DRIFT_SIZE);

function falseAlarms(law: Law, coefficient: number): number {
  const draw = autoregressive(uniform(9), law, coefficient);
  resetDrift(state, 0);
  let alarms = 0;
  for (let t = 0; t < truths; t++) if (detectDrift(state, 0, block, 1, draw())) alarms++;
  return (alarms / truths) * 100_000;
}

/** Truths from the change to the alarm; Infinity for none within as many as there were before. */
function delay(seed: number, law: Law, coefficient: number): number {
  const draw = autoregressive(uniform(seed), law, coefficient);
  resetDrift(state, 0);
  for (let t = 0; t < BEFORE; t++) detectDrift(state, 0, block, 1, draw());
  for (let t = 1; t <= BEFORE; t++) if (detectDrift(state, 0, block, 1, 2 * draw())) return t;
  return Infinity;
}

const results: Record<string, unknown>[] = [];
for (const law of Object.keys(laws) as Law[]) {
  for (const coefficient of [0, 0.4, 0.8]) {
    const delays = Array.from({ length: RUNS }, (_, run) => delay(104_729 * run + 1, law, coefficient));
    delays.sort((a, b) => a - b);
    results.push({
      law,
      autocorrelation: coefficient,
      falseAlarms: falseAlarms(law, coefficient),
      median: delays[RUNS / 2],
      nineOfTen: delays[0.9 * RUNS],
      seen: delays.filter(Number.isFinite).length / RUNS,
    });
  }
}
process.stdout.write(`${JSON.stringify({ block, truths, results }, null, 2)}\n`);
