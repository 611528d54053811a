/** Shared by the specs: how long to search, and what to expect of a report. MODEL_SEARCH=exhaustive searches for minutes, MODEL_SEARCH=traces prints traces. */
import { expect } from 'vitest';
import { describeFinding, type Report } from './search.js';
import type { Breaks } from './table.js';

export const exhaustive = process.env.MODEL_SEARCH === 'exhaustive';
const traces = process.env.MODEL_SEARCH === 'traces';

/** Far above what any configuration has: reaching it is a failure, since then not everything was seen. */
export const maxStates = 3_000_000;
export const SLOW = { timeout: (exhaustive ? 60 : 2) * 60_000 };

export function expectToHold(report: Report, name: string): void {
  expect(report.finding && describeFinding(report.finding)).toBeUndefined();
  expect(report.complete).toBe(true);
  if (exhaustive) console.log(`${name}: ${report.states} states, ${report.transitions} transitions, none wrong`);
}

export function expectToBreak({ rule, finds }: Breaks, report: Report): void {
  expect(report.finding?.what).toMatch(finds);
  if (traces) console.log(`without ${rule}: ${describeFinding(report.finding!)}`);
}
