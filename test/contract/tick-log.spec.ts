/** TickLog and TickAppender, the same on every adapter. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, type TestContext, vi } from 'vitest';
import { skipWithout } from '../support/redis-server.js';
import { LOGS, type LogLimits, type LogOptions, type Subject } from './adapters.js';
import { KAFKA_LOGS } from './kafka-logs.js';
import { batchOf, outcomesFor, plain, type PlainRecord } from './records.js';
import type { CheckpointLog, TickAppender, TickLog } from '#domain/ports';

type Log = TickLog & TickAppender;

const some = (n: number, from = 0): PlainRecord[] =>
  Array.from({ length: n }, (_, i) => ({ key: `k${from + i}`, value: `v${from + i}`, ts: from + i }));

// A log over the network, on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

describe.each([...LOGS, ...KAFKA_LOGS])('tick log: $name', ({ create, missing, lacks = {}, runs }) => {
  beforeEach((context) => skipWithout(context, missing));
  const needs = (context: TestContext, part: keyof LogLimits): void => {
    if (lacks[part] !== undefined) context.skip(lacks[part]);
  };
  const open: Subject<Log>[] = [];
  const subject = async (options: LogOptions = {}): Promise<Subject<Log>> => {
    const made = await create(options);
    open.push(made);
    return made;
  };
  const fresh = async (options: LogOptions = {}): Promise<Log> => {
    const log = (await subject(options)).value;
    await log.open();
    return log;
  };
  afterEach(async () => {
    for (const made of open.splice(0)) await made.dispose();
  });

  it('begins empty', async () => {
    const log = (await subject()).value;
    expect(await log.open()).toMatchObject({ start: 0, committed: 0, end: 0 });
    expect(await log.sourcePosition('demo')).toBeUndefined();
  });

  it('gives offsets, keys, values, nulls and timestamps back', async () => {
    const log = await fresh();
    const records = [
      { key: null, value: 'a', ts: lacks.anyTime === undefined ? 1.5 : 1 },
      { key: '', value: null, ts: lacks.anyTime === undefined ? -3 : 0 },
      { key: 'ü', value: '', ts: 2 ** 53 },
    ];
    expect(await log.append(batchOf(records))).toBe(0);
    expect(plain((await log.read(10))!)).toEqual(records.map((r, offset) => ({ ...r, offset })));
  });

  it('waits for records, and ends the wait when closed', async () => {
    const log = await fresh();
    const waiting = log.read(10);
    await log.append(batchOf(some(2)));
    expect((await waiting)!.count).toBe(2);
    const ending = log.read(10);
    await log.close();
    expect(await ending).toBeNull();
    expect(await log.read(1)).toBeNull();
  });

  it('takes nothing more once closed', async (context) => {
    needs(context, 'appending');
    const log = await fresh();
    await log.close();
    await expect(log.append(batchOf(some(1)))).rejects.toMatchObject({ code: 'LOG_CLOSED' });
  });

  it('splits a batch that is larger than asked for', async () => {
    const log = await fresh();
    await log.append(batchOf(some(10)));
    const got = [];
    while (got.length < 10) {
      const batch = (await log.read(3))!;
      expect(batch.count).toBeLessThanOrEqual(3);
      got.push(...plain(batch));
    }
    expect(got).toEqual(some(10).map((r, offset) => ({ ...r, offset })));
  });

  it('reads below an offset only what is there, and says when that is all', async () => {
    const log = await fresh();
    await log.append(batchOf(some(10)));
    const got: PlainRecord[] = [];
    for (;;) {
      const batch = (await log.read(4, 7))!;
      if (batch.count === 0) break;
      got.push(...plain(batch));
    }
    expect(got).toEqual(some(7).map((r, offset) => ({ ...r, offset })));
    expect((await log.read(4, 7))!.count).toBe(0);
    expect(plain((await log.read(1, 9))!)[0].value).toBe('v7');
    await log.seek(3);
    expect((await log.read(4, 3))!.count).toBe(0);
    const ahead = log.read(100, 12);
    expect(plain((await ahead)!)[0].value).toBe('v3');
  });

  it('publishes only from c on, and moves c behind the last', async () => {
    const log = await fresh();
    await log.append(batchOf(some(6)));
    const batch = (await log.read(6))!;
    await log.publish(outcomesFor(batch));
    expect((await log.open()).committed).toBe(6);
    await expect(log.publish(outcomesFor(batch))).rejects.toMatchObject({ code: 'LOG_RANGE' });
    expect((await log.open()).committed).toBe(6);
  });

  it('publishes nothing that leaves a record out', async (context) => {
    needs(context, 'dense');
    const log = await fresh();
    await log.append(batchOf(some(2)));
    await expect(log.publish(outcomesFor(batchOf(some(1), 1)))).rejects.toMatchObject({ code: 'LOG_RANGE' });
    expect((await log.open()).committed).toBe(0);
  });

  it('refuses to seek out of its range', async () => {
    const log = await fresh();
    await log.append(batchOf(some(3)));
    for (const offset of [-1, 4, NaN]) await expect(log.seek(offset)).rejects.toMatchObject({ code: 'LOG_RANGE' });
    await log.seek(3);
    await log.seek(0);
  });

  it('holds appends back while too much is unread, in their order', async (context) => {
    needs(context, 'appending');
    const log = await fresh({ maxUnread: 4 });
    await log.append(batchOf(some(4)));
    const order: number[] = [];
    const waiting = [4, 6].map((from) => log.append(batchOf(some(2, from))).then((at) => order.push(at)));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(order).toEqual([]);
    expect((await log.read(4))!.count).toBe(4);
    await Promise.all(waiting);
    expect(order).toEqual([4, 6]);
    expect(plain((await log.read(100))!)[0].value).toBe('v4');
  });

  it('keeps the position of each source', async (context) => {
    needs(context, 'appending');
    const made = await subject();
    await made.value.open();
    await made.value.append(batchOf(some(1)), { source: 'a', position: '1' });
    await made.value.append(batchOf([]), { source: 'b', position: 'ü7' });
    await made.value.append(batchOf(some(1)), { source: 'a', position: '2' });
    const log = await made.restart();
    expect((await log.open()).end).toBe(2);
    expect(await log.sourcePosition('a')).toBe('2');
    expect(await log.sourcePosition('b')).toBe('ü7');
  });

  it('keeps the topic of each batch, and never reads records of two topics as one', async (context) => {
    needs(context, 'topics');
    const command = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ append: fc.integer({ min: 1, max: 4 }), topic: fc.constantFrom('a', 'b', 'ü') }),
      },
      { weight: 3, arbitrary: fc.record({ read: fc.constantFrom(1, 3, 100) }) },
      { weight: 1, arbitrary: fc.record({ seek: fc.double({ min: 0, max: 1, noNaN: true }) }) },
      { weight: 1, arbitrary: fc.record({ restart: fc.constant(true) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        const made = await create({});
        let log = made.value;
        await log.open();
        const topics: string[] = [];
        let cursor = 0;
        const readSome = async (most: number): Promise<void> => {
          const batch = (await log.read(most))!;
          expect(batch.count).toBeGreaterThan(0);
          for (const { value, offset } of plain(batch)) {
            expect({ offset, value, topic: batch.topic }).toEqual({
              offset: cursor,
              value: `v${cursor}`,
              topic: topics[cursor],
            });
            cursor += 1;
          }
        };
        for (const c of commands) {
          if ('append' in c) {
            await log.append(batchOf(some(c.append, topics.length), 0, c.topic));
            topics.push(...new Array<string>(c.append).fill(c.topic));
          } else if ('read' in c) {
            if (cursor < topics.length) await readSome(c.read);
          } else {
            if ('restart' in c) {
              log = await made.restart();
              await log.open();
            }
            cursor = 'seek' in c ? Math.round(c.seek * topics.length) : 0;
            await log.seek(cursor);
          }
        }
        while (cursor < topics.length) await readSome(100);
        await made.dispose();
      }),
      { numRuns: 100 },
    );
  });

  it('behaves like a list with two positions, whatever is done to it and whenever it restarts', async () => {
    const record = fc.record({
      key: fc.option(fc.string({ maxLength: 5 })),
      value: fc.option(fc.string({ maxLength: 60 })),
      ts: lacks.anyTime === undefined ? fc.integer() : fc.nat(),
    });
    const command = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ append: fc.array(record, { maxLength: 12 }), source: fc.option(fc.nat(2)) }),
      },
      { weight: 4, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 30 }) }) },
      { weight: 3, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 20 }) }) },
      { weight: 2, arbitrary: fc.record({ seek: fc.double({ min: 0, max: 1, noNaN: true }) }) },
      { weight: 1, arbitrary: fc.record({ restart: fc.constant(true) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
        const made = await create({});
        let log = made.value;
        await log.open();
        const model: PlainRecord[] = [];
        const sources = new Map<string, string>();
        let cursor = 0;
        let committed = 0;
        for (const [step, c] of commands.entries()) {
          if ('append' in c) {
            const source =
              c.source === null || lacks.appending !== undefined
                ? undefined
                : { source: `s${c.source}`, position: `p${step}` };
            expect(await log.append(batchOf(c.append, 99), source)).toBe(model.length);
            model.push(...c.append);
            if (source !== undefined) sources.set(source.source, source.position);
          } else if ('read' in c) {
            if (cursor === model.length) continue;
            const got = plain((await log.read(c.read))!);
            expect(got.length).toBeGreaterThan(0);
            expect(got.length).toBeLessThanOrEqual(c.read);
            expect(got).toEqual(model.slice(cursor, cursor + got.length).map((r, i) => ({ ...r, offset: cursor + i })));
            cursor += got.length;
          } else if ('publish' in c) {
            const records = model.slice(committed, Math.min(committed + c.publish, cursor));
            if (records.length === 0) continue;
            await log.publish(outcomesFor(batchOf(records, committed)));
            committed += records.length;
          } else if ('seek' in c) {
            cursor = Math.round(c.seek * model.length);
            await log.seek(cursor);
          } else {
            log = await made.restart();
            await log.open();
            cursor = committed;
            await log.seek(cursor);
          }
          expect(await log.open()).toMatchObject({ start: 0, committed, end: model.length });
          for (const [source, position] of sources) expect(await log.sourcePosition(source)).toBe(position);
        }
        await made.dispose();
      }),
      { numRuns: runs ?? 150, endOnFailure: runs !== undefined },
    );
  });

  it('keeps the youngest copy of each checkpoint, whole and beside the position, over restarts', async (context) => {
    const made = await subject();
    if (made.value.checkpoints === undefined) context.skip('its store is as safe as the log');
    const log = made.value;
    await log.open();
    await log.append(batchOf(some(3)));
    await log.publish(outcomesFor((await log.read(3))!));
    const bytes = (text: string): Uint8Array => Buffer.from(text);
    const large = 'ä'.repeat(300_000);
    expect(await copiesIn(log.checkpoints!)).toEqual(new Map());
    await log.checkpoints!.write([
      { key: 'W', value: bytes('3') },
      { key: 's/ü', value: bytes('') },
      { key: 's/b', value: bytes(large) },
      { key: 's/c', value: bytes(large) },
    ]);
    await log.checkpoints!.write([
      { key: 's/ü', value: bytes('new') },
      { key: 's/b', value: null },
      { key: 'W', value: bytes('4') },
    ]);
    const expected = new Map([
      ['W', '4'],
      ['s/ü', 'new'],
      ['s/c', large],
    ]);
    expect(await copiesIn(log.checkpoints!)).toEqual(expected);
    const again = await made.restart();
    await expect(log.checkpoints!.write([{ key: 'W', value: bytes('5') }])).rejects.toThrow();
    expect(await again.open()).toMatchObject({ start: 0, committed: 3, end: 3 });
    expect(await copiesIn(again.checkpoints!)).toEqual(expected);
  });
});

async function copiesIn(checkpoints: CheckpointLog): Promise<Map<string, string>> {
  const copies = new Map<string, string>();
  await checkpoints.read((key, value) => {
    if (value === null) copies.delete(key);
    else copies.set(key, Buffer.from(value).toString());
  });
  return copies;
}
