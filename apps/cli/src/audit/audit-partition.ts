/** One partition: the log, the reference and the outcomes are gone through side by side, in bounded memory (the streams' states apart). */
import type { PartitionReader } from '#adapters/kafka/topic-reader';
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import type { StateStore } from '#domain/ports';
import { keyOf, sliceBatch, valueOf, type RecordBatch } from '#domain/record-batch';
import { compareStates, NO_STATES, type StateCounts } from './compare-states.js';
import { deadLetterText } from './dead-letter-text.js';
import { OutcomeLedger } from './outcome-ledger.js';
import type { OutputSource } from './output-source.js';
import type { Reference } from './reference.js';
import { whatServes, type Telling } from './what-serves.js';

export interface AuditPlan {
  /** Records at offsets [from, to) must have an outcome; to = c. */
  readonly from: number;
  readonly to: number;
  /** The inputs end there: the higher one of c and W. */
  readonly end: number;
  /** Judge no more records than this. */
  readonly limit: number;
  /** The offset whose outcome is wanted to look at: then nothing is read behind `to`, and repeats beyond are not seen. */
  readonly watch?: number;
}

export interface AuditSources {
  /** Records at offsets [plan.from, plan.end). */
  readonly inputs: Pick<PartitionReader, 'next'>;
  readonly outputs: OutputSource;
  /** undefined: nothing is recomputed, outcomes are only counted. */
  readonly reference: Reference | undefined;
  /** undefined: states are not looked at. */
  readonly states: StateStore | undefined;
  readonly onProgress?: (offset: number) => void;
}

export interface AuditedStates extends StateCounts {
  /** null: there is none. */
  readonly watermark: number | null;
}

export interface AuditedPartition {
  readonly ledger: OutcomeLedger;
  readonly states: AuditedStates | undefined;
  /** What was not done, or is to be known. */
  readonly notes: string[];
}

/** Records taken at a time. */
const SLICE = 4096;

export async function auditPartition(plan: AuditPlan, sources: AuditSources): Promise<AuditedPartition> {
  return new PartitionAudit(plan, sources).run();
}

class PartitionAudit {
  private readonly ledger: OutcomeLedger;
  private readonly notes: string[] = [];
  private states: AuditedStates | undefined;
  /** The offset that states are compared at; undefined once they have been, or cannot be. */
  private compareAt: number | undefined;
  private storedModel: string | null = null;
  private isStoreEmpty = false;
  private readonly unknownModels = new Set<string>();
  /** Streams reset since the last outcome that names a model; and those of them around a swap. */
  private readonly resetSince = new Set<string>();
  private readonly undecided = new Set<string>();

  constructor(
    private readonly plan: AuditPlan,
    private readonly sources: AuditSources,
  ) {
    this.ledger = new OutcomeLedger(plan.from, plan.to, plan.watch);
  }

  async run(): Promise<AuditedPartition> {
    const { inputs, outputs } = this.sources;
    await this.lookAtStore();
    let cut = false;
    for (let read = await inputs.next(); read !== null && !cut; read = cut ? null : await inputs.next())
      for (let at = 0; at < read.batch.count && !cut; at += SLICE) {
        const room = this.plan.limit - this.ledger.counts.records;
        const records = sliceBatch(read.batch, at, Math.min(read.batch.count, at + Math.min(SLICE, room)));
        await this.take(records);
        cut = this.ledger.counts.records >= this.plan.limit;
      }
    if (cut) this.noteUncompared(`only ${this.plan.limit} records were looked at`);
    else {
      await this.compareIfDue(Infinity);
      if (this.isStoreEmpty) await this.missAll();
      // An outcome may be repeated at any distance.
      if (this.plan.watch === undefined) await outputs.advance(Infinity, (outcome) => this.ledger.found(outcome));
      this.ledger.passed(this.plan.to);
    }
    this.ledger.finish(outputs.deletedBelow);
    for (const label of this.unknownModels)
      this.notes.push(`model ${label} is not in the registry: what it predicted cannot be recomputed`);
    if (this.ledger.counts.expired > 0)
      this.notes.push(
        `the oldest outcomes were deleted from an output topic: ${this.ledger.counts.expired} records have none any more`,
      );
    if (outputs.foreign > 0)
      this.notes.push(`${outputs.foreign} records of the output topics are no outcomes of riverrun`);
    return { ledger: this.ledger, states: this.states, notes: this.notes };
  }

  private async take(records: RecordBatch): Promise<void> {
    const { outputs, reference, onProgress } = this.sources;
    const last = records.offsets[records.count - 1];
    await outputs.advance(Math.min(last, this.plan.to - 1), (outcome) => this.ledger.found(outcome));
    if (reference === undefined) for (const offset of records.offsets) this.ledger.expect(offset);
    else await this.recompute(records, reference);
    this.ledger.passed(last + 1);
    onProgress?.(last + 1);
  }

  /** Cut where the model changes, and where states are to be compared. */
  private async recompute(records: RecordBatch, reference: Reference): Promise<void> {
    let from = 0;
    for (let i = 0; i < records.count; i++) {
      const offset = records.offsets[i];
      const outcome = this.ledger.outcomeAt(offset);
      const serves =
        outcome === undefined
          ? reference.label
          : whatServes(reference.label, outcome, this.outcomesFrom(records, i + 1));
      const swaps = serves !== null && serves !== reference.label && !this.unknownModels.has(outcome!.model!);
      if (!swaps && !(this.compareAt !== undefined && offset >= this.compareAt)) continue;
      if (from < i) this.expectAll(await reference.take(sliceBatch(records, from, i)));
      from = i;
      await this.compareIfDue(offset);
      if (!swaps) continue;
      if (!(await reference.swapTo(serves))) this.unknownModels.add(outcome!.model!);
      for (const stream of this.resetSince) this.undecided.add(stream);
      this.resetSince.clear();
    }
    if (from < records.count) this.expectAll(await reference.take(sliceBatch(records, from, records.count)));
  }

  private *outcomesFrom({ offsets, count }: RecordBatch, from: number): Generator<Telling | undefined> {
    for (let i = from; i < count; i++) yield this.ledger.outcomeAt(offsets[i]);
  }

  private expectAll({ records, kinds, bytes, start, end, deadLetters, columns }: OutcomeBatch): void {
    for (let i = 0; i < records.count; i++) {
      const [offset, stream] = [records.offsets[i], columns.stream[i]];
      const letter = deadLetters.get(i);
      if (letter !== undefined)
        this.ledger.expect(
          offset,
          stream,
          deadLetterText(letter.code, keyOf(records, i), valueOf(records, i)),
          letter.code,
        );
      else this.ledger.expect(offset, stream, bytes.subarray(start[i], end[i]));
      if (stream === undefined || letter !== undefined) continue;
      if (kinds[i] === OutcomeKind.control) this.resetSince.add(stream);
      else {
        this.resetSince.clear();
        this.undecided.delete(stream);
      }
    }
  }

  private async lookAtStore(): Promise<void> {
    const { states, reference } = this.sources;
    if (states === undefined || reference === undefined) return;
    const watermark = await states.open();
    // They are written before the first outcome is.
    if (watermark === undefined) this.isStoreEmpty = this.plan.to > this.plan.from;
    else {
      this.compareAt = watermark.offset;
      this.storedModel = watermark.model;
    }
  }

  /** Compares once every record below W has been taken, and `next` is the offset of the next one. */
  private async compareIfDue(next: number): Promise<void> {
    const { states, reference } = this.sources;
    while (this.compareAt !== undefined && next >= this.compareAt) {
      const watermark = this.compareAt;
      if (watermark > this.plan.end)
        return this.noteUncompared('the service went on saving meanwhile: audit again while no ticks come');
      // The store's model serves from W on: it may have been swapped in after the last outcome that would tell.
      const undecided = new Set(this.undecided);
      if (this.storedModel !== reference!.digest) for (const stream of this.resetSince) undecided.add(stream);
      await reference!.flush();
      const counts = await compareStates(states!, reference!.states, watermark, undecided, (finding) =>
        this.ledger.note(finding),
      );
      if (counts !== undefined) {
        this.states = { ...counts, watermark };
        this.compareAt = undefined;
        return;
      }
      // The service has saved meanwhile: at its new W, if that is still to come.
      const moved = await states!.open();
      this.compareAt = moved?.offset;
      this.storedModel = moved?.model ?? null;
      if (moved === undefined || moved.offset < watermark) this.noteUncompared('the store was set back meanwhile');
    }
  }

  private async missAll(): Promise<void> {
    const { states } = this.sources.reference!;
    await this.sources.reference!.flush();
    this.states = { ...NO_STATES, watermark: null, missing: states.size };
    this.notes.push('Redis holds no states of this partition, although it has outcomes: they are lost');
  }

  private noteUncompared(why: string): void {
    if (this.sources.states === undefined || this.states !== undefined) return;
    this.compareAt = undefined;
    this.notes.push(`states were not compared: ${why}`);
  }
}
