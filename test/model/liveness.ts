/**
 * "Some path leads on": with the other process stopped for good, nothing of it delivered any more and no further fault, this one alone gets every record processed.
 * If it cannot, the same is tried with the brokers' transaction time-out, which is the last resort.
 */
import { transactionTimeouts, steps } from './system.js';
import type { Configuration } from './configuration.js';
import { normalise } from './normalise.js';
import { Interner } from './search.js';
import type { State } from './state.js';

type Verdict = 'live' | 'after-time-out' | 'stuck';

const processed = (config: Configuration, state: State): boolean =>
  state.partitions.every(({ c }, p) => c === config.log[p].length);

/** A transaction that is open with records in it: read_committed readers wait. */
const blocksReaders = (state: State): boolean =>
  state.transactions.some((t) => t.status === 'ongoing' && t.produced.some((records) => records !== null));

/** Says of a state who would have to wait, or undefined. Every state counts: crashes and stops come at any time. */
export function livenessProbe(config: Configuration): (state: State) => string | undefined {
  const records = new Liveness(config);
  const readers = new Liveness(config, (state) => !blocksReaders(state));
  return (state) => {
    for (const slot of [0, 1] as const) {
      const verdict = records.alone(state, slot);
      if (verdict === 'stuck') return `w${slot} alone never gets on`;
      if (verdict === 'after-time-out') return `w${slot} alone gets on only after a transaction's time-out`;
      if (readers.alone(state, slot) !== 'live') return `w${slot} alone: readers wait for a transaction's time-out`;
    }
    return undefined;
  };
}

class Liveness {
  private readonly interner = new Interner();
  /** States from which the goal was reached, or from which it cannot be. */
  private readonly verdicts = new Map<string, boolean>();

  constructor(
    private readonly config: Configuration,
    private readonly goal: (state: State) => boolean = () => true,
  ) {}

  /** What becomes of `state` if the process in `slot` is the only one left. */
  alone(state: State, slot: 0 | 1): Verdict {
    const start = normalise(this.config, { ...state, faults: { ...state.faults, dead: 1 - slot } });
    if (this.reaches(start, slot, false)) return 'live';
    return this.reaches(start, slot, true) ? 'after-time-out' : 'stuck';
  }

  private reaches(start: State, slot: 0 | 1, timeouts: boolean): boolean {
    const prefix = `${slot}${timeouts ? 't' : ''}:`;
    const stack = [{ state: start, from: -1 }];
    const path: string[] = [];
    const visited = new Set<string>();
    const cameFrom: number[] = [];
    while (stack.length > 0) {
      const { state, from } = stack.pop()!;
      const key = prefix + this.interner.key(state);
      if (visited.has(key)) continue;
      visited.add(key);
      const at = path.push(key) - 1;
      cameFrom.push(from);
      const known = this.verdicts.get(key);
      if (known === false) continue;
      if (known || (processed(this.config, state) && this.goal(state))) {
        for (let i = at; i >= 0; i = cameFrom[i]) this.verdicts.set(path[i], true);
        return true;
      }
      for (const next of this.next(state, slot, timeouts))
        stack.push({ state: normalise(this.config, next), from: at });
    }
    for (const key of visited) this.verdicts.set(key, false);
    return false;
  }

  private next(state: State, slot: 0 | 1, timeouts: boolean): State[] {
    const all = timeouts ? transactionTimeouts(state).map(({ to }) => to) : [];
    // The last one is tried first: moves of the process itself come before deliveries and rebalances.
    const own = steps(this.config, state).filter(({ by }) => by === slot || by === 'env');
    return [...all, ...own.map(({ to }) => to).reverse()];
  }
}
