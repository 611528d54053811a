/** From every reachable state either process alone gets on, and no reader waits for a transaction's time-out. */
import { describe, it } from 'vitest';
import type { Configuration } from './configuration.js';
import { exhaustive, expectToBreak, expectToHold, maxStates, SLOW } from './expectations.js';
import { livenessProbe } from './liveness.js';
import { search, type Report } from './search.js';
import { system } from './system.js';
import { LIVE, LIVE_AT_LENGTH, WAIT } from './table.js';

const run = (configuration: Configuration): Report =>
  search(system(configuration), { maxStates, probe: livenessProbe(configuration) });

describe('nobody waits for a time-out', SLOW, () => {
  const all = exhaustive ? [...LIVE, ...LIVE_AT_LENGTH] : LIVE;
  it.each(all)('after $name', ({ name, configuration }) => expectToHold(run(configuration), `liveness: ${name}`));
  it.each(WAIT)('but for $rule', (row) => expectToBreak(row, run(row.configuration)));
});
