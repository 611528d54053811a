/** `replay`, `state` and `trace` against a small server that answers as the service does. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { jsonLines, runCli, type Finished } from '../support/run-cli.js';

interface Tick {
  stream: string;
  ts: number;
  value?: number | null;
  values?: Record<string, number | null | (number | null)[]>;
  control?: string;
}

const folder = mkdtempSync(join(tmpdir(), 'riverrun-cli-'));
let server: Server;
let url: string;
let ticks: Tick[] = [];
let requests: { size: number; at: number }[] = [];
/** Answers in place of the usual one. */
let instead: ((response: ServerResponse) => void) | undefined;

beforeAll(async () => {
  server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  [ticks, requests, instead] = [[], [], undefined];
});

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (instead !== undefined) return instead(response);
  const { pathname, searchParams } = new URL(request.url!, url);
  const json = (value: unknown, status = 200): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (pathname === '/ticks') {
    const got = jsonLines(Buffer.concat(chunks).toString()) as unknown as Tick[];
    requests.push({ size: got.length, at: performance.now() });
    ticks.push(...got);
    if (request.headers['content-type'] === 'application/json') return json({ ...got[0], offset: 7 });
    const answer = ({ stream, ts, value }: Tick): object =>
      value === -666 ? { code: 'LATE', message: 'too late' } : { stream, ts, prediction: value };
    response.end(got.map((tick) => `${JSON.stringify(answer(tick))}\n`).join(''));
    return;
  }
  const stream = (i: number): object => ({
    id: `s${i}`,
    pipeline: 'default',
    ticks: i,
    ts: 0,
    value: 1,
    prediction: null,
    source: 'baseline',
  });
  if (pathname === '/streams') {
    const [from, limit] = [Number(searchParams.get('cursor') ?? 0), Number(searchParams.get('limit'))];
    const to = Math.min(2500, from + limit);
    return json({
      streams: Array.from({ length: to - from }, (_, i) => stream(from + i)),
      cursor: to < 2500 ? String(to) : null,
    });
  }
  if (pathname === `/streams/${encodeURIComponent('a/b ü')}`) return json(stream(3));
  if (pathname === '/streams/s1/trace') {
    const memory = Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? 0.125 : -0.53));
    return json({
      stream: 's1',
      model: 'm@1',
      exact: true,
      rows: [{ step: 9, ts: 0, input: 21.5, memory, output: 21.75 }],
    });
  }
  return json(
    { title: 'STREAM_NOT_FOUND', status: 404, code: 'STREAM_NOT_FOUND', detail: 'there is no stream "x"' },
    404,
  );
}

function csv(name: string, text: string | Uint8Array): string {
  writeFileSync(join(folder, name), text);
  return name;
}
const run = (...args: string[]): Promise<Finished> => runCli([...args, '--url', url], { cwd: folder });
const replay = (file: string, ...args: string[]): Promise<Finished> =>
  run('replay', file, '--time-column', 'time', '--value-column', 'value', ...args);

describe('riverrun replay', () => {
  it('publishes a file; without a stream column the stream is called like the file', async () => {
    const { code, stdout, stderr } = await replay(
      csv('lynx.csv', 'time,value\n2024-01-01T00:00:00Z,1.5\n2024-01-02,\n'),
      '--json',
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      file: 'lynx.csv',
      ticks: 2,
      predictions: 2,
      rejected: 0,
      rejectedByCode: {},
    });
    expect(ticks).toEqual([
      { stream: 'lynx', ts: Date.UTC(2024, 0, 1), value: 1.5 },
      { stream: 'lynx', ts: Date.UTC(2024, 0, 2), value: null },
    ]);
  });

  it('takes a byte order mark, CRLF, semicolons, decimal commas, quotes, zones and several columns', async () => {
    const file = csv(
      'zones.csv',
      '\ufeffzone;time;temp;"load; MW"\r\n"Nord; ""A""";2024-07-01 12:00;21,5;1\r\nSüd;2024-01-01 12:00;-3,25;\r\n',
    );
    const { code } = await run(
      ...['replay', file, '--stream-column', 'zone', '--time-column', 'time', '--value-column', 'temp,load; MW'],
      ...['--time-zone', 'Europe/Berlin'],
    );
    expect(code).toBe(0);
    expect(ticks).toEqual([
      { stream: 'Nord; "A"', ts: Date.UTC(2024, 6, 1, 10), values: { temp: 21.5, 'load; MW': 1 } },
      { stream: 'Süd', ts: Date.UTC(2024, 0, 1, 11), values: { temp: -3.25, 'load; MW': null } },
    ]);
  });

  it('gives what is known ahead as arrays, as many rows on as the pipeline looks ahead or as asked', async () => {
    const file = csv('shop.csv', 'time,value,holiday\n1,5,0\n2,6,1\n3,7,\n');
    const settings = join(folder, 'shop.yaml');
    writeFileSync(settings, 'pipelines: [{name: shop, horizon: 2, inputs: [value, holiday], known: holiday}]\n');
    const known = ['replay', file, '--time-column', 'time', '--value-column', 'value', '--known-column', 'holiday'];
    const given = async (args: string[], env = {}): Promise<unknown> => {
      ticks = [];
      expect((await runCli([...known, '--url', url, ...args], { cwd: folder, env })).code).toBe(0);
      return ticks.map(({ values }) => values!.holiday);
    };
    expect(await given(['--ahead', '1'])).toEqual([
      [0, 1],
      [1, null],
      [null, null],
    ]);
    expect(await given([], { RIVERRUN_CONFIG: settings })).toEqual([
      [0, 1, null],
      [1, null, null],
      [null, null, null],
    ]);
    const twice = await replay(file, '--known-column', 'value');
    expect(twice).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('value stands in --value-column and') as string,
    });
    expect((await replay(file, '--known-column', 'holiday', '--ahead', '254')).code).toBe(2);
  });

  it('reports bad lines by number, those of the file and those of the service, and goes on', async () => {
    const file = csv('bad.csv', 'time,value\n1000,1\nnever,2\n3000,three\n4000,-666\n5000\n6000,6\n');
    const { code, stdout, stderr } = await replay(file, '--json');
    expect(code).toBe(3);
    const rejects = jsonLines(stderr).map(({ line, code: c }) => `${String(line)} ${String(c)}`);
    expect(rejects.sort()).toEqual(['3 TIMESTAMP', '4 VALUE', '5 LATE', '6 MALFORMED']);
    expect(ticks.map(({ value }) => value)).toEqual([1, -666, 6]);
    expect(JSON.parse(stdout)).toMatchObject({
      ticks: 3,
      predictions: 2,
      rejected: 4,
      rejectedByCode: { LATE: 1, MALFORMED: 1, TIMESTAMP: 1, VALUE: 1 },
    });
    expect((await replay(file)).stdout).toMatch(
      /^3 ticks, 2 predictions, 4 rejected \(1 LATE, 1 MALFORMED, 1 TIMESTAMP, 1 VALUE\) in /,
    );
  });

  it('sends many rows in chunks, in order', async () => {
    const rows = Array.from({ length: 25_000 }, (_, i) => `${1_700_000_000 + i},${i}`);
    const { code } = await replay(csv('long.csv', `time,value\n${rows.join('\n')}`), '--speed', 'max');
    expect(code).toBe(0);
    expect(ticks.map(({ value }) => value)).toEqual(rows.map((_, i) => i));
    expect(Math.max(...requests.map(({ size }) => size))).toBeLessThanOrEqual(2000);
  });

  it('keeps the recorded pace times N', async () => {
    const { code, stdout } = await replay(
      csv('pace.csv', 'time,value\n0,1\n0,2\n30,3\n60,4\n'),
      '--speed',
      '60',
      '--json',
    );
    expect(code).toBe(0);
    expect(requests.map(({ size }) => size)).toEqual([2, 1, 1]);
    // Half a second each, but a busy machine may start late.
    expect(requests[1].at - requests[0].at).toBeGreaterThan(100);
    expect((JSON.parse(stdout) as { seconds: number }).seconds).toBeGreaterThanOrEqual(1);
  });

  it('says in one line what cannot be done', { timeout: 60_000 }, async () => {
    const file = csv('fine.csv', 'time,value\n1000,1\n');
    for (const [code, args, text] of [
      [1, ['missing.csv'], 'CSV_FILE'],
      [1, [csv('empty.csv', '')], 'CSV_EMPTY'],
      [1, [csv('other.csv', 'when,what\n1,2\n')], 'CSV_COLUMN'],
      [2, [file, '--to', 'kafka', '--url', url], '--url is for'],
      [2, [file, '--topic', 'ticks'], '--topic is for'],
      [2, [file, '--to', 'moon'], 'embedded, kafka'],
      [2, [file, '--speed', 'fast'], '--speed'],
      [2, [file, '--speed', '0'], '--speed'],
      [2, [file, '--time-zone', 'Mars/Base'], '--time-zone'],
      [2, [file, '--url', 'localhost'], '--url'],
    ] as const) {
      const finished = await runCli(
        ['replay', '--url', url, '--time-column', 'time', '--value-column', 'value', ...args],
        { cwd: folder },
      );
      expect(finished.stderr).toMatch(/^riverrun: [^\n]+\n$/);
      expect(finished.stderr).toContain(text);
      expect([finished.code, finished.stdout]).toEqual([code, '']);
    }
    expect((await runCli(['replay', 'fine.csv'], { cwd: folder })).stderr).toMatch(
      /^riverrun: required option '--time-column/,
    );
    instead = (response) => response.writeHead(200).end('<html>hello</html>');
    expect((await replay(file)).stderr).toMatch(/^riverrun: ANSWER: /);
    instead = (response) =>
      response
        .writeHead(503, { 'content-type': 'application/problem+json' })
        .end('{"code":"STOPPING","detail":"the service is stopping"}');
    expect(await replay(file)).toMatchObject({ code: 1, stderr: 'riverrun: STOPPING: the service is stopping\n' });
  });
});

describe('riverrun state and trace', () => {
  it('lists streams over several pages', async () => {
    const all = JSON.parse((await run('state', 'ls', '--limit', '10000', '--json')).stdout) as {
      streams: { id: string }[];
      cursor: null;
    };
    expect(all.streams.map(({ id }) => id)).toEqual(Array.from({ length: 2500 }, (_, i) => `s${i}`));
    expect(all.cursor).toBeNull();
    const some = await run('state', 'ls', '--limit', '2', '--cursor', '5');
    expect(some.stdout).toBe(
      [
        'STREAM  TICKS  LAST                 VALUE  NEXT  SOURCE',
        's5          5  1970-01-01 00:00:00      1     -  baseline',
        's6          6  1970-01-01 00:00:00      1     -  baseline',
        '',
      ].join('\n'),
    );
    expect(some.stderr).toContain('--cursor "7"');
  });

  it('shows one stream, whatever its name', async () => {
    const { code, stdout } = await run('state', 'show', 'a/b ü');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^id +s3\n/);
    expect(await run('state', 'show', 'x')).toMatchObject({
      code: 1,
      stderr: 'riverrun: STREAM_NOT_FOUND: there is no stream "x"\n',
    });
  });

  it('resets a stream', async () => {
    expect(JSON.parse((await run('state', 'reset', 's1', '--json')).stdout)).toEqual({
      stream: 's1',
      control: 'reset',
      offset: 7,
    });
    expect(ticks).toEqual([{ stream: 's1', control: 'reset' }]);
  });

  it('traces a stream', async () => {
    expect((await run('trace', 's1')).stdout).toBe(
      ['Step  Input  Memory                  Output', '   9  21.5   [0.13 -0.53 0.13 … 64]  21.75', ''].join('\n'),
    );
    expect(JSON.parse((await run('trace', 's1', '--json')).stdout)).toMatchObject({ exact: true, rows: [{ step: 9 }] });
  });
});
