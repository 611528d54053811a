/** Streams in memory: loaded, stepped, forgotten. */
import type { Configuration } from './configuration.js';
import { recover, withHolding } from './process.js';
import type { Hidden, Holding, State } from './state.js';
import { absorbed, isBucketWhole, modelAt, step } from './truth.js';

type Stepped = Pick<Holding, 'hot'> & Partial<Holding>;

/** Steps [from, to): states afterwards, and the state each outcome came from. What a stream has absorbed is skipped. */
export function run(
  config: Configuration,
  p: number,
  holding: Stepped,
  from: number,
  to: number,
): { hot: (Hidden | null)[]; records: Hidden[] } {
  const hot = holding.hot.slice();
  const records: Hidden[] = [];
  for (let o = from; o < to; o++) {
    const s = config.log[p][o];
    let hidden = hot[s] ?? '';
    if (absorbed(hidden) < o) hidden = step(hidden, o, modelFor(config, holding, o));
    hot[s] = hidden;
    records.push(hidden);
  }
  return { hot, records };
}

const modelFor = (config: Configuration, { swap = -1, model = 'a' }: Stepped, offset: number): string =>
  config.rules.swapLog ? modelAt(swap, offset) : model;

/** The states in memory with those of [pos, to) loaded from Redis; or, if what was read cannot be trusted, the state with recovery begun. */
export function warm(
  config: Configuration,
  state: State,
  slot: number,
  p: number,
  to: number,
): (Hidden | null)[] | State {
  const h = state.processes[slot].holdings[p];
  const hot = h.hot.slice();
  const cold = config.log[p].slice(h.pos, to).filter((s) => hot[s] === null);
  if (cold.length === 0) return hot;
  const stored = state.slots[p];
  const { rules } = config;
  if (rules.coldLoadChecksWatermark && (stored.W !== h.W || stored.model !== h.model))
    return recover(config, state, slot, p);
  if (rules.countBuckets && !cold.every((s) => isBucketWhole(stored, s)))
    return withHolding(recover(config, state, slot, p), slot, p, { lost: true });
  for (const s of cold) hot[s] = stored.streams[s];
  return hot;
}

/** Forgets a stream that Redis has. */
export function evictions(
  config: Configuration,
  state: State,
  slot: number,
  p: number,
): { label: string; to: State }[] {
  const h = state.processes[slot].holdings[p];
  if (!config.cold || h.stage !== 'ready') return [];
  return h.hot.flatMap((hidden, s) => {
    if (hidden === null || (config.rules.neverEvictDirty && absorbed(hidden) >= h.since)) return [];
    return [
      {
        label: `evicts stream ${s} of ${p}`,
        to: withHolding(state, slot, p, { hot: h.hot.map((x, i) => (i === s ? null : x)) }),
      },
    ];
  });
}
