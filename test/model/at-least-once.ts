/**
 * The at-least-once variant, small enough for a system of its own: produce, then compare-and-set, then commit the offset; resume at W. Two processes, one
 * partition; whoever takes over becomes the owner, the other goes on until it hears of it. Outcomes may repeat; none may be missing or wrong.
 */
import type { Step, System } from './search.js';
import { put, type Hidden } from './state.js';
import { absorbed, step } from './truth.js';

export const AT_LEAST_ONCE = {
  compareAndSet: true,
  dirtySet: true,
  /** Records are acknowledged before the states move on. */
  producesFirst: true,
  /** Stepping resumes at W, not at c. */
  resumesAtW: true,
};

export interface AtLeastOnce {
  readonly log: readonly number[];
  readonly streams: number;
  readonly takeOvers: number;
  readonly timeouts: number;
  readonly failovers: number;
  readonly rules: typeof AT_LEAST_ONCE;
}

interface Stored {
  readonly W: number;
  readonly streams: readonly Hidden[];
}
type Send = { readonly from: number; readonly generation: number; readonly to: number } & (
  | { readonly kind: 'produce'; readonly records: readonly Hidden[] }
  | { readonly kind: 'save'; readonly expected: number; readonly streams: readonly (Hidden | null)[] }
  | { readonly kind: 'commit' }
);
interface Worker {
  readonly generation: number;
  readonly pos: number;
  readonly since: number;
  readonly hot: readonly Hidden[];
  readonly waiting: 'no' | Send['kind'];
  readonly to: number;
}
interface World {
  readonly broker: { readonly c: number; readonly generation: number; readonly outcomes: readonly number[] };
  readonly stored: Stored;
  readonly history: readonly Stored[];
  readonly workers: readonly Worker[];
  readonly network: readonly Send[];
  readonly left: { readonly takeOvers: number; readonly timeouts: number; readonly failovers: number };
  readonly wrong: string;
}

const right = (spec: AtLeastOnce, stream: number, end: number): Hidden => {
  let hidden = '';
  for (let o = 0; o < end; o++) if (spec.log[o] === stream) hidden = step(hidden, o, 'a');
  return hidden;
};

const ORDER = (spec: AtLeastOnce): readonly Send['kind'][] =>
  spec.rules.producesFirst ? ['produce', 'save', 'commit'] : ['save', 'produce', 'commit'];

const withWorker = (world: World, i: number, change: Partial<Worker>): World => ({
  ...world,
  workers: put(world.workers, i, { ...world.workers[i], ...change }),
});

function take(spec: AtLeastOnce, world: World, i: number, generation: number): World {
  const { W, streams } = world.stored;
  const { c } = world.broker;
  let hot = streams;
  const start = spec.rules.resumesAtW ? W : c;
  // A fail-over that lost the last scripts: what has outcomes already is replayed without any.
  for (let o = W; o < c; o++) {
    const s = spec.log[o];
    if (absorbed(hot[s]) < o) hot = put(hot, s, step(hot[s], o, 'a'));
  }
  return withWorker(world, i, { generation, pos: Math.max(start, c), since: W, hot, waiting: 'no', to: -1 });
}

function request(spec: AtLeastOnce, worker: Worker, from: number, kind: Send['kind'], at: number): Send {
  const { generation, to, hot, since } = worker;
  const base = { from, generation, to };
  if (kind === 'commit') return { ...base, kind };
  if (kind === 'save') {
    const dirty = spec.rules.dirtySet ? since : at;
    return { ...base, kind, expected: since, streams: hot.map((h) => (absorbed(h) >= dirty ? h : null)) };
  }
  const records = Array.from({ length: to - at }, (_, n) => prefix(hot[spec.log[at + n]], at + n));
  return { ...base, kind, records };
}

/** The state just after `offset`, taken from a later state of the same stream. */
function prefix(hidden: Hidden, offset: number): Hidden {
  let end = 0;
  while (end < hidden.length && Number(hidden[end]) <= offset) end += 2;
  return hidden.slice(0, end);
}

function submit(spec: AtLeastOnce, world: World, i: number, kind: Send['kind'], at: number): World {
  const sent = request(spec, world.workers[i], i, kind, at);
  const network = [...world.network, sent].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return withWorker({ ...world, network }, i, { waiting: kind });
}

function deliver(spec: AtLeastOnce, world: World, index: number): World {
  const sent = world.network[index];
  let next: World = { ...world, network: world.network.filter((_, i) => i !== index) };
  let accepted = true;
  switch (sent.kind) {
    case 'produce': {
      const outcomes = next.broker.outcomes.slice();
      let { wrong } = next;
      for (const hidden of sent.records) {
        const o = absorbed(hidden);
        outcomes[o]++;
        const should = right(spec, spec.log[o], o + 1);
        if (hidden !== should) wrong = `outcome of ${o} from "${hidden}" instead of "${should}"`;
      }
      next = { ...next, wrong, broker: { ...next.broker, outcomes } };
      break;
    }
    case 'save': {
      const { stored } = next;
      accepted = !spec.rules.compareAndSet || stored.W === sent.expected;
      if (!accepted) break;
      const history = next.left.failovers > 0 ? [...next.history, stored].slice(-2) : next.history;
      const streams = stored.streams.map((h, s) => sent.streams[s] ?? h);
      next = { ...next, history, stored: { W: sent.to, streams } };
      break;
    }
    case 'commit':
      accepted = sent.generation === next.broker.generation;
      if (accepted) next = { ...next, broker: { ...next.broker, c: sent.to } };
  }
  const worker = next.workers[sent.from];
  if (worker.waiting !== sent.kind || worker.generation !== sent.generation || worker.to !== sent.to) return next;
  if (!accepted) {
    const owns = worker.generation === next.broker.generation;
    return owns
      ? take(spec, next, sent.from, worker.generation)
      : withWorker(next, sent.from, { generation: -1, waiting: 'no' });
  }
  const order = ORDER(spec);
  const following = order[order.indexOf(sent.kind) + 1];
  const since = sent.kind === 'save' ? sent.to : worker.since;
  next = withWorker(next, sent.from, { since });
  if (following) return submit(spec, next, sent.from, following, worker.pos);
  return withWorker(next, sent.from, { pos: sent.to, waiting: 'no', to: -1 });
}

function next(spec: AtLeastOnce, world: World): Step<World>[] {
  const all: Step<World>[] = [];
  const add = (label: () => string, to: World): number => all.push({ label, to });
  const { left, broker } = world;
  world.workers.forEach((worker, i) => {
    if (left.takeOvers > 0 && worker.generation !== broker.generation) {
      const generation = broker.generation + 1;
      const taken = { ...world, broker: { ...broker, generation }, left: { ...left, takeOvers: left.takeOvers - 1 } };
      add(() => `w${i}: takes over`, take(spec, taken, i, generation));
    }
    if (worker.generation < 0) return;
    if (worker.waiting !== 'no' && left.timeouts > 0) {
      const late = { ...world, left: { ...left, timeouts: left.timeouts - 1 } };
      add(() => `w${i}: gives up and recovers`, take(spec, late, i, worker.generation));
    }
    if (worker.waiting !== 'no') return;
    for (let to = worker.pos + 1; to <= Math.min(worker.pos + 2, spec.log.length); to++) {
      let { hot } = worker;
      for (let o = worker.pos; o < to; o++) hot = put(hot, spec.log[o], step(hot[spec.log[o]], o, 'a'));
      const stepped = withWorker(world, i, { hot, to });
      add(() => `w${i}: steps [${worker.pos},${to})`, submit(spec, stepped, i, ORDER(spec)[0], worker.pos));
    }
  });
  world.network.forEach((sent, i) => add(() => `delivered: ${JSON.stringify(sent)}`, deliver(spec, world, i)));
  if (left.failovers > 0)
    for (const stored of world.history)
      add(() => `redis: fail-over to W = ${stored.W}`, {
        ...world,
        stored,
        history: [],
        left: { ...left, failovers: left.failovers - 1 },
      });
  return all;
}

function violation(spec: AtLeastOnce, world: World): string | undefined {
  if (world.wrong !== '') return world.wrong;
  const { W, streams } = world.stored;
  const { c, outcomes } = world.broker;
  const missing = outcomes.findIndex((n, o) => n === 0 && o < Math.max(c, W));
  if (missing >= 0) return `record ${missing} has no outcome; c = ${c}, W = ${W}`;
  for (let s = 0; s < spec.streams; s++) {
    const o = absorbed(streams[s]);
    if (streams[s] !== right(spec, s, o + 1) || o < absorbed(right(spec, s, W)))
      return `stored state "${streams[s]}" of stream ${s} at W = ${W}`;
  }
  return undefined;
}

export function atLeastOnce(spec: AtLeastOnce): System<World> {
  const empty = Array<Hidden>(spec.streams).fill('');
  const idle: Worker = { generation: -1, pos: 0, since: 0, hot: empty, waiting: 'no', to: -1 };
  const initial: World = {
    broker: { c: 0, generation: 1, outcomes: spec.log.map(() => 0) },
    stored: { W: 0, streams: empty },
    history: [],
    workers: [{ ...idle, generation: 1 }, idle],
    network: [],
    left: { takeOvers: spec.takeOvers, timeouts: spec.timeouts, failovers: spec.failovers },
    wrong: '',
  };
  return { initial, next: (world) => next(spec, world), violation: (world) => violation(spec, world) };
}
