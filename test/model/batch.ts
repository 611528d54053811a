/** One transaction over all partitions of a process: outcomes, changelog records, offsets. */
import { begin, initProducer, serve } from './broker.js';
import type { Configuration } from './configuration.js';
import { afterWrite, recoverAll, send, withProcess, type Move } from './process.js';
import { run, warm } from './stepping.js';
import {
  put,
  type ChangelogEntry,
  type Holding,
  type PendingOffset,
  type Process,
  type Produce,
  type State,
} from './state.js';

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

/** What a transaction holds of one partition: `size` records, and the write of a checkpoint that waits or a swap. */
interface Part {
  readonly size: number;
  readonly extra: 'none' | 'checkpoint' | 'swap';
}
const NOTHING: Part = { size: 0, extra: 'none' };

function plans(config: Configuration, state: State, me: Process): Part[][] {
  let all: Part[][] = [[]];
  me.holdings.forEach((h, p) => {
    const parts: Part[] = [];
    if (h.stage === 'ready') {
      const most = Math.min(config.maxBatch, state.partitions[p].end - h.pos);
      // Who asks for a transaction goes with the next one.
      const extra = h.round?.queued ? 'checkpoint' : 'none';
      for (let size = most; size > (extra === 'none' ? 0 : -1); size--) parts.push({ size, extra });
      if (config.swap && h.swap < 0 && !h.saving) parts.push({ size: 0, extra: 'swap' });
    } else if (h.stage !== 'away' && h.round?.next === -1) parts.push({ size: 0, extra: 'checkpoint' });
    all = all.flatMap((rest) => [...parts, NOTHING].map((part) => [...rest, part]));
  });
  return all.filter((plan) => plan.some((part) => part !== NOTHING));
}

function submit(config: Configuration, state: State, slot: number, plan: readonly Part[]): Move[] {
  const me = state.processes[slot];
  const { id, epoch, member, generation } = me;
  const within = plan.map((part) => part !== NOTHING);
  const ends = me.holdings.map((h, p) => (within[p] ? end(h, plan[p]) : -1));
  const parts = plan.map(({ extra }, p) =>
    within[p] ? `${p}[${me.holdings[p].pos},${ends[p]})${extra === 'none' ? '' : ` ${extra}`}` : '',
  );
  const label = `begins a transaction ${parts.join(' ')}`;
  let open = begin(state, id, epoch, within);
  if (open === 'wait') return [];
  if (open === 'fenced') return [{ label: `${label}: fenced`, to: recoverAll(config, state, slot) }];

  const produces: Produce[] = [];
  const entries: (ChangelogEntry | null)[] = [];
  const holdings: Holding[] = [];
  for (const [p, h] of me.holdings.entries()) {
    const loaded = within[p] ? warm(config, state, slot, p, h.pos + plan[p].size) : h.hot.slice();
    if (!Array.isArray(loaded)) return [{ label: `loads what ${p} needs: recovers`, to: loaded }];
    const { hot, records } = run(config, p, { ...h, hot: loaded }, h.pos, h.pos + plan[p].size);
    const entry = changelog(h, plan[p], ends[p]);
    entries.push(entry);
    const early = entry?.swap === -1 && !config.rules.abortLeavesPageDirty ? afterWrite(config, h, ends[p]) : {};
    const since = config.rules.dirtySet || !within[p] ? h.since : h.pos;
    holdings.push({ ...h, hot, since, ...early });
    if (within[p]) produces.push({ kind: 'produce', from: slot, id, epoch, p, records, entry });
    if (within[p] && open.partitions[p].first < 0)
      open = { ...open, partitions: put(open.partitions, p, { ...open.partitions[p], first: h.base }) };
  }
  const pending = ends.map((b, p): PendingOffset | null =>
    b < 0 ? null : { b, base: me.holdings[p].base, superseded: false },
  );
  const offsets = { kind: 'offsets', from: slot, id, epoch, member, generation, pending } as const;
  const transaction = { ends, unacknowledged: 1, entries, produces: config.rules.offsetsFirst ? produces : [] };
  const sent = send(withProcess(open, slot, { transaction, holdings }), offsets);
  if (config.rules.offsetsFirst) return [{ label, to: sent }];
  return [{ label, to: produces.reduce<State>((s, request) => serve(config, s, request)!, sent) }];
}

/** The committed offset it leaves: with nothing but the write of a void round, the one at which that was asked for. */
const end = (h: Holding, { size, extra }: Part): number =>
  extra === 'checkpoint' && size === 0 && h.round!.next < 0 ? h.round!.at : h.pos + size;

/** The transaction's changelog records of one partition. */
function changelog(h: Holding, { extra }: Part, at: number): ChangelogEntry | null {
  if (extra === 'none') return null;
  if (extra === 'swap') return { slices: h.hot.map(() => null), W: -1, swap: at };
  return h.round!.queued;
}
