/** Topics in the log's files, and files of the version that stored none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { batchOf, outcomesFor, plain } from '../../../../test/contract/records.js';
import { FileTickLog } from './file-tick-log.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'riverrun-topics-'));
  folders.push(path);
  return path;
}

/** Two appended batches, k: one, two (with demo's position 2) and a null; outcomes for the first, of which offset 0 is a dead letter. */
const WITHOUT_TOPICS =
  'UlIBASUAAABnUD28RSMaoHsiYmFzZSI6MCwiY29tbWl0dGVkIjowLCJzb3VyY2VzIjpbXX0AAABSUgECVAAAAECvQUo3TEStAAAAAAAAAAACAAAA' +
  'BwAAAAQAAAABAAAAAAAAAAAA8D8AAAAAAAAAQAAAAAD/////AQAAAP////8BAAAABAAAAAQAAAAHAAAAa29uZXR3b2RlbW8yAAAAAFJSAQIwAAAA' +
  'RIFmdAWx8F8AAAAAAAAAQAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAIQP////////////////////9SUgEDSgAAAGZFQbzQifymAAAAAAAAAEABAAAA' +
  'AwAAAG1AMQAAAAAAAAAAAAAAAAAA8D8FAAAADgAAAAEAAAADAAAAVkFMVUVyZWZ1c2VkIDAg8J+MimtvbmUAAAAAAAA=';

describe('topics in the log', () => {
  it('go with dead letters, over a restart', async () => {
    const log = new FileTickLog(folder());
    await log.open();
    for (const topic of ['a', 'b', 'a']) {
      await log.append(batchOf([{ key: null, value: topic, ts: 1 }], 0, topic));
      await log.append(batchOf(new Array(2).fill({ key: null, value: topic, ts: 1 }), 0, topic));
    }
    for (let n = 0; n < 3; n++) await log.publish(outcomesFor((await log.read(3))!));
    const expected = [
      { offset: 6, topic: 'a' },
      { offset: 3, topic: 'b' },
      { offset: 0, topic: 'a' },
    ];
    expect(log.deadLetters(9)).toMatchObject(expected);
    await log.close();
    await log.open();
    expect(log.deadLetters(9)).toMatchObject(expected);
    await log.close();
  });

  it('are the configured one where the files name none', async () => {
    const path = folder();
    writeFileSync(join(path, '000000000001.log'), Buffer.from(WITHOUT_TOPICS, 'base64'));
    const log = new FileTickLog(path, { topic: 'former' });
    expect(await log.open()).toEqual({ start: 0, committed: 2, end: 3 });
    expect(await log.sourcePosition('demo')).toBe('2');
    expect(log.deadLetters(9)).toMatchObject([{ offset: 0, topic: 'former', code: 'VALUE' }]);
    await log.append(batchOf([{ key: null, value: 'new', ts: 4 }], 0, 'b'));
    await log.seek(0);
    const old = (await log.read(100))!;
    expect(old.topic).toBe('former');
    expect(plain(old)).toEqual([
      { key: 'k', value: 'one', ts: 1, offset: 0 },
      { key: null, value: 'two', ts: 2, offset: 1 },
      { key: null, value: null, ts: 3, offset: 2 },
    ]);
    const young = (await log.read(100))!;
    expect([young.topic, plain(young)[0].value]).toEqual(['b', 'new']);
    await log.close();
  });
});
