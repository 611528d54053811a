/** The exactly-once protocol, searched through every interleaving: what holds, and what each rule is for. */
import { describe, it } from 'vitest';
import type { Configuration } from './configuration.js';
import { exhaustive, expectToBreak, expectToHold, maxStates, SLOW } from './expectations.js';
import { search, type Report } from './search.js';
import { system } from './system.js';
import { BREAK, BREAK_AT_LENGTH, HOLD, HOLD_AT_LENGTH, NOT_NEEDED, NOT_NEEDED_AT_LENGTH } from './table.js';

const run = (configuration: Configuration): Report => search(system(configuration), { maxStates });

describe('exactly once', SLOW, () => {
  const all = exhaustive ? [...HOLD, ...HOLD_AT_LENGTH] : HOLD;
  it.each(all)('holds: $name', ({ name, configuration }) => expectToHold(run(configuration), name));
  const rules = exhaustive ? [...BREAK, ...BREAK_AT_LENGTH] : BREAK;
  it.each(rules)('breaks without $rule', (row) => expectToBreak(row, run(row.configuration)));
  const notNeeded = exhaustive ? [...NOT_NEEDED, ...NOT_NEEDED_AT_LENGTH] : NOT_NEEDED;
  it.each(notNeeded)('holds without $name', ({ name, configuration }) => expectToHold(run(configuration), name));
});
