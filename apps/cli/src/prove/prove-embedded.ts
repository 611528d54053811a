/** From the data folder, while no service has it. It keeps no predictions: the state is what can be compared. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataDir } from '#adapters/files/data-dir';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { FileStateStore } from '#adapters/files/file-state-store';
import { FileTickLog } from '#adapters/files/file-tick-log';
import type { Config, PipelineConfig } from '#config/config';
import { RiverrunError } from '#domain/errors';
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import { sliceBatch } from '#domain/record-batch';
import { Reference, referenceOptions } from '../audit/reference.js';
import { modelsByLabel } from '../models/models-by-label.js';
import { proofOf, type Proof } from './proof.js';
import { streamOfRecord } from './stream-of-record.js';

const AT_A_TIME = 4096;

/** RiverrunError DATA_DIR while a service runs. */
export async function proveEmbedded(
  config: Config,
  pipeline: PipelineConfig,
  stream: string,
  offset: number,
  onProgress: (offset: number, to: number) => void,
): Promise<Proof> {
  const folder = join(config.dataDir, 'pipelines', pipeline.name);
  if (!existsSync(join(folder, 'log')))
    throw new RiverrunError('DATA_DIR', `${config.dataDir} holds no log of pipeline ${pipeline.name}`);
  const data = await DataDir.open(config.dataDir);
  const log = new FileTickLog(join(folder, 'log'), { topic: pipeline.topics[0] });
  const states = new FileStateStore(join(folder, 'states'));
  try {
    const { start, committed, end } = await log.open();
    if (offset < start || offset >= end)
      throw new RiverrunError('OFFSET', `the log of pipeline ${pipeline.name} holds offsets ${start} to ${end - 1}`);
    await log.seek(offset);
    const found = await streamOfRecord(sliceBatch((await log.read(1))!, 0, 1), pipeline, config);
    if (found !== stream)
      throw new RiverrunError(
        'RECORD_NOT_FOUND',
        `the record at offset ${offset} is of ${found === undefined ? 'no stream' : JSON.stringify(found)}, not of ${stream}`,
      );
    const registry = new FileModelRegistry(join(config.dataDir, 'models'));
    const reference = await Reference.start(
      pipeline,
      start,
      modelsByLabel(registry),
      referenceOptions(config, pipeline),
    );
    const last = await replay(log, reference, { start, offset, onProgress });
    const notes = ['embedded mode keeps no predictions to compare with'];
    if (start > 0) notes.push(`the log begins at ${start}, what was before is gone: a difference proves nothing`);
    if (offset >= committed) notes.push('its outcome is not committed yet');
    await states.open();
    const stored = (await states.load([stream], { storedOnly: true })).states[0];
    const i = last.records.count - 1;
    const topic = last.records.topic;
    return proofOf({
      ...{
        stream,
        pipeline: pipeline.name,
        topic,
        partition: 0,
        offset,
        from: start,
        model: reference.modelOf(stream),
        notes,
      },
      replayed:
        last.kinds[i] === OutcomeKind.deadLetter
          ? Buffer.from(`dead letter ${last.deadLetters.get(i)!.code}`)
          : last.bytes.subarray(last.start[i], last.end[i]),
      found: undefined,
      isCommitted: false,
      state: await reference.stateOf(stream),
      stored,
    });
  } finally {
    await log.close();
    await states.close();
    data.close();
  }
}

/** The outcomes of the last batch, which ends with `offset`. */
async function replay(
  log: FileTickLog,
  reference: Reference,
  { start, offset, onProgress }: { start: number; offset: number; onProgress: (offset: number, to: number) => void },
): Promise<OutcomeBatch> {
  const swaps = log.modelSwaps.filter((swap) => swap.offset <= offset);
  await log.seek(start);
  for (let at = start, next = 0; ;) {
    for (; next < swaps.length && swaps[next].offset <= at; next++) {
      const { model } = swaps[next];
      if (model !== null && !(await reference.swapTo(model)))
        throw new RiverrunError(
          'MODEL_NOT_FOUND',
          `model ${model} served from offset ${at} on and is not there any more`,
        );
    }
    const to = Math.min(swaps[next]?.offset ?? Infinity, offset + 1, at + AT_A_TIME);
    const outcomes = await reference.take((await log.read(to - at))!);
    at += outcomes.records.count;
    onProgress(at, offset + 1);
    if (at > offset) return outcomes;
  }
}
