/** Every key there is in Redis is built here. What one script touches shares one hash tag, hence one slot of a Cluster. */

/** Names that may stand in a hash tag: without ':' and braces, whatever they were. */
const safe = (name: string): string => encodeURIComponent(name);

/** Keys of one partition of one topic: `{<app>:<topic>:<partition>}:…`. */
export class PartitionKeys {
  /** Hash: watermark, id of the last commit, claim of an unfinished one, number of buckets, format, number of streams. */
  readonly watermark: string;
  /** Hash: how many fields each bucket has (`s<bucket>`, `x<bucket>`), and the number of streams. */
  readonly counts: string;
  private readonly tag: string;
  private readonly stateKeys: string[] = [];
  private readonly segmentKeys: string[] = [];

  constructor(app: string, topic: string, partition: number) {
    this.tag = `{${safe(app)}:${safe(topic)}:${partition}}`;
    this.watermark = `${this.tag}:w`;
    this.counts = `${this.tag}:b`;
  }

  /** Hash: field of the stream → its state. */
  states(bucket: number): string {
    return (this.stateKeys[bucket] ??= `${this.tag}:s:${bucket}`);
  }

  /** Hash: field of the stream, \0, sequence → segment; and field of the stream, \0 → first and last sequence. */
  segments(bucket: number): string {
    return (this.segmentKeys[bucket] ??= `${this.tag}:x:${bucket}`);
  }
}

/** Keys of the model registry: `{<app>:models}:…`. */
export class ModelKeys {
  /** Hash: name@version → manifest as JSON. */
  readonly manifests: string;
  /** Hash: name → newest version. */
  readonly versions: string;
  /** Hash: digest → name@version. */
  readonly digests: string;
  /** Hash: `champion:<pipeline>`, `previous:<pipeline>` → name@version. */
  readonly aliases: string;
  private readonly tag: string;

  constructor(app: string) {
    this.tag = `{${safe(app)}:models}`;
    this.manifests = `${this.tag}:manifests`;
    this.versions = `${this.tag}:versions`;
    this.digests = `${this.tag}:digests`;
    this.aliases = `${this.tag}:aliases`;
  }

  /** String: the weights' bytes, float32, little-endian. */
  weights(label: string): string {
    return `${this.tag}:weights:${label}`;
  }
}

/** Keys of work that several instances could do and one at a time does: `{<app>:turns}:…`. */
export class TurnKeys {
  /** Hash: task → turns, and when the last one ended. */
  readonly turns: string;
  private readonly tag: string;

  constructor(app: string) {
    this.tag = `{${safe(app)}:turns}`;
    this.turns = `${this.tag}:done`;
  }

  /** String with a time to live, as no state has: its holder's token. Who dies without giving it back must not keep it. */
  lease(task: string): string {
    return `${this.tag}:lease:${task}`;
  }
}
