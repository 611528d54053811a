/** Holds every tick against one uninterrupted pass: none lost, none twice, every outcome byte for byte, in order, and the states in Redis bit for bit. */
import type { ModelArtifact } from '#domain/model';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import { connectRedis } from '#adapters/redis/redis-client';
import { kafkaClient, type ReadRecord } from '../support/kafka-clients.js';
import { waitUntil } from '../support/servers/programs.js';
import { whatServes } from '../../apps/cli/src/audit/what-serves.js';
import { Follower } from './follower.js';
import { Reference, WINDOW_SEGMENTS, type Expected } from './reference.js';

export interface AuditedTopics {
  readonly ticks: string;
  readonly predictions: string;
  readonly deadLetters: string;
}

interface Outcome {
  readonly kind: 'good' | 'dead letter';
  readonly record: ReadRecord;
}

/** One partition of the ticks. */
interface Audited {
  readonly ticks: ReadRecord[];
  readonly outcomes: Map<number, Outcome>;
  readonly last: Record<Outcome['kind'], number>;
  readonly reference: Reference;
  /** Ticks compared so far, and what served at the last one. */
  compared: number;
  serves: string | null;
}

/** A prediction or the answer to a control. */
interface Answer {
  readonly stream: string;
  readonly model?: string | null;
  readonly canary?: number;
}

const MOST_PROBLEMS = 8;

export class Audit {
  private readonly partitions = new Map<number, Audited>();
  private readonly problems: string[] = [];
  private readonly follower: Follower;
  /** States came from a checkpoint, which has the youngest rows of windows only: older ones may be missing, those that are there must be right. */
  windowsLost = false;
  /** Partitions that nothing is expected of any more. */
  private readonly refused = new Map<number, number>();

  constructor(
    private readonly brokers: readonly string[],
    private readonly topics: AuditedTopics,
    /** By label. */
    private readonly models: ReadonlyMap<string, ModelArtifact>,
  ) {
    const { ticks, predictions, deadLetters } = topics;
    this.follower = new Follower(brokers, [ticks, predictions, deadLetters], (topic, record) => {
      if (topic === ticks) this.partition(record.partition).ticks.push(record);
      else this.takeOutcome(topic === predictions ? 'good' : 'dead letter', record);
    });
  }

  async start(): Promise<this> {
    await this.follower.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.follower.stop();
  }

  /** Ticks compared so far. */
  get compared(): number {
    return [...this.partitions.values()].reduce((sum, { compared }) => sum + compared, 0);
  }

  /** Labels of the models that spoke, in the order they came. */
  labelsOf(partition: number): string[] {
    return this.partition(partition)
      .ticks.map(({ offset }) => labelOf(this.partition(partition).outcomes.get(offset)))
      .filter((label, i, all): label is string => typeof label === 'string' && label !== all[i - 1]);
  }

  /** Of the last so many outcomes that name one. */
  labelsOfLast(partition: number, count: number): string[] {
    const { ticks, outcomes } = this.partition(partition);
    const labels = ticks.slice(-4 * count).map(({ offset }) => labelOf(outcomes.get(offset)));
    return labels.filter((label) => typeof label === 'string').slice(-count);
  }

  labelOfLast(partition: number): string | null | undefined {
    const { outcomes, last } = this.partition(partition);
    return labelOf(outcomes.get(last.good));
  }

  ticksFrom(partition: number, offset: number): ReadRecord[] {
    return this.partition(partition).ticks.filter((tick) => tick.offset >= offset);
  }

  /** By the tick's offset. */
  outcomesFrom(partition: number, offset: number): Map<number, ReadRecord> {
    const found = [...this.partition(partition).outcomes].filter(([source]) => source >= offset);
    return new Map(found.map(([source, { record }]) => [source, record]));
  }

  /** From now on nothing at or behind `offset` of that partition may have an outcome. */
  refuse(partition: number, offset: number): void {
    this.refused.set(partition, offset);
  }

  /** Waits until every tick that is in the log by now has its outcome, and compares. The last record of each partition must be a committed one. An error lists what is wrong. */
  async check(where: string, within = 40_000): Promise<void> {
    const ends = await this.ends();
    const missing = (): string[] =>
      [...ends].flatMap(([partition, end]) => {
        const { ticks, outcomes } = this.partition(partition);
        const read = (ticks.at(-1)?.offset ?? -1) + 1;
        if (read < end && read < (this.refused.get(partition) ?? Infinity))
          return [`ticks of ${partition} are read up to ${ticks.length}`];
        const open = ticks.filter(
          ({ offset }) => !outcomes.has(offset) && offset < (this.refused.get(partition) ?? Infinity),
        );
        return open.length === 0
          ? []
          : [`lost: ${open.length} ticks of partition ${partition} from ${open[0].offset} on`];
      });
    await waitUntil(
      `${where}: every tick has its outcome`,
      () => Promise.resolve(missing().length === 0 || this.problems.length > 0),
      within,
    ).catch(() => this.problems.push(...missing()));
    await this.checkSoFar(where);
  }

  /** Compares what has an outcome by now. */
  async checkSoFar(where: string): Promise<void> {
    for (const partition of this.partitions.keys()) await this.compare(partition);
    if (this.problems.length > 0)
      throw new Error(
        `${where}: ${this.problems.length} problems\n${this.problems.slice(0, MOST_PROBLEMS).join('\n')}`,
      );
  }

  /** check, and then the states, once nothing moves any more: those in Redis are at the log's end and equal the reference's. */
  async checkStates(where: string, redis: { url: string; app: string }): Promise<void> {
    await this.check(where);
    const client = await connectRedis({ url: redis.url });
    try {
      for (const [partition, { reference, ticks }] of this.partitions) {
        if (this.refused.has(partition) || ticks.length === 0) continue;
        await reference.flush();
        const options = { app: redis.app, topic: this.topics.ticks, partition, windowSegments: WINDOW_SEGMENTS };
        const store = new RedisStateStore(client, options);
        const end = ticks.at(-1)!.offset + 1;
        const reached = async (): Promise<boolean> => (await store.open())?.offset === end;
        await waitUntil(`${where}: W of partition ${partition} is ${end}`, reached, 15_000);
        const problems = await compareStates(store, reference, this.windowsLost);
        if (problems.length > 0)
          throw new Error(`${where}: states of partition ${partition}\n${problems.slice(0, MOST_PROBLEMS).join('\n')}`);
      }
    } finally {
      await client.close();
    }
  }

  private partition(partition: number): Audited {
    let audited = this.partitions.get(partition);
    if (audited === undefined) {
      audited = {
        ticks: [],
        outcomes: new Map(),
        last: { good: -1, 'dead letter': -1 },
        reference: new Reference(this.topics.ticks, partition, this.models),
        compared: 0,
        serves: null,
      };
      this.partitions.set(partition, audited);
    }
    return audited;
  }

  private takeOutcome(kind: Outcome['kind'], record: ReadRecord): void {
    const offset = sourceOffsetOf(kind, record);
    const place = `${record.partition}:${offset}`;
    const { outcomes, last } = this.partition(record.partition);
    if (outcomes.has(offset)) this.problems.push(`twice: ${place} (${kind} at ${record.offset})`);
    else if (offset < last[kind]) this.problems.push(`out of order (${kind}): ${place} after ${last[kind]}`);
    if (offset >= (this.refused.get(record.partition) ?? Infinity))
      this.problems.push(`published although refused: ${place} ${record.value?.toString()}`);
    outcomes.set(offset, { kind, record });
    last[kind] = Math.max(last[kind], offset);
  }

  private async ends(): Promise<Map<number, number>> {
    const admin = kafkaClient(this.brokers).admin();
    await admin.connect();
    try {
      const offsets = await admin.fetchTopicOffsets(this.topics.ticks);
      return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
    } finally {
      await admin.disconnect();
    }
  }

  /** What has an outcome by now, in runs under what serves. */
  private async compare(partition: number): Promise<void> {
    const audited = this.partition(partition);
    const { ticks, outcomes, reference } = audited;
    while (audited.compared < ticks.length && outcomes.has(ticks[audited.compared].offset)) {
      const from = audited.compared;
      let to = from;
      for (let serves = audited.serves; to < ticks.length; to++) {
        const outcome = outcomes.get(ticks[to].offset);
        if (outcome === undefined) break;
        const label = labelOf(outcome);
        if (typeof label === 'string' && !this.models.has(label))
          throw new Error(`partition ${partition} speaks of an unknown model ${label}`);
        // Dead letters and control answers do not say which model was there.
        const now =
          outcome.kind === 'good' ? whatServes(serves, answerOf(outcome), answersFrom(audited, to + 1)) : serves;
        if (now !== serves && to > from) break;
        audited.serves = serves = now;
      }
      const expected = await reference.pass(ticks.slice(from, to), audited.serves);
      for (let i = from; i < to; i++) {
        const difference = differenceOf(ticks[i], outcomes.get(ticks[i].offset)!, expected[i - from]);
        if (difference !== undefined) this.problems.push(`wrong: ${partition}:${ticks[i].offset} ${difference}`);
      }
      audited.compared = to;
    }
  }
}

function sourceOffsetOf(kind: Outcome['kind'], { headers, value }: ReadRecord): number {
  if (kind === 'dead letter') return Number(headers['source-offset']);
  return (JSON.parse(value!.toString()) as { offset: number }).offset;
}

/** null: the baseline without any model; undefined: the outcome does not tell. */
function labelOf(outcome: Outcome | undefined): string | null | undefined {
  return outcome?.kind === 'good' ? answerOf(outcome).model : undefined;
}

function* answersFrom({ ticks, outcomes }: Audited, from: number): Generator<Answer | undefined> {
  for (let i = from; i < ticks.length; i++) {
    const outcome = outcomes.get(ticks[i].offset);
    if (outcome === undefined) return;
    yield outcome.kind === 'good' ? answerOf(outcome) : undefined;
  }
}

const answerOf = ({ record }: Outcome): Answer => JSON.parse(record.value!.toString()) as Answer;

function differenceOf(tick: ReadRecord, { kind, record }: Outcome, expected: Expected): string | undefined {
  if ('text' in expected) {
    if (kind !== 'good') return `is a dead letter (${record.headers['error-code']}), expected ${expected.text}`;
    const text = record.value!.toString();
    if (text !== expected.text) return `\n  is       ${text}\n  expected ${expected.text}`;
    return tick.key === null || same(tick.key, record.key) ? undefined : 'has another key';
  }
  if (kind !== 'dead letter') return `is ${record.value?.toString()}, expected the dead letter ${expected.code}`;
  const { headers } = record;
  if (headers['error-code'] !== expected.code) return `is ${headers['error-code']}, expected ${expected.code}`;
  if (headers['source-partition'] !== String(tick.partition)) return 'names another partition';
  if (headers.truncated === 'true') return undefined;
  return same(tick.key, record.key) && same(tick.value, record.value) ? undefined : 'has other bytes than the tick';
}

async function compareStates(store: RedisStateStore, reference: Reference, windowsLost: boolean): Promise<string[]> {
  const problems: string[] = [];
  const { ids: expectedIds } = await reference.states.list(undefined, 1e9);
  const ids = (await allIds(store)).sort();
  if (ids.join('\n') !== expectedIds.join('\n')) problems.push(`${ids.length} streams, expected ${expectedIds.length}`);
  const [stored, expected] = [await store.load(ids, { storedOnly: true }), await reference.states.load(ids)];
  const [windows, expectedWindows] = [await store.read(ids), await reference.states.read(ids)];
  for (const [i, id] of ids.entries()) {
    if (!same(stored.states[i] ?? null, expected.states[i] ?? null)) problems.push(`the state of ${id} differs`);
    const window = bytesOf(windows[i]);
    const whole = bytesOf(expectedWindows[i]);
    const kept = windowsLost ? whole.subarray(Math.max(0, whole.length - window.length)) : whole;
    if (!same(window, kept)) problems.push(`the window of ${id} differs`);
  }
  return problems;
}

async function allIds(store: RedisStateStore): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await store.list(cursor, 1_000);
    ids.push(...page.ids);
    cursor = page.cursor;
    if (cursor === undefined) return ids;
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const same = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
  a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
