/** Checkpoints: copies of the stored states beside the log, for the loss of the store itself.
 *
 *  A round copies every stream whose stored offset is at or after the last round's mark, as it finds it, and then marks W as it was when the round began.
 *  Copies may be younger than the mark (fuzzy), never older, nor older than a mark before it: so a replay from the mark, in which each stream skips what it has
 *  absorbed, ends in the states of one uninterrupted pass. Every stored state has its outcome committed (I3), hence so has every copy. */
import { RiverrunError } from '#domain/errors';
import type { ModelArtifact, ModelManifest } from '#domain/model';
import { digestOf, validateModel } from '#domain/model-digest';
import type { CheckpointEntry, CheckpointLog, LogPosition, Watermark } from '#domain/ports';
import type { PipelineCore } from './core.js';
import { layoutId, storedTime } from './state-codec.js';

const MARK = 'w';
const STATE = 's/';
const MODEL = 'm/';
/** A record of the topic holds at most about a megabyte. */
const MODEL_PART_BYTES = 700_000;
const REMOVED_AT_A_TIME = 1000;

interface Mark {
  readonly offset: number;
  /** As in the watermark. */
  readonly model: string | null;
  readonly layout: string;
  /** The partition's time, see expiry.ts. */
  readonly time?: number | undefined;
}

export class Checkpointer {
  /** The last mark of this owner; a new owner begins with everything. */
  private since = -1;
  /** No round before W is here: marks of former owners are at or before it, and no copy may fall behind them. */
  private least = Infinity;
  /** Counts recoveries up: what a round read before one is not written after it. */
  private epoch = 0;
  private readonly models = new Set<string>();

  constructor(private readonly core: PipelineCore) {}

  /** One round; false where nothing has changed since the last. Rejects where the partition is another's by now. */
  async round(checkpoints: CheckpointLog): Promise<boolean> {
    const { core } = this;
    const mark = core.watermark;
    if (mark === undefined || mark.offset === this.since || mark.offset < this.least) return false;
    const { epoch } = this;
    const mustGoOn = (): void => {
      if (epoch !== this.epoch)
        throw new RiverrunError('UNAVAILABLE', 'the pipeline has recovered meanwhile: the next round begins anew');
    };
    const served = core.models;
    // First: one that has come back since is copied below.
    const removed = [...(core.removed ?? [])];
    core.removed = new Set();
    for (let at = 0; at < removed.length; at += REMOVED_AT_A_TIME)
      await checkpoints.write(
        removed.slice(at, at + REMOVED_AT_A_TIME).map((id) => ({ key: STATE + id, value: null })),
      );
    for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
      const page = await core.ports.states.changedSince!(this.since, cursor);
      cursor = page.cursor;
      mustGoOn();
      if (page.ids.length > 0)
        await checkpoints.write(page.ids.map((id, i) => ({ key: STATE + id, value: page.states[i] })));
    }
    for (const model of served) await this.keepModel(checkpoints, model);
    const { offset, model, layout, time }: Mark = mark;
    mustGoOn();
    await checkpoints.write([{ key: MARK, value: utf8(JSON.stringify({ offset, model, layout, time })) }]);
    mustGoOn();
    this.since = offset;
    return true;
  }

  /** A model is copied before its first outcome: whatever a replay may need is there. */
  async keepModel(checkpoints: CheckpointLog, { manifest, weights }: ModelArtifact): Promise<void> {
    if (this.models.has(manifest.digest)) return;
    for (const entry of modelEntries({ manifest, weights })) await checkpoints.write([entry]);
    this.models.add(manifest.digest);
  }

  /** Before a recovery: nothing that is stored can be relied on. */
  stop(): void {
    this.epoch += 1;
    this.since = -1;
    this.least = Infinity;
  }

  /** After it: rounds copy everything, from the log's position `committed` on. */
  start(committed: number): void {
    this.least = committed;
  }
}

/** Fills the emptied store from the checkpoint. RiverrunError STATE_MISSING where there is none and the log does not reach back to where everything began. */
export async function restore(core: PipelineCore, position: LogPosition): Promise<Watermark> {
  const { states, log, models } = core.ports;
  const copies = new Map<string, Uint8Array>();
  const parts = new Map<string, Uint8Array>();
  let mark: Mark | undefined;
  await log.checkpoints!.read((key, value) => {
    if (key === MARK && value !== null) mark = JSON.parse(text(value)) as Mark;
    else if (key.startsWith(STATE)) {
      if (value === null) copies.delete(key.slice(STATE.length));
      else copies.set(key.slice(STATE.length), value);
    } else if (key.startsWith(MODEL) && value !== null) parts.set(key.slice(MODEL.length), value);
  });
  const from = mark?.offset ?? position.base!;
  if (from < position.start || from > position.committed)
    throw new RiverrunError(
      'STATE_MISSING',
      `the store is empty, and the checkpoint (${mark === undefined ? 'none yet' : `at offset ${from}`}) is outside the log's [${position.start}, ${position.committed}]: restore the store from a copy, or give the partition up with riverrun state reset`,
    );
  for (const artifact of modelsOf(parts)) await models?.restore(artifact);
  await states.clear!();
  await states.open();
  const { stateTtlMs } = core.options;
  const time = mark?.time;
  if (stateTtlMs !== null && time !== undefined)
    for (const [id, copy] of copies) if (storedTime(copy) + stateTtlMs < time) copies.delete(id);
  const ids = [...copies.keys()];
  const start = new Int32Array(ids.length);
  const end = new Int32Array(ids.length);
  const bytes = new Uint8Array([...copies.values()].reduce((sum, copy) => sum + copy.length, 0));
  let at = 0;
  ids.forEach((id, i) => {
    const copy = copies.get(id)!;
    bytes.set(copy, at);
    start[i] = at;
    end[i] = at += copy.length;
  });
  const none = new Float64Array(0);
  const next: Watermark = {
    offset: from,
    model: mark?.model ?? null,
    layout: mark?.layout ?? layoutId(core.spec.inputs),
    ...(time !== undefined && { time }),
  };
  await states.commit({
    expected: undefined,
    next,
    ids,
    handles: new Int32Array(ids.length),
    bytes,
    start,
    end,
    segments: { count: 0, width: 1 + core.spec.inputs.length, owner: new Int32Array(0), sequence: none, rows: none },
  });
  return next;
}

/** `<digest>/<part>/<parts>`: the manifest's length, the manifest as JSON, the weights' bytes. */
function modelEntries({ manifest, weights }: ModelArtifact): CheckpointEntry[] {
  const json = utf8(JSON.stringify(manifest));
  const whole = new Uint8Array(4 + json.length + weights.byteLength);
  new DataView(whole.buffer).setUint32(0, json.length, true);
  whole.set(json, 4);
  whole.set(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength), 4 + json.length);
  const count = Math.ceil(whole.length / MODEL_PART_BYTES);
  return Array.from({ length: count }, (_, k) => ({
    key: `${MODEL}${manifest.digest}/${k}/${count}`,
    value: whole.subarray(k * MODEL_PART_BYTES, (k + 1) * MODEL_PART_BYTES),
  }));
}

/** The models that are whole and right; another is as good as not there. */
function modelsOf(parts: ReadonlyMap<string, Uint8Array>): ModelArtifact[] {
  const artifacts: ModelArtifact[] = [];
  for (const key of parts.keys()) {
    const [digest, k, count] = key.split('/');
    if (k !== '0') continue;
    const all = Array.from({ length: Number(count) }, (_, i) => parts.get(`${digest}/${i}/${count}`));
    if (all.some((part) => part === undefined)) continue;
    const whole = concat(all as Uint8Array[]);
    const size = new DataView(whole.buffer).getUint32(0, true);
    const manifest = JSON.parse(text(whole.subarray(4, 4 + size))) as ModelManifest;
    const weights = new Float32Array(whole.slice(4 + size).buffer);
    validateModel(manifest, weights);
    if (digestOf(manifest, weights) === digest) artifacts.push({ manifest, weights });
  }
  return artifacts;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
