/** Moving Redis forward: one compare-and-set of all dirty streams, or several scripts of which the last moves W. */
import type { Configuration } from './configuration.js';
import { send, withHolding, withProcess, type Move } from './process.js';
import type { Holding, Save, State } from './state.js';
import { absorbed, modelAt } from './truth.js';

export function save(config: Configuration, state: State, slot: number, p: number): Move[] {
  const me = state.processes[slot];
  const h = me.holdings[p];
  const swapping = h.stage === 'swapping';
  if ((h.stage !== 'ready' && !swapping) || h.saving || (h.pos <= h.W && !swapping)) return [];
  if (me.transaction && me.transaction.ends[p] >= 0) return [];
  if (!config.rules.baseOnce && h.pos === h.base) return [];
  const scripts = config.chunks ? chunked(config, h, me.id, me.saves, slot, p) : [whole(config, h, me.id, slot, p)];
  const counted = config.chunks ? withProcess(state, slot, { saves: me.saves + 1 }) : state;
  const sending = withHolding(counted, slot, p, { saving: scripts[0], chunks: scripts.slice(1) });
  return [{ label: `saves ${p}: W ${h.W} -> ${scripts.at(-1)!.W}`, to: send(sending, scripts[0]) }];
}

function whole(config: Configuration, h: Holding, id: number, slot: number, p: number): Save {
  const named = h.stage === 'swapping' && !config.rules.swapSavesFirst;
  const W = named ? h.W : h.pos;
  return {
    kind: 'save',
    from: slot,
    id,
    p,
    expected: { W: h.W, model: h.model, token: '' },
    W,
    model: named ? 'b' : modelAt(h.swap, W),
    token: '',
    streams: h.hot.map((hidden) => (!named && hidden && absorbed(hidden) >= h.since ? hidden : null)),
    afresh: h.since < 0,
  };
}

function chunked(config: Configuration, h: Holding, id: number, saves: number, slot: number, p: number): Save[] {
  const all = whole(config, h, id, slot, p);
  const dirty = all.streams.flatMap((hidden, s) => (hidden === null ? [] : [s]));
  if (dirty.length < 2) return [all];
  const unique = config.rules.tokenUnique ? `${id}.${saves}.` : '';
  const token = (i: number): string => (i < 0 || i === dirty.length - 1 ? '' : unique + i);
  return dirty.map((stream, i) => ({
    ...all,
    expected: { ...all.expected, token: token(i - 1) },
    W: i === dirty.length - 1 ? all.W : -1,
    token: token(i),
    streams: all.streams.map((hidden, s) => (s === stream ? hidden : null)),
    afresh: all.afresh && i === 0,
  }));
}
