import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RiverrunError } from '#domain/errors';
import type { Logger } from '#domain/ports';
import { createJsonLogger, type LoggerOptions } from './json-logger.js';

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
function logged(use: (logger: Logger) => void, options: LoggerOptions = {}): string[] {
  const lines: string[] = [];
  use(
    createJsonLogger({ level: 'debug', write: (line) => lines.push(line), now: () => 1_700_000_000_000, ...options }),
  );
  return lines;
}
const json = (fields: Record<string, unknown>): Record<string, unknown> =>
  JSON.parse(logged((logger) => logger.info('m', fields))[0]) as Record<string, unknown>;

describe('JSON lines', () => {
  it('hold time, level, message and the fields, flat', () => {
    const [line] = logged((logger) =>
      logger.warn('late', { stream: 's1', at: { topic: 'ticks', offset: 3 }, none: undefined, list: [1, { a: 2 }] }),
    );
    expect(line.endsWith('\n')).toBe(true);
    expect(JSON.parse(line)).toEqual({
      time: '2023-11-14T22:13:20.000Z',
      level: 'warn',
      message: 'late',
      stream: 's1',
      'at.topic': 'ticks',
      'at.offset': 3,
      list: [1, { a: 2 }],
    });
  });

  it('errors come with code, stack and cause', () => {
    const line = json({ error: new RiverrunError('LOG_RANGE', 'too far', { cause: new Error('disk') }) });
    expect(line).toMatchObject({
      error: 'too far',
      'error.name': 'RiverrunError',
      'error.code': 'LOG_RANGE',
      'error.cause': 'disk',
    });
    expect(line['error.stack']).toContain('json-logger.spec');
  });

  it('levels below the threshold are dropped', () => {
    const all = (logger: Logger): void =>
      (['debug', 'info', 'warn', 'error'] as const).forEach((level) => logger[level]('x'));
    expect(logged(all, { level: 'warn' })).toHaveLength(2);
    expect(logged(all)).toHaveLength(4);
  });

  it('fields cannot pose as the line itself', () => {
    expect(json({ level: 'error', message: 'forged', time: 'never' })).toMatchObject({
      level: 'info',
      message: 'm',
      'fields.level': 'error',
    });
  });

  it('what JSON cannot hold is written out', () => {
    const cyclic: Record<string, unknown> = {
      n: NaN,
      big: 10n,
      map: new Map([[1, 2]]),
      bytes: new Uint8Array(3),
      f: () => 1,
    };
    cyclic.self = cyclic;
    cyclic.list = [cyclic];
    Object.defineProperty(cyclic, 'bad', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    expect(json({ cyclic })).toMatchObject({
      'cyclic.n': 'NaN',
      'cyclic.big': '10',
      'cyclic.map': '[1 entries]',
      'cyclic.bytes': '[3 bytes]',
      'cyclic.f': '[function]',
      'cyclic.self': '[circular]',
      'cyclic.list': ['[circular]'],
      'cyclic.bad': '[unreadable]',
    });
  });

  it('circles through lists end', () => {
    const [a, b]: Record<string, unknown>[] = [{}, {}];
    a.list = [b];
    b.list = [a];
    expect(json({ a })).toMatchObject({ 'a.list': [{ list: ['[circular]'] }] });
  });

  it('a failing pipe, clock or field never throws', () => {
    const broken = (): never => {
      throw new Error('EPIPE');
    };
    expect(() => createJsonLogger({ write: broken }).info('x')).not.toThrow();
    expect(() => createJsonLogger({ now: () => NaN, write: () => undefined }).info('x')).not.toThrow();
    const hostile = new Proxy({}, { ownKeys: broken, get: broken });
    expect(() => logged((logger) => logger.info('x', { hostile }))).not.toThrow();
  });

  it(`random fields give one JSON line, SEED=${seed}`, () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.dictionary(
          fc.string(),
          fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }),
        ),
        (message, fields) => {
          const lines = logged((logger) => logger.error(message, fields));
          expect(lines).toHaveLength(1);
          expect(lines[0].indexOf('\n')).toBe(lines[0].length - 1);
          expect(JSON.parse(lines[0])).toMatchObject({ level: 'error', message });
        },
      ),
      { seed, numRuns: 1000 },
    );
  });
});

describe('pretty lines', () => {
  const plain = (line: string): string => line.replace(/\u001b\[\d+m/g, '');

  it('read at a glance', () => {
    const [line] = logged(
      (logger) => logger.info('at http://127.0.0.1:3000', { dir: '/data', note: 'two words', n: 3 }),
      { format: 'pretty' },
    );
    expect(plain(line)).toBe('22:13:20.000 info  at http://127.0.0.1:3000 dir=/data note="two words" n=3\n');
  });

  it('put the stack behind and let nothing steer the terminal', () => {
    const [line] = logged((logger) => logger.error('bad\u001b[2J\nline', { error: new Error('x') }), {
      format: 'pretty',
    });
    expect(plain(line)).toMatch(/^22:13:20.000 error bad\\u001b\[2J\\u000aline error=x\n {2}at /);
  });
});
