/** What an uninterrupted pass over the log gives, and the invariants I1 to I5 of the protocol held against it. */
import type { Configuration } from './configuration.js';
import type { Hidden, Slot, State } from './state.js';

/** The last offset that a hidden state absorbed; -1 for a new stream. */
export const absorbed = (hidden: Hidden): number => (hidden === '' ? -1 : Number(hidden[hidden.length - 2]));

export const modelAt = (swap: number, offset: number): string => (swap >= 0 && offset >= swap ? 'b' : 'a');

export const step = (hidden: Hidden, offset: number, model: string): Hidden => `${hidden}${offset}${model}`;

/** F(stream, log up to, but not including, `end`). */
function hiddenAt(config: Configuration, state: State, p: number, stream: number, end: number): Hidden {
  const swap = decidedSwap(state, p);
  let hidden = '';
  const { first } = state.partitions[p];
  for (let o = first < 0 ? end : first; o < end; o++)
    if (config.log[p][o] === stream) hidden = step(hidden, o, modelAt(swap, o));
  return hidden;
}

/** What the stream of record `offset` must be after it. */
export const rightAt = (config: Configuration, state: State, p: number, offset: number): Hidden =>
  hiddenAt(config, state, p, config.log[p][offset], offset + 1);

/** The committed offset, counting a transaction whose commit is decided and whose marker is still to be written. */
export function decidedOffset(state: State, p: number): number {
  let c = state.partitions[p].c;
  for (const { status, pending } of state.transactions)
    if (status === 'commit' && pending[p] && !pending[p].superseded) c = Math.max(c, pending[p].b);
  return c;
}

function decidedSwap(state: State, p: number): number {
  const deciding = state.transactions.find((t) => t.status === 'commit' && t.changelog[p] && t.changelog[p].swap >= 0);
  return deciding?.changelog[p]?.swap ?? state.partitions[p].swap;
}

/** Whether a stream's bucket holds as many fields as are counted; whether all do. */
export const isBucketWhole = ({ counts, streams }: Slot, stream: number): boolean =>
  counts[stream] === (streams[stream] === '' ? 0 : 1);
export const isWhole = (slot: Slot): boolean => slot.streams.every((_, stream) => isBucketWhole(slot, stream));

export function violation(config: Configuration, state: State): string | undefined {
  if (state.wrong !== '') return state.wrong;
  for (let p = 0; p < config.log.length; p++) {
    const c = decidedOffset(state, p);
    const { outcomes, first } = state.partitions[p];
    const wrong = outcomes.findIndex((n, o) => n !== (first >= 0 && o >= first && o < c ? 1 : 0));
    if (wrong >= 0) return `I2: c = ${c}, and record ${wrong} of partition ${p} has ${outcomes[wrong]} outcomes`;
    const { W, streams } = state.slots[p];
    if (W > c) return `I3: W = ${W} > c = ${c} in partition ${p}`;
    for (let s = 0; W >= 0 && s < config.streams; s++) {
      if (!isBucketWhole(state.slots[p], s)) continue;
      const o = absorbed(streams[s]);
      if (o >= c || streams[s] !== hiddenAt(config, state, p, s, o + 1))
        return `I3: stored state "${streams[s]}" of stream ${s} of partition ${p}, c = ${c}`;
      if (o < absorbed(hiddenAt(config, state, p, s, W)))
        return `I4: stored state "${streams[s]}" of stream ${s} of partition ${p} lacks a record below W = ${W}`;
    }
    const lacks = checkpointLacks(config, state, p, c);
    if (lacks !== undefined) return lacks;
    if (state.processes.some(({ holdings }) => holdings[p].stage === 'refused')) return `partition ${p} is refused`;
  }
  return undefined;
}

/** I5: a replay from the mark, in which each stream skips what its copy has absorbed, gives the states of one pass. Whoever loses Redis now restores that. */
function checkpointLacks(config: Configuration, state: State, p: number, c: number): string | undefined {
  const { W, streams } = state.partitions[p].checkpoint;
  if (W > c) return `I5: a mark at ${W} > c = ${c} in partition ${p}`;
  for (let s = 0; s < config.streams; s++) {
    const o = absorbed(streams[s]);
    if ((o >= 0 && o >= c) || streams[s] !== hiddenAt(config, state, p, s, o + 1))
      return `I5: a copy "${streams[s]}" of stream ${s} of partition ${p}, c = ${c}`;
    if (W >= 0 && o < absorbed(hiddenAt(config, state, p, s, W)))
      return `I5: the copy "${streams[s]}" of stream ${s} of partition ${p} lacks a record below the mark at ${W}`;
  }
  return undefined;
}
