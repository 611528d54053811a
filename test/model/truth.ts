/** What an uninterrupted pass over the log gives, and the invariants I1 to I4 of the protocol held against it. */
import type { Configuration } from './configuration.js';
import type { Hidden, State } from './state.js';

/** The last offset that a hidden state absorbed; -1 for a new stream. */
export const absorbed = (hidden: Hidden): number => (hidden === '' ? -1 : Number(hidden[hidden.length - 2]));

export const step = (hidden: Hidden, offset: number, model: string): Hidden => `${hidden}${offset}${model}`;

/** F(stream, log up to, but not including, `end`). */
export function hiddenAt(config: Configuration, p: number, stream: number, end: number): Hidden {
  let hidden = '';
  for (let o = 0; o < end; o++) if (config.log[p][o] === stream) hidden = step(hidden, o, 'a');
  return hidden;
}

/** The committed offset, counting a transaction whose commit is decided and whose marker is still to be written. */
export function decidedOffset(state: State, p: number): number {
  let c = state.partitions[p].c;
  for (const { status, pending } of state.transactions)
    if (status === 'commit' && pending[p] && !pending[p].superseded) c = Math.max(c, pending[p].b);
  return c;
}

export function violation(config: Configuration, state: State): string | undefined {
  if (state.wrong !== '') return state.wrong;
  for (let p = 0; p < config.log.length; p++) {
    const c = decidedOffset(state, p);
    const wrong = state.partitions[p].outcomes.findIndex((n, o) => n !== (o < c ? 1 : 0));
    if (wrong >= 0)
      return `I2: c = ${c}, and record ${wrong} of partition ${p} has ${state.partitions[p].outcomes[wrong]} outcomes`;
    const { W, streams } = state.slots[p];
    if (W > c) return `I3: W = ${W} > c = ${c} in partition ${p}`;
    for (let s = 0; W >= 0 && s < config.streams; s++) {
      const o = absorbed(streams[s]);
      if (o >= c || streams[s] !== hiddenAt(config, p, s, o + 1))
        return `I3: stored state "${streams[s]}" of stream ${s} of partition ${p}, c = ${c}`;
      if (o < absorbed(hiddenAt(config, p, s, W)))
        return `I4: stored state "${streams[s]}" of stream ${s} of partition ${p} lacks a record below W = ${W}`;
    }
  }
  return undefined;
}
