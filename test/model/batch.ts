/** One transaction over all partitions of a process: outcomes, changelog records, offsets. */
import { begin, initProducer, serve } from './broker.js';
import type { Configuration } from './configuration.js';
import { recoverAll, send, withProcess, type Move } from './process.js';
import { run, warm } from './stepping.js';
import {
  put,
  type ChangelogEntry,
  type Holding,
  type PendingOffset,
  type Process,
  type Produce,
  type Round,
  type State,
} from './state.js';
import { absorbed } from './truth.js';

export function transact(config: Configuration, state: State, slot: number): Move[] {
  const me = state.processes[slot];
  if (me.transaction) return [];
  if (me.epoch === 0) return me.holdings.every((h) => h.stage === 'away') ? [] : init(state, slot);
  return plans(config, state, me).flatMap((plan) => submit(config, state, slot, plan));
}

function init(state: State, slot: number): Move[] {
  const { id } = state.processes[slot];
  const to = initProducer(state, id);
  if (!to) return [];
  // While an open transaction is aborted the coordinator answers CONCURRENT_TRANSACTIONS; the producer asks again.
  if (state.transactions[id].status === 'ongoing') return [{ label: 'aborts its old transaction', to }];
  return [{ label: `inits T${id}`, to: withProcess(to, slot, { epoch: to.transactions[id].epoch }) }];
}

/** What a transaction holds of one partition: `size` records, and a slice of a checkpoint or a swap. */
interface Part {
  readonly size: number;
  readonly extra: 'none' | 'slice' | 'swap';
}
const NOTHING: Part = { size: 0, extra: 'none' };

function plans(config: Configuration, state: State, me: Process): Part[][] {
  let all: Part[][] = [[]];
  me.holdings.forEach((h, p) => {
    const parts: Part[] = [];
    if (h.stage === 'ready') {
      const most = Math.min(config.maxBatch, state.partitions[p].end - h.pos);
      for (let size = most; size > 0; size--) {
        if (config.checkpoints && (h.round ?? h.W >= 0)) parts.push({ size, extra: 'slice' });
        parts.push({ size, extra: 'none' });
      }
      if (config.swap && h.swap < 0 && !h.saving) parts.push({ size: 0, extra: 'swap' });
    }
    all = all.flatMap((rest) => [...parts, NOTHING].map((part) => [...rest, part]));
  });
  return all.filter((plan) => plan.some((part) => part !== NOTHING));
}

function submit(config: Configuration, state: State, slot: number, plan: readonly Part[]): Move[] {
  const me = state.processes[slot];
  const { id, epoch, member, generation } = me;
  const within = plan.map((part) => part !== NOTHING);
  const ends = me.holdings.map((h, p) => (within[p] ? h.pos + plan[p].size : -1));
  const parts = plan.map(({ extra }, p) =>
    within[p] ? `${p}[${me.holdings[p].pos},${ends[p]})${extra === 'none' ? '' : ` ${extra}`}` : '',
  );
  const label = `begins a transaction ${parts.join(' ')}`;
  let open = begin(state, id, epoch, within);
  if (open === 'wait') return [];
  if (open === 'fenced') return [{ label: `${label}: fenced`, to: recoverAll(config, state, slot) }];

  const produces: Produce[] = [];
  const rounds: (Round | null)[] = [];
  const entries: (ChangelogEntry | null)[] = [];
  const holdings: Holding[] = [];
  for (const [p, h] of me.holdings.entries()) {
    const loaded = within[p] ? warm(config, state, slot, p, ends[p]) : h.hot.slice();
    if (!Array.isArray(loaded)) return [{ label: `loads what ${p} needs: recovers`, to: loaded }];
    const { hot, records } = run(config, p, { ...h, hot: loaded }, h.pos, Math.max(h.pos, ends[p]));
    const { round, entry } = changelog(config, h, hot, plan[p], ends[p]);
    rounds.push(round);
    entries.push(entry);
    const keepsProgress = entry && !config.rules.abortLeavesSliceDirty;
    const since = config.rules.dirtySet || !within[p] ? h.since : h.pos;
    holdings.push({ ...h, hot, since, round: keepsProgress ? round : h.round });
    if (within[p]) produces.push({ kind: 'produce', from: slot, id, epoch, p, records, entry });
    if (within[p] && open.partitions[p].first < 0)
      open = { ...open, partitions: put(open.partitions, p, { ...open.partitions[p], first: h.base }) };
  }
  const pending = ends.map((b, p): PendingOffset | null =>
    b < 0 ? null : { b, base: me.holdings[p].base, superseded: false },
  );
  const offsets = { kind: 'offsets', from: slot, id, epoch, member, generation, pending } as const;
  const transaction = { ends, unacknowledged: 1, rounds, entries, produces: config.rules.offsetsFirst ? produces : [] };
  const sent = send(withProcess(open, slot, { transaction, holdings }), offsets);
  if (config.rules.offsetsFirst) return [{ label, to: sent }];
  return [{ label, to: produces.reduce<State>((s, request) => serve(config, s, request)!, sent) }];
}

/** The transaction's changelog records of one partition, and the round as it is after them. */
function changelog(
  config: Configuration,
  h: Holding,
  hot: readonly (string | null)[],
  { extra }: Part,
  end: number,
): { round: Round | null; entry: ChangelogEntry | null } {
  const { rules } = config;
  const none = hot.map(() => null);
  if (extra === 'none') return { round: h.round, entry: null };
  if (extra === 'swap') return { round: h.round, entry: { slices: none, W: -1, swap: end } };
  const { W, left } = h.round ?? begun(config, h, hot);
  const slices = hot.map((hidden, s) => (s === left[0] ? hidden : null));
  const rest = left.slice(1);
  const publishes = rest.length === 0 || !rules.checkpointWaits;
  return {
    round: rest.length === 0 ? null : { W, left: rest },
    entry: { slices, W: publishes ? (rules.roundTakesWAtStart ? W : h.W) : -1, swap: -1 },
  };
}

/** A round begins: every stream that absorbed the last W_k or later is to be written. */
function begun(config: Configuration, h: Holding, hot: readonly (string | null)[]): Round {
  const from = config.rules.rebuildsDirtySet ? h.checkpoint : Math.max(h.checkpoint, h.c);
  const left = hot.flatMap((hidden, s) => (hidden !== null && hidden !== '' && absorbed(hidden) >= from ? [s] : []));
  return { W: h.W, left };
}
