/** A histogram that takes a whole column at once. prom-client's own `observe` costs about a microsecond, which a tick does not have. */
import { Histogram, type MetricObjectWithValues, type MetricValueWithName } from 'prom-client';

type Snapshot = MetricObjectWithValues<MetricValueWithName<string>>;

export class LatencyHistogram extends Histogram {
  private readonly bounds: Float64Array;
  /** Observations by bucket, not cumulated; the last is everything above the last bound. */
  private readonly counts: Float64Array;
  private sum = 0;

  constructor(
    private readonly described: ConstructorParameters<typeof Histogram>[0],
    private readonly bucketBounds: readonly number[],
  ) {
    super({ ...described, buckets: [...bucketBounds] });
    this.bounds = Float64Array.from(bucketBounds);
    this.counts = new Float64Array(bucketBounds.length + 1);
  }

  /** Seconds from each of the first `count` timestamps (ms) to `now` (ms). Clocks that disagree give 0 instead of less; a NaN is left out. */
  observeSince(timestamps: Float64Array, count: number, now: number): void {
    const { bounds, counts } = this;
    const last = bounds.length;
    let sum = 0;
    // The records of a batch are about equally old: the search begins where the one before ended.
    let bucket = 0;
    for (let i = 0; i < count; i++) {
      let seconds = (now - timestamps[i]) * 1e-3;
      if (!(seconds > 0)) {
        if (Number.isNaN(seconds)) continue;
        seconds = 0;
      }
      while (bucket < last && seconds > bounds[bucket]) bucket++;
      while (bucket > 0 && seconds <= bounds[bucket - 1]) bucket--;
      counts[bucket]++;
      sum += seconds;
    }
    this.sum += sum;
  }

  override get(): Promise<Snapshot> {
    const { name, help } = this.described;
    const values: MetricValueWithName<string>[] = [];
    let total = 0;
    for (const [i, bound] of [...this.bucketBounds, '+Inf'].entries()) {
      total += this.counts[i];
      values.push({ labels: { le: bound }, value: total, metricName: `${name}_bucket` });
    }
    values.push({ labels: {}, value: this.sum, metricName: `${name}_sum` });
    values.push({ labels: {}, value: total, metricName: `${name}_count` });
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values } as unknown as Snapshot);
  }

  /** What the registry asks where it writes text; not in prom-client's types. */
  getForPromString(): Promise<Snapshot> {
    return this.get();
  }

  override reset(): void {
    super.reset();
    // The base's constructor resets, when there are no counts yet.
    (this.counts as Float64Array | undefined)?.fill(0);
    this.sum = 0;
  }
}
