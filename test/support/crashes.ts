/** A pipeline whose writes die now and then, and which is opened again until every tick has its outcome. */
import { expect } from 'vitest';
import { finalStates, outcomeAt, recordsOf, run, type Outcome, type TestPipeline, type TickJson } from './pipelines.js';

/** Writes outcomes through `dying` and remembers them by offset: each may come once only. */
export function rememberOutcomes(
  { log }: TestPipeline,
  dying: (write: () => Promise<void>) => Promise<void>,
): Map<number, Outcome> {
  const seen = new Map<number, Outcome>();
  const publish = log.publish.bind(log);
  log.publish = (outcomes) =>
    dying(async () => {
      await publish(outcomes);
      outcomes.records.offsets.forEach((offset, i) => {
        expect(seen.has(offset)).toBe(false);
        seen.set(offset, outcomeAt(outcomes, i));
      });
    });
  return seen;
}

/** Takes `ticks` through while the process dies just before its n-th write takes effect (2 n in `crashes`), or just after (2 n + 1). The outcomes, by offset. */
async function runThroughCrashes(
  pipeline: TestPipeline,
  ticks: readonly (TickJson | string)[],
  crashes: readonly number[],
): Promise<ReadonlyMap<number, Outcome>> {
  const { states } = pipeline;
  const commit = states.commit.bind(states);
  let writes = 0;
  const dying = async <T>(write: () => Promise<T>): Promise<T> => {
    writes += 1;
    const [before, after] = [crashes.includes(2 * writes), crashes.includes(2 * writes + 1)];
    if (before) throw new Error('killed');
    const result = await write();
    if (after) throw new Error('killed');
    return result;
  };
  const seen = rememberOutcomes(pipeline, dying);
  states.commit = (changes) => dying(() => commit(changes));
  await runInSpiteOf(pipeline, ticks, seen);
  writes = Infinity;
  return seen;
}

/** What `pipeline` says of `ticks` through crashes, and what it keeps in the end, must be what `calm`, which nothing befalls, says of its own. Both are open and serve alike. */
export async function mustEqualThroughCrashes(
  pipeline: TestPipeline,
  ticks: readonly (TickJson | string)[],
  crashes: readonly number[],
  calm: TestPipeline,
  calmTicks = ticks,
): Promise<void> {
  const expected = await run(calm, calmTicks, () => 16);
  const seen = await runThroughCrashes(pipeline, ticks, crashes);
  expect(ticks.map((_, offset) => seen.get(offset))).toEqual(expected);
  expect(await finalStates(pipeline)).toEqual(await finalStates(calm));
}

/** Until all of `ticks` are seen; `afterBatch` may die too. Nothing else than 'killed' may keep the pipeline from opening. */
export async function runInSpiteOf(
  pipeline: TestPipeline,
  ticks: readonly (TickJson | string)[],
  seen: ReadonlyMap<number, Outcome>,
  afterBatch: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await pipeline.log.append(recordsOf(ticks));
  while (seen.size < ticks.length)
    try {
      await pipeline.pipeline.next();
      await afterBatch();
    } catch {
      await reopen(pipeline);
    }
}

async function reopen(pipeline: TestPipeline): Promise<void> {
  for (;;)
    try {
      await pipeline.open();
      return;
    } catch (error) {
      expect((error as Error).message).toBe('killed');
    }
}
