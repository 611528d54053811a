/** What one uninterrupted pass makes of one partition: the same pipeline over memory, without servers, transactions or restarts. */
import type { ModelArtifact } from '#domain/model';
import { OutcomeKind, type DeadLetterCode, type OutcomeBatch } from '#domain/outcome';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { SEGMENT_ROWS, type LogPosition, type TickLog } from '#domain/ports';
import { RecordBatchBuilder, type RecordBatch } from '#domain/record-batch';
import { parseServed, resolveServed } from '#domain/served';
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import { Pipeline } from '#pipeline/pipeline';
import type { ReadRecord } from '../support/kafka-clients.js';

/** A prediction or control answer as its JSON text, or the code of a dead letter. */
export type Expected = { readonly text: string } | { readonly code: DeadLetterCode };

export const WINDOW_SEGMENTS = Math.ceil(DEFAULT_PIPELINE.window / SEGMENT_ROWS);

export class Reference {
  readonly states = new MemoryStateStore({ windowSegments: WINDOW_SEGMENTS });
  private readonly log: GivenLog;
  private pipeline: Pipeline | undefined;
  private serves: string | null = null;

  constructor(
    topic: string,
    partition: number,
    /** By label. */
    private readonly models: ReadonlyMap<string, ModelArtifact>,
  ) {
    this.log = new GivenLog(topic, partition);
  }

  /** Takes the records, which follow on those before, through under what serves (see `servedText`; null: the baseline). */
  async pass(records: readonly ReadRecord[], serves: string | null): Promise<Expected[]> {
    const ports = { log: this.log, states: this.states, windows: this.states };
    this.pipeline ??= await Pipeline.open(DEFAULT_PIPELINE, ports, () => Promise.reject(new Error('no restart here')));
    if (serves !== null && serves !== this.serves) {
      const { champion, canary } = await resolveServed(parseServed(serves), (label) =>
        Promise.resolve(this.models.get(label)!),
      );
      await this.pipeline.swapModel(champion, canary);
    }
    this.serves = serves;
    this.log.give(records);
    const expected: Expected[] = [];
    while (expected.length < records.length) expected.push(...outcomesOf((await this.pipeline.next())!.outcomes));
    return expected;
  }

  async flush(): Promise<void> {
    await this.pipeline?.flush();
  }
}

function outcomesOf({ records, kinds, bytes, start, end, deadLetters }: OutcomeBatch): Expected[] {
  return Array.from(kinds.subarray(0, records.count), (kind, i) =>
    kind === OutcomeKind.deadLetter
      ? { code: deadLetters.get(i)!.code }
      : { text: new TextDecoder().decode(bytes.subarray(start[i], end[i])) },
  );
}

/** Exactly the records it is given, at their own offsets. */
class GivenLog implements TickLog {
  private readonly waiting: ReadRecord[] = [];

  constructor(
    private readonly topic: string,
    private readonly partition: number,
  ) {}

  give(records: readonly ReadRecord[]): void {
    for (const record of records) this.waiting.push(record);
  }

  open(): Promise<LogPosition> {
    return Promise.resolve({ start: 0, committed: 0, end: 0 });
  }
  seek(): Promise<void> {
    return Promise.resolve();
  }
  read(maxRecords: number): Promise<RecordBatch> {
    const records = this.waiting.splice(0, maxRecords);
    const builder = new RecordBatchBuilder();
    for (const { key, value, timestamp } of records) builder.add(key, value, timestamp);
    const batch = builder.build(this.topic, this.partition, 0);
    return Promise.resolve({ ...batch, offsets: Float64Array.from(records, ({ offset }) => offset) });
  }
  publish(): Promise<void> {
    return Promise.resolve();
  }
  releaseBelow(): void {
    // Nothing is kept.
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}
