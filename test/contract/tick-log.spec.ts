/** TickLog and TickAppender, the same on every adapter. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { skipWithout } from '../support/redis-server.js';
import { LOGS, type LogOptions, type Subject } from './adapters.js';
import { batchOf, outcomesFor, plain, type PlainRecord } from './records.js';
import type { TickAppender, TickLog } from '#domain/ports';

type Log = TickLog & TickAppender;

const some = (n: number, from = 0): PlainRecord[] =>
  Array.from({ length: n }, (_, i) => ({ key: `k${from + i}`, value: `v${from + i}`, ts: from + i }));

describe.each(LOGS)('tick log: $name', ({ create, missing }) => {
  beforeEach((context) => skipWithout(context, missing));
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
    expect(await log.open()).toEqual({ start: 0, committed: 0, end: 0 });
    expect(await log.sourcePosition('demo')).toBeUndefined();
  });

  it('gives offsets, keys, values, nulls and timestamps back', async () => {
    const log = await fresh();
    const records = [
      { key: null, value: 'a', ts: 1.5 },
      { key: '', value: null, ts: -3 },
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

  it('publishes only from c on, and moves c behind the last', async () => {
    const log = await fresh();
    await log.append(batchOf(some(6)));
    const batch = (await log.read(6))!;
    await log.publish(outcomesFor(batch));
    expect((await log.open()).committed).toBe(6);
    await expect(log.publish(outcomesFor(batch))).rejects.toMatchObject({ code: 'LOG_RANGE' });
    await log.append(batchOf(some(2)));
    await expect(log.publish(outcomesFor(batchOf(some(1), 7)))).rejects.toMatchObject({ code: 'LOG_RANGE' });
    expect((await log.open()).committed).toBe(6);
  });

  it('refuses to seek out of its range', async () => {
    const log = await fresh();
    await log.append(batchOf(some(3)));
    for (const offset of [-1, 4, NaN]) await expect(log.seek(offset)).rejects.toMatchObject({ code: 'LOG_RANGE' });
    await log.seek(3);
    await log.seek(0);
  });

  it('holds appends back while too much is unread, in their order', async () => {
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

  it('keeps the position of each source', async () => {
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

  it('keeps the topic of each batch, and never reads records of two topics as one', async () => {
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
      ts: fc.integer(),
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
            const source = c.source === null ? undefined : { source: `s${c.source}`, position: `p${step}` };
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
          expect(await log.open()).toEqual({ start: 0, committed, end: model.length });
          for (const [source, position] of sources) expect(await log.sourcePosition(source)).toBe(position);
        }
        await made.dispose();
      }),
      { numRuns: 150 },
    );
  });
});
