/** The at-least-once variant: outcomes may repeat, none is missing, none is wrong. */
import { describe, expect, it } from 'vitest';
import { AT_LEAST_ONCE, atLeastOnce, type AtLeastOnce } from './at-least-once.js';
import { expectToHold, maxStates, SLOW } from './expectations.js';
import { search, type Report } from './search.js';

describe('at least once', SLOW, () => {
  const spec = (part: Partial<AtLeastOnce>, ...without: (keyof typeof AT_LEAST_ONCE)[]): AtLeastOnce => ({
    log: [0, 0, 1],
    streams: 2,
    takeOvers: 1,
    timeouts: 1,
    failovers: 0,
    ...part,
    rules: { ...AT_LEAST_ONCE, ...Object.fromEntries(without.map((rule) => [rule, false])) },
  });
  const find = (part: Partial<AtLeastOnce>, ...without: (keyof typeof AT_LEAST_ONCE)[]): Report =>
    search(atLeastOnce(spec(part, ...without)), { maxStates });

  it('has an outcome from the right state for every record', () => {
    expectToHold(find({}), 'at least once');
    expectToHold(find({ failovers: 1, timeouts: 0 }), 'at least once, fail-over');
  });

  it('breaks without the compare-and-set, the dirty set, the order, or the resumption at W', () => {
    expect(find({}, 'compareAndSet').finding?.what).toMatch(/stored state "0a" of stream 0 at W = 3/);
    expect(find({ failovers: 1 }, 'dirtySet').finding?.what).toMatch(/stored state/);
    expect(find({}, 'producesFirst').finding?.what).toMatch(/record 0 has no outcome/);
    expect(find({}, 'resumesAtW').finding?.what).toMatch(/outcome of 0 from "0a0a"/);
  });
});
