/** What the processes of kill.spec.ts do. */
import { join } from 'node:path';
import { RiverrunError } from '#domain/errors';
import type { ModelDraft } from '#domain/model';
import { RecordBatchBuilder } from '#domain/record-batch';
import { DataDir } from './data-dir.js';
import { FileModelRegistry } from './file-model-registry.js';
import { FileStateStore } from './file-state-store.js';
import { FileTickLog } from './file-tick-log.js';

const [, , task, folder, seed] = process.argv;
const tell = (message: unknown): void => void process.send!(message);

/** Appends, publishes and commits in a loop, telling what was acknowledged. */
async function work(): Promise<void> {
  await DataDir.open(folder);
  const log = new FileTickLog(join(folder, 'log'), { fileBytes: 50_000, retainBytes: 100_000 });
  const store = new FileStateStore(join(folder, 'states'), { fileBytes: 50_000 });
  let { committed, end } = await log.open();
  let watermark = await store.open();
  await log.seek(committed);
  for (;;) {
    const builder = new RecordBatchBuilder();
    const count = 1 + (end % 40);
    for (let i = 0; i < count; i++) builder.add(null, Buffer.from(`value ${end + i}`), i);
    await log.append(builder.build('ticks', 0, 0), { source: 'demo', position: String(end + count) });
    end += count;
    const records = (await log.read(1000))!;
    const empty = new Float64Array(0);
    await log.publish({
      records,
      model: null,
      kinds: new Uint8Array(records.count),
      bytes: new Uint8Array(0),
      start: new Int32Array(0),
      end: new Int32Array(0),
      deadLetters: new Map(),
      columns: {
        stream: [],
        ts: empty,
        value: empty,
        expected: empty,
        expectedHalf: empty,
        expectedFromModel: new Uint8Array(0),
        prediction: empty,
        half: empty,
      },
    });
    committed = records.offsets[records.count - 1] + 1;
    const bytes = Buffer.alloc(300 * (count + 1));
    for (let i = 0; i <= count; i++) bytes.writeDoubleLE(committed, 300 * i);
    const next = { offset: committed, model: null, layout: 'v' };
    await store.commit({
      expected: watermark,
      next,
      ids: Array.from({ length: count + 1 }, (_, i) => (i === 0 ? 'clock' : `stream-${(committed * 7 + i) % 500}`)),
      handles: new Int32Array(count + 1),
      bytes,
      start: Int32Array.from({ length: count + 1 }, (_, i) => 300 * i),
      end: Int32Array.from({ length: count + 1 }, (_, i) => 300 * i + 300),
      segments: { count: 0, width: 1, owner: new Int32Array(0), sequence: empty, rows: empty },
    });
    watermark = next;
    log.releaseBelow(committed);
    tell({ end, committed, w: committed });
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function hold(): Promise<void> {
  setInterval(() => undefined, 1000);
  await DataDir.open(folder).then(
    () => tell('held'),
    (error: unknown) => tell(error instanceof RiverrunError ? error.code : String(error)),
  );
}

async function models(): Promise<void> {
  const registry = new FileModelRegistry(folder);
  const { manifest, weights } = await registry.load({ name: 'tide', version: 1 });
  const { format: _f, version: _v, digest: _d, ...draft } = manifest;
  const versions: number[] = [];
  let won = 0;
  for (let i = 0; i < 20; i++) {
    const { version } = await registry.publish(
      draft satisfies ModelDraft,
      weights.map((w) => w * Number(seed)),
    );
    versions.push(version);
    for (let done = false; !done;) {
      const { champion } = await registry.aliases('default');
      done = await registry.activate('default', { name: 'tide', version }, champion ?? null).then(
        ({ previous }) => previous?.version === champion?.version,
        () => false,
      );
    }
    won += 1;
  }
  process.send!({ versions, won }, () => process.disconnect());
}

const tasks: Record<string, () => Promise<void>> = { work, hold, models };
await tasks[task]();
