/** `riverrun pipe` as a process: every bad line costs itself only, a million lines cost little memory, nothing runs ahead of its reader. */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ModelManifest } from '#domain/model';
import { digestOf } from '#domain/model-digest';
import { encodeModelFile } from '../../apps/cli/src/models/model-file.js';
import { jsonLines, runCli, startCli } from '../support/run-cli.js';

const T = 1_700_000_000_000;
const line = (stream: string, i: number, value: number): string => JSON.stringify({ stream, ts: T + 1000 * i, value });
const limit = 1 << 20;

/** Bad lines and what becomes of them; undefined: strange, but a tick. */
const STRANGE: [name: string, line: string | Uint8Array, code: string | undefined][] = [
  ['not JSON', '{"stream":"n","ts":1,', 'MALFORMED'],
  ['words', 'hello there', 'MALFORMED'],
  ['an array', '[{"stream":"n","ts":1,"value":1}]', 'MALFORMED'],
  ['a string', '"n"', 'MALFORMED'],
  ['a number', '42', 'MALFORMED'],
  ['null', 'null', 'MALFORMED'],
  ['NaN', `{"stream":"n","ts":${T},"value":NaN}`, 'MALFORMED'],
  ['1e400', `{"stream":"n","ts":${T},"value":1e400}`, 'VALUE'],
  ['beyond float32', `{"stream":"n","ts":${T},"value":1e39}`, 'VALUE'],
  ['a value that is text', `{"stream":"n","ts":${T},"value":"1.5"}`, 'VALUE'],
  ['no stream', `{"ts":${T},"value":1}`, 'STREAM_ID'],
  ['an empty stream id', `{"stream":"","ts":${T},"value":1}`, 'STREAM_ID'],
  ['a stream id of 257 bytes', `{"stream":"${'x'.repeat(257)}","ts":${T},"value":1}`, 'STREAM_ID'],
  ['a stream id that is a number', `{"stream":7,"ts":${T},"value":1}`, 'STREAM_ID'],
  ['the year 275760', `{"stream":"n","ts":8640000000000000,"value":1}`, 'TIMESTAMP'],
  ['a time that is a list', `{"stream":"n","ts":[1],"value":1}`, 'TIMESTAMP'],
  ['an unknown control', `{"stream":"n","control":"explode"}`, 'MALFORMED'],
  ['a line of 10 MB', `{"stream":"n","ts":${T},"value":1,"x":"${'y'.repeat(10_000_000)}"}`, 'TOO_LARGE'],
  ['a line one byte too long', 'z'.repeat(limit + 1), 'TOO_LARGE'],
  ['a line as long as allowed', 'z'.repeat(limit), 'MALFORMED'],
  ['depth 10,000', '['.repeat(10_000) + ']'.repeat(10_000), 'MALFORMED'],
  [
    'depth 10,000 in a field',
    `{"stream":"deep","ts":${T},"value":1,"x":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
    undefined,
  ],
  ['__proto__ as a field', `{"__proto__":{"stream":"evil"},"ts":${T},"value":1}`, 'STREAM_ID'],
  ['__proto__ as a stream', `{"stream":"__proto__","ts":${T},"value":1}`, undefined],
  [
    'bad UTF-8',
    Buffer.from([...Buffer.from('{"stream":"'), 0xc3, 0x28, ...Buffer.from(`","ts":${T},"value":1}`)]),
    'MALFORMED',
  ],
  ['a NUL byte', `{"stream":"n","ts":${T},"value":1}\0`, 'MALFORMED'],
];

describe('riverrun pipe', () => {
  it('rejects each bad line by itself and leaves its neighbours exact', async () => {
    const parts: Uint8Array[] = [];
    const good: string[] = [];
    STRANGE.forEach(([, strange], i) => {
      good.push(line('good', i, i + 0.25));
      parts.push(
        Buffer.from(`${good[i]}\n`),
        typeof strange === 'string' ? Buffer.from(strange) : strange,
        Buffer.from('\n'),
      );
    });
    const { code, stdout, stderr } = await runCli(['pipe'], { input: Buffer.concat(parts) });
    expect(code).toBe(3);
    const rejected = jsonLines(stderr);
    const expected = STRANGE.flatMap(([, , c], i) => (c === undefined ? [] : [{ line: 2 * i + 2, code: c }]));
    expect(rejected.map(({ line: at, code: c }) => ({ line: at, code: c }))).toEqual(expected);
    expect(rejected.every(({ message }) => typeof message === 'string' && message.length > 0)).toBe(true);
    const predictions = jsonLines(stdout);
    expect(predictions.filter(({ stream }) => stream === 'good')).toHaveLength(good.length);
    expect(predictions.filter(({ stream }) => stream !== 'good').map(({ stream }) => stream)).toEqual([
      'deep',
      '__proto__',
    ]);
    // What is good is answered as if nothing else had been there, but for the offset.
    const alone = await runCli(['pipe'], { input: good.join('\n') });
    const withoutOffset = (text: string): unknown[] =>
      jsonLines(text)
        .filter(({ stream }) => stream === 'good')
        .map(({ offset: _, ...rest }) => rest);
    expect(withoutOffset(alone.stdout)).toEqual(withoutOffset(stdout));
    expect(alone.code).toBe(0);
  });

  it('names late and duplicate ticks', async () => {
    const input = [line('a', 5, 1), line('a', 5, 1), line('a', 4, 2), line('a', 6, 3)].join('\n');
    const { code, stdout, stderr } = await runCli(['pipe'], { input });
    expect(code).toBe(3);
    expect(jsonLines(stderr).map(({ line: at, code: c }) => [at, c])).toEqual([
      [2, 'DUPLICATE'],
      [3, 'LATE'],
    ]);
    expect(jsonLines(stdout).map(({ prediction }) => prediction)).toEqual([1, 3]);
  });

  it('counts blank lines without answering them, takes CRLF, a byte order mark and a last line without an end', async () => {
    const input = `\ufeff${line('a', 1, 1)}\r\n\r\n   \n${line('a', 2, 2)}\r\nnope\r\n{"stream":"a","control":"reset"}\n${line('a', 3, 3)}`;
    const { code, stdout, stderr } = await runCli(['pipe'], { input });
    expect(code).toBe(3);
    expect(jsonLines(stderr)).toMatchObject([{ line: 5, code: 'MALFORMED' }]);
    expect(jsonLines(stdout)).toMatchObject([
      { stream: 'a', offset: 0, prediction: 1, source: 'baseline', model: null },
      { stream: 'a', offset: 1, prediction: 2 },
      { stream: 'a', offset: 3, control: 'reset' },
      { stream: 'a', offset: 4, prediction: 3 },
    ]);
  });

  it('answers nothing with nothing', async () => {
    expect(await runCli(['pipe'], { input: '' })).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await runCli(['pipe'], { input: '\n\n' })).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('reports a line over the limit that nothing follows', async () => {
    const { code, stderr } = await runCli(['pipe'], { input: `${line('a', 1, 1)}\n${'x'.repeat(3_000_000)}` });
    expect(code).toBe(3);
    expect(jsonLines(stderr)).toEqual([
      { line: 2, code: 'TOO_LARGE', message: expect.stringContaining('3000000') as string },
    ]);
  });

  it('answers a line as soon as it is complete', async () => {
    const child = startCli(['pipe']);
    child.stdin!.write(`${line('a', 1, 1.5)}\n${line('a', 2, 2.5).slice(0, 10)}`);
    const [first] = (await once(child.stdout!, 'data')) as [Buffer];
    expect(jsonLines(first.toString())).toMatchObject([{ prediction: 1.5 }]);
    child.stdin!.write(`${line('a', 2, 2.5).slice(10)}\n`);
    const [second] = (await once(child.stdout!, 'data')) as [Buffer];
    expect(jsonLines(second.toString())).toMatchObject([{ prediction: 2.5 }]);
    child.stdin!.end();
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  it('takes several inputs by name', async () => {
    const ticks = [
      { stream: 'a', ts: T, values: { temp: 1, load: 9 } },
      { stream: 'a', ts: T + 1, values: [2, 8] },
      { stream: 'a', ts: T + 2, value: 3 },
    ];
    const { code, stdout, stderr } = await runCli(['pipe', '--inputs', 'temp,load'], {
      input: ticks.map((tick) => JSON.stringify(tick)).join('\n'),
    });
    expect(code).toBe(3);
    expect(jsonLines(stdout).map(({ prediction }) => prediction)).toEqual([1, 2]);
    expect(jsonLines(stderr)).toMatchObject([{ line: 3, code: 'VALUE' }]);
  });

  it('serves a model file: h = x + h / 2, y = 2 h', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'riverrun-cli-'));
    const file = join(folder, 'half.json');
    writeFileSync(file, HALF);
    const { code, stdout, stderr } = await runCli(['pipe', '--model', file], {
      input: [1, 0, 4].map((value, i) => line('a', i, value)).join('\n'),
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(jsonLines(stdout).map(({ prediction, source, model }) => [prediction, source, model])).toEqual([
      [2, 'model', 'half@1'],
      [1, 'model', 'half@1'],
      [8.5, 'model', 'half@1'],
    ]);
  });

  it('refuses options that do not fit in one line', async () => {
    for (const [args, text] of [
      [['--inputs', 'a,,b'], 'names'],
      [['--scaler', 'minmax'], 'none, standard'],
      [['--scaler', 'none'], '--model'],
      [['--frobnicate'], '--frobnicate'],
      [['extra'], 'argument'],
    ] as const) {
      const { code, stdout, stderr } = await runCli(['pipe', ...args]);
      expect(code).toBe(2);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^riverrun: [^\n]*\n$/);
      expect(stderr).toContain(text);
    }
  });

  it('takes a million lines in bounded memory, in order', { timeout: 120_000 }, async () => {
    const child = startCli(['pipe']);
    const errors: Buffer[] = [];
    child.stderr!.on('data', (chunk: Buffer) => errors.push(chunk));
    let lines = 0;
    let last = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) lines += 1;
      last = (last + chunk.subarray(-400).toString('latin1')).slice(-400);
    });
    const closed = once(child, 'close');
    const N = 1_000_000;
    let peak = 0;
    for (let i = 0; i < N;) {
      let text = '';
      for (const until = Math.min(N, i + 20_000); i < until; i++)
        text += `{"stream":"s${i % 1000}","ts":${T + i},"value":${(i % 977) / 8}}\n`;
      if (!child.stdin!.write(text)) await once(child.stdin!, 'drain');
      peak = Math.max(peak, peakMiB(child.pid!));
    }
    peak = Math.max(peak, peakMiB(child.pid!));
    child.stdin!.end();
    expect(await closed).toEqual([0, null]);
    expect(Buffer.concat(errors).toString()).toBe('');
    expect(lines).toBe(N);
    expect(last).toContain(`"offset":${N - 1},`);
    expect(peak).toBeLessThan(400);
  });

  it('waits for a reader who does not read', { timeout: 60_000 }, async () => {
    const child = startCli(['pipe']);
    const text = Array.from({ length: 20_000 }, (_, i) => `${line(`s${i}`, 0, 1)}\n`).join('');
    let accepted = 0;
    const rounds = 20;
    let done = false;
    const writing = (async () => {
      for (let i = 0; i < rounds; i++) {
        if (!child.stdin!.write(text.replaceAll(String(T), String(T + i)))) await once(child.stdin!, 'drain');
        accepted += 1;
      }
      child.stdin!.end();
      done = true;
    })();
    await sleep(2500);
    expect(done).toBe(false);
    expect(accepted).toBeLessThan(5);
    expect(peakMiB(child.pid!)).toBeLessThan(400);
    let lines = 0;
    child.stdout!.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) lines += 1;
    });
    await writing;
    await once(child, 'close');
    expect(lines).toBe(20_000 * rounds);
  });

  it.skipIf(!existsSync('/dev/full'))('says so when what it writes finds no room', async () => {
    const full = openSync('/dev/full', 'w');
    const bin = fileURLToPath(new URL('../../bin/riverrun.js', import.meta.url));
    const child = spawn(process.execPath, [bin, 'pipe'], { stdio: ['pipe', full, 'pipe'] });
    let errors = '';
    child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.stdin!.end(line('a', 1, 1));
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(errors).toMatch(/^riverrun: OUTPUT: cannot write: ENOSPC[^\n]*\n$/);
    closeSync(full);
  });

  it('ends quietly when its reader has had enough', async () => {
    const child = startCli(['pipe']);
    const errors: Buffer[] = [];
    child.stderr!.on('data', (chunk: Buffer) => errors.push(chunk));
    child.stdin!.on('error', () => undefined);
    const closed = once(child, 'close');
    child.stdout!.once('data', () => child.stdout!.destroy());
    const text = Array.from({ length: 5000 }, (_, i) => `${line('a', i, 1)}\n`).join('');
    child.stdin!.write(text);
    const feeding = setInterval(() => child.stdin!.write(text), 20);
    expect(await closed).toEqual([0, null]);
    clearInterval(feeding);
    expect(Buffer.concat(errors).toString()).not.toMatch(/at |EPIPE|Error/);
  });
});

/** Peak resident memory; 0 where the system does not tell. */
function peakMiB(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

const weights = Float32Array.of(1, 0.5, 2);
const half: Omit<ModelManifest, 'digest'> = {
  format: 1,
  name: 'half',
  version: 7,
  network: {
    inputSize: 1,
    layers: [
      { type: 'simple_rnn', units: 1, activation: 'linear', useBias: false },
      { type: 'dense', units: 1, activation: 'linear', useBias: false },
    ],
  },
  scaler: 'none',
  target: 'value',
  warmUp: 0,
  origin: 'imported',
  pinned: true,
  createdAt: '2024-01-01T00:00:00.000Z',
};
const HALF = encodeModelFile({ manifest: { ...half, digest: digestOf(half, weights) }, weights });
