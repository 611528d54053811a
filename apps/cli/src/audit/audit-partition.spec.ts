import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecordsRead } from '#adapters/kafka/topic-reader';
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { keyOf, RecordBatchBuilder, sliceBatch, valueOf, type RecordBatch } from '#domain/record-batch';
import { gruSpec, modelOf, seeded } from '../../../../test/support/models.js';
import { recordsOf, TestPipeline, type TickJson } from '../../../../test/support/pipelines.js';
import { auditPartition, type AuditedPartition, type AuditPlan } from './audit-partition.js';
import { OutputSource } from './output-source.js';
import { Reference } from './reference.js';

/** One outcome as it lies in its topic. */
interface Output {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string;
  readonly code?: string;
}

const MODELS = [1, 2, 3].map((seed) => modelOf(gruSpec(4), seed));
const COUNT = 300;
/** A window shorter than a phase: a model that is met anew has not the states of one that goes on. */
const SPEC = { ...DEFAULT_PIPELINE, window: 16 };
/** Champion, and a canary with its share. */
type Phase = readonly [champion: number, canary?: number, share?: number];
const SWAP: readonly Phase[] = [[0], [1]];

let log: RecordBatch;
let outputs: Output[];
let stored: MemoryStateStore;

/** Ticks, resets, what is malformed and what comes twice, over a few streams, under one model after the other. */
async function serve(phases = SWAP): Promise<void> {
  const random = seeded(7);
  const lines: (TickJson | string)[] = [];
  while (lines.length < COUNT) {
    const stream = `s${Math.floor(random() * 5)}`;
    const tick = { stream, ts: 1_000 * (lines.length + 1), value: random() };
    const kind = random();
    if (kind < 0.05) lines.push('not JSON');
    else if (kind < 0.1) lines.push({ stream, control: 'reset' });
    else if (kind < 0.15) lines.push({ ...tick, ts: 1 });
    else lines.push(tick);
  }
  log = recordsOf(lines);
  const served = new TestPipeline(SPEC, { maxBatch: 7 });
  served.states = new MemoryStateStore({ windowSegments: 1 });
  await served.open();
  outputs = [];
  for (const [k, [champion, canary, share]] of phases.entries()) {
    await served.swap(MODELS[champion], canary === undefined ? undefined : { model: MODELS[canary], share: share! });
    const end = ((k + 1) * COUNT) / phases.length;
    await served.log.append(sliceBatch(log, (k * COUNT) / phases.length, end));
    while (served.pipeline.position < end) {
      const { outcomes: o } = (await served.pipeline.next())!;
      for (let i = 0; i < o.records.count; i++) {
        const code = o.deadLetters.get(i)?.code;
        const bytes = code === undefined ? o.bytes.subarray(o.start[i], o.end[i]) : valueOf(o.records, i)!;
        outputs.push({
          offset: o.records.offsets[i],
          key: o.columns.stream[i] ?? null,
          value: Buffer.from(bytes).toString(),
          ...(code !== undefined && { code }),
        });
      }
    }
  }
  await served.pipeline.flush();
  stored = served.states;
}
beforeAll(() => serve());

const reader = (batches: RecordsRead[]): { next(): Promise<RecordsRead | null> } => ({
  next: () => Promise.resolve(batches.shift() ?? null),
});

function topicOf(messages: readonly Output[], isDeadLetters: boolean): RecordsRead[] {
  const read: RecordsRead[] = [];
  for (let at = 0; at < messages.length; at += 11) {
    const some = messages.slice(at, at + 11);
    const builder = new RecordBatchBuilder();
    // The log of these tests has no keys: dead letters keep that.
    for (const { key, value } of some)
      builder.add(isDeadLetters || key === null ? null : Buffer.from(key), Buffer.from(value), 0);
    read.push({
      batch: builder.build('out', 0, at),
      headers: (i) =>
        new Map([
          ['error-code', some[i].code ?? ''],
          ['source-topic', 'ticks'],
          ['source-partition', '0'],
          ['source-offset', String(some[i].offset)],
        ]),
    });
  }
  return read;
}

interface Given {
  readonly messages?: readonly Output[];
  readonly records?: RecordBatch;
  readonly states?: MemoryStateStore;
  readonly plan?: Partial<AuditPlan>;
  readonly counting?: boolean;
}

async function auditOf({
  messages = outputs,
  records = log,
  states,
  plan,
  counting,
}: Given): Promise<AuditedPartition> {
  const batches: RecordsRead[] = [];
  for (let at = 0; at < records.count; at += 37)
    batches.push({ batch: sliceBatch(records, at, Math.min(records.count, at + 37)), headers: () => new Map() });
  const letters = messages.filter(({ code }) => code !== undefined);
  const answers = messages.filter(({ code }) => code === undefined);
  const models = new Map(MODELS.map((model) => [`test@${model.manifest.version}`, model]));
  const reference =
    counting === true
      ? undefined
      : await Reference.start(SPEC, 0, (label) => Promise.resolve(models.get(label)), {
          hotBytes: 0,
          maxRecordBytes: 1 << 20,
          nameTopic: false,
        });
  return auditPartition(
    { from: 0, to: COUNT, end: COUNT, limit: Infinity, ...plan },
    {
      inputs: reader(batches),
      outputs: new OutputSource(
        [
          { reader: reader(topicOf(answers, false)), isDeadLetters: false, isCut: false },
          { reader: reader(topicOf(letters, true)), isDeadLetters: true, isCut: false },
        ],
        { topic: 'ticks', partition: 0 },
      ),
      reference,
      states,
    },
  );
}

/** What is amiss, by its name. */
function faults({ ledger, states }: AuditedPartition): Record<string, number> {
  const { lost, duplicated, disordered, wrong, stray } = ledger.counts;
  const all = { lost, duplicated, disordered, wrong, stray, states: states?.differing ?? 0 };
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0));
}

const anyOutput = fc.nat({ max: COUNT - 1 });

describe('the audit of a partition', () => {
  it('finds nothing amiss where nothing is, across a swap, and with the states', async () => {
    const audited = await auditOf({ states: stored });
    expect(faults(audited)).toEqual({});
    expect(audited.ledger.counts).toMatchObject({ records: COUNT, outcomes: COUNT });
    expect(audited.states).toMatchObject({ watermark: COUNT, compared: 5, differing: 0, missing: 0, unknown: 0 });
    expect(audited.ledger.counts.deadLetters).toBeGreaterThan(10);
  });

  it.each<[string, Phase[]]>([
    ['begins and is promoted', [[0], [0, 1, 0.5], [1]]],
    ['begins, grows and ends', [[0], [0, 1, 0.3], [0, 1, 0.8], [0]]],
    ['is beside another champion from one tick to the next', [[0, 1, 0.5], [2, 1, 0.5], [2]]],
    [
      'changes places with the champion',
      [
        [0, 1, 0.5],
        [1, 0, 0.5],
      ],
    ],
    ['gives way to another', [[0], [0, 1, 0.5], [0, 2, 0.5], [2, 1, 0.2], [0]]],
  ])('finds nothing amiss where a canary %s', async (_, phases) => {
    await serve(phases);
    const audited = await auditOf({ states: stored });
    const canarys = outputs.filter(({ value }) => value.includes('"canary":'));
    const wrong = outputs.indexOf(canarys[5]);
    const { value } = outputs[wrong];
    const messages = outputs.with(wrong, { ...outputs[wrong], value: value.replace(/("prediction":[-\d.]+)/, '$11') });
    const found = await auditOf({ messages });
    await serve();
    expect(faults(audited)).toEqual({});
    expect(audited.states).toMatchObject({ compared: 5, differing: 0 });
    expect(canarys.length).toBeGreaterThan(20);
    expect(faults(found)).toEqual({ wrong: 1 });
  });

  it('sees what is lost, wherever it is', () =>
    fc.assert(
      fc.asyncProperty(anyOutput, async (at) => {
        const audited = await auditOf({ messages: outputs.toSpliced(at, 1) });
        expect(faults(audited)).toEqual({ lost: 1 });
        expect(audited.ledger.examples).toMatchObject([{ kind: 'lost', offset: outputs[at].offset }]);
      }),
      { numRuns: 20 },
    ));

  it('sees a duplicate, however late it comes', () =>
    fc.assert(
      fc.asyncProperty(anyOutput, anyOutput, async (at, later) => {
        const messages = outputs.toSpliced(Math.max(at + 1, later), 0, outputs[at]);
        expect(faults(await auditOf({ messages }))).toEqual({ duplicated: 1 });
      }),
      { numRuns: 20 },
    ));

  it('sees two outcomes of a stream change places, and does not mind streams among one another', async () => {
    const answers = outputs.filter(({ code }) => code === undefined);
    const [first, second] = answers.filter(({ key }) => key === 's2').slice(20, 22);
    const exchange = (a: Output, b: Output): Output[] => outputs.map((o) => (o === a ? b : o === b ? a : o));
    expect(faults(await auditOf({ messages: exchange(first, second) }))).toEqual({ disordered: 1 });
    const next = answers.findIndex(({ key }, i) => i > 0 && key !== answers[i - 1].key);
    expect(faults(await auditOf({ messages: exchange(answers[next - 1], answers[next]) }))).toEqual({});
  });

  it('sees one byte that is wrong, in an answer or in a dead letter', () =>
    fc.assert(
      fc.asyncProperty(anyOutput, async (at) => {
        const { value, code } = outputs[at];
        const changed =
          code === undefined ? value.replace(/("prediction":|"control":".*?)([-\w.]+)/, '$1$21') : `${value}!`;
        const messages = outputs.with(at, { ...outputs[at], value: changed });
        expect(changed).not.toBe(value);
        expect(faults(await auditOf({ messages }))).toEqual({ wrong: 1 });
      }),
      { numRuns: 20 },
    ));

  it('sees an answer in place of a dead letter, another code, and an outcome of no record', async () => {
    const at = outputs.findIndex(({ code }) => code === 'LATE');
    const answer = JSON.stringify({ stream: 's0', offset: outputs[at].offset, model: 'test@1' });
    const { code: _, ...rest } = outputs[at];
    expect(faults(await auditOf({ messages: outputs.with(at, { ...rest, value: answer }) }))).toEqual({ wrong: 1 });
    expect(faults(await auditOf({ messages: outputs.with(at, { ...outputs[at], code: 'DUPLICATE' }) }))).toEqual({
      wrong: 1,
    });
    const malformed = outputs.findIndex(({ code }) => code === 'MALFORMED');
    const builder = new RecordBatchBuilder();
    for (let i = 0; i < COUNT; i++) if (i !== malformed) builder.add(keyOf(log, i), valueOf(log, i), log.timestamps[i]);
    const offsets = log.offsets.filter((offset) => offset !== malformed);
    const records = { ...builder.build('ticks', 0, 0), offsets };
    expect(faults(await auditOf({ records }))).toEqual({ stray: 1 });
    expect(faults(await auditOf({ records, messages: outputs.toSpliced(malformed, 1) }))).toEqual({});
  });

  it('sees a state with one bit that is wrong, and one that is missing', async () => {
    await serve();
    const watermark = (await stored.open())!;
    const { handles, states } = await stored.load(['s3']);
    const change = (bytes: Uint8Array, start: number): Promise<void> =>
      stored.commit({
        expected: watermark,
        next: watermark,
        ids: ['s3'],
        handles,
        bytes,
        start: Int32Array.of(start),
        end: Int32Array.of(bytes.length),
        segments: {
          count: 0,
          width: 2,
          owner: new Int32Array(0),
          sequence: new Float64Array(0),
          rows: new Float64Array(0),
        },
      });
    const bent = states[0]!.slice();
    bent[bent.length - 1] ^= 1;
    await change(bent, 0);
    const audited = await auditOf({ states: stored });
    expect(faults(audited)).toEqual({ states: 1 });
    expect(audited.ledger.examples).toMatchObject([{ kind: 'state', stream: 's3' }]);
    await change(bent, -1);
    expect((await auditOf({ states: stored })).states).toMatchObject({ compared: 4, missing: 1, differing: 0 });
    await serve();
  });

  it('counts without a reference, judges no more than it is told, and leaves the rest alone', async () => {
    const wrong = outputs.with(3, { ...outputs[3], value: outputs[3].value.replace(/"horizon":1/, '"horizon":2') });
    expect(faults(await auditOf({ messages: wrong.toSpliced(9, 1), counting: true }))).toEqual({ lost: 1 });
    const audited = await auditOf({ messages: outputs.slice(0, 120), plan: { limit: 100 }, states: stored });
    expect(faults(audited)).toEqual({});
    expect(audited.ledger.counts.records).toBe(100);
    expect(audited.notes.join()).toContain('states were not compared');
    // c = 200: what comes after is not judged.
    expect(faults(await auditOf({ messages: outputs.slice(0, 250), plan: { to: 200, end: 200 } }))).toEqual({});
  });

  it('names a model that is not to be had', async () => {
    const messages = outputs.map((o) => ({ ...o, value: o.value.replace('test@2', 'gone@9') }));
    const audited = await auditOf({ messages });
    expect(faults(audited).wrong).toBeGreaterThan(100);
    expect(audited.notes.join()).toContain('gone@9');
  });
});
