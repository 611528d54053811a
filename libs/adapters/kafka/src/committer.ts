/** Group commit: while one transaction is under way, the outcomes of all partitions gather for the next. One transaction at a time, so that outcomes and
 *  offsets of a partition follow one another.
 *
 *  I1: only the partition's present owner commits. Offsets go with the member and generation under which every partition of the transaction is owned, both
 *  read in the same moment; the coordinator refuses another generation, and with the offsets falls the whole transaction. */
import { RiverrunError } from '#domain/errors';
import { partitionKey, type TopicPartition } from './assign-partitions.js';
import type { Assignment } from './group-member.js';
import type { OffsetToCommit } from './requests.js';
import type { ProducedPartition, TransactionalProducer } from './transactional-producer.js';

export interface CommitRequest {
  readonly source: TopicPartition;
  /** False once the batch stands on something that is no longer known to be so. */
  readonly isValid: () => boolean;
  readonly records: readonly ProducedPartition[];
  readonly offset: OffsetToCommit;
}

interface Waiting extends CommitRequest {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface CommitterEvents {
  transaction?(outcome: 'committed' | 'failed', seconds: number): void;
}

export const revoked = ({ topic, partition }: TopicPartition): RiverrunError =>
  new RiverrunError('REVOKED', `${topic}/${partition} belongs to another instance now`);

export class Committer {
  private waiting: Waiting[] = [];
  private tail: Promise<unknown> = Promise.resolve();
  private busy = false;
  private paused = false;

  constructor(
    private readonly producer: TransactionalProducer,
    private readonly assignment: () => Assignment | undefined,
    private readonly events: CommitterEvents = {},
  ) {}

  get transactionalId(): string {
    return this.producer.transactionalId;
  }

  commit(request: CommitRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ ...request, resolve, reject });
      this.go();
    });
  }

  /** Resolves once nothing of ours is open: the state of the partitions may be read then. */
  ready(): Promise<void> {
    return this.serially(async () => {
      if (!this.producer.ready) await this.producer.init();
    });
  }

  /** Lets the transaction under way end and begins no other until `resume`. */
  async pause(): Promise<void> {
    this.paused = true;
    await this.tail.catch(() => undefined);
  }

  resume(): void {
    this.paused = false;
    this.go();
  }

  private go(): void {
    if (this.busy || this.paused || this.waiting.length === 0) return;
    this.busy = true;
    void this.serially(async () => {
      const batch = this.waiting.splice(0);
      await this.transact(batch);
    }).finally(() => {
      this.busy = false;
      this.go();
    });
  }

  private async transact(batch: readonly Waiting[]): Promise<void> {
    const member = this.assignment();
    const owned = new Set(member?.partitions.map(partitionKey));
    const mine = batch.filter((request) => {
      if (owned.has(partitionKey(request.source)) && request.isValid()) return true;
      request.reject(revoked(request.source));
      return false;
    });
    if (mine.length === 0) return;
    const began = performance.now();
    try {
      await this.producer.commit({ records: merged(mine), offsets: latest(mine), member: member! });
    } catch (error) {
      this.events.transaction?.('failed', (performance.now() - began) / 1000);
      // Whoever gathered meanwhile may stand on outcomes that are not there: all begin again from what is committed.
      for (const request of [...mine, ...this.waiting.splice(0)]) request.reject(error);
      return;
    }
    this.events.transaction?.('committed', (performance.now() - began) / 1000);
    for (const request of mine) request.resolve();
  }

  private serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work, work);
    this.tail = result.catch(() => undefined);
    return result;
  }
}

/** Several input topics may write to one output partition. */
function merged(requests: readonly CommitRequest[]): ProducedPartition[] {
  const byPartition = new Map<string, ProducedPartition>();
  for (const { records } of requests)
    for (const part of records) {
      const key = partitionKey(part);
      const before = byPartition.get(key);
      byPartition.set(key, { ...part, writers: [...(before?.writers ?? []), ...part.writers] });
    }
  return [...byPartition.values()];
}

/** Two batches of one partition may be in a transaction: the last offset counts. */
function latest(requests: readonly CommitRequest[]): OffsetToCommit[] {
  return [...new Map(requests.map(({ source, offset }) => [partitionKey(source), offset])).values()];
}
