import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { gruSpec, randomWeights, seeded } from '../support/models.js';
import { Service, temporaryFolder } from '../support/service.js';

const services: Service[] = [];
const service = (env: Record<string, string> = {}): Service => {
  const s = new Service(env);
  services.push(s);
  return s;
};
afterEach(async () => {
  for (const s of services.splice(0)) await s.end();
});

/** A pinned raw GRU as the champion, so that every prediction depends on the whole history. */
async function withModel(s: Service): Promise<Service> {
  const registry = new FileModelRegistry(join(s.dataDir, 'models'));
  const network = gruSpec(16);
  const draft = {
    name: 'm',
    network,
    scaler: 'none',
    target: 'value',
    warmUp: 0,
    origin: 'imported',
    pinned: true,
    createdAt: '2026-01-01T00:00:00Z',
  } as const;
  await registry.activate('default', await registry.publish(draft, randomWeights(network, 5)));
  return s;
}

const tick = (stream: string, ts: number, value: number): string => JSON.stringify({ stream, ts, value });

describe('kill -9', () => {
  it('and start again goes on from the same states: every prediction as in an uninterrupted run', async () => {
    const random = seeded(9);
    const ticks = Array.from({ length: 3000 }, (_, t) =>
      tick(`s${Math.floor(random() * 20)}`, t, Math.round(1e4 * Math.sin(t / 9)) / 1e4),
    );
    const calm = await (await withModel(service())).start();
    const expected = (await calm.post(ticks.join('\n'), { type: 'application/x-ndjson' })).text.trim().split('\n');
    expect(expected).toHaveLength(ticks.length);

    const shaky = await (await withModel(service())).start();
    const answers: string[] = [];
    let kills = 0;
    while (answers.length < ticks.length) {
      const chunk = ticks.slice(answers.length, answers.length + 1 + Math.floor(random() * 120));
      const request = shaky
        .post(chunk.join('\n'), { type: 'application/x-ndjson' })
        .then((r) => r.text.trim().split('\n'));
      request.catch(() => undefined);
      if (kills < 12 && random() < 0.4) {
        kills += 1;
        const early = random() < 0.5;
        if (early) await new Promise((resolve) => setTimeout(resolve, 3 * random()));
        else answers.push(...(await request));
        await shaky.kill('SIGKILL');
        if (early) await request.catch(() => undefined);
        await shaky.start();
        if (!early) continue;
        // What became of the unanswered chunk, only the service knows: all, some or none of it was accepted. Sending it again tells.
        for (const line of chunk) {
          const { text, status } = await shaky.post(line);
          answers.push(status === 200 ? text : 'accepted before');
        }
      } else answers.push(...(await request));
    }
    expect(kills).toBeGreaterThan(5);
    const compared = answers.map((answer, i) => (answer === 'accepted before' ? expected[i] : withoutOffset(answer)));
    expect(compared).toEqual(
      expected.map((line, i) => (answers[i] === 'accepted before' ? line : withoutOffset(line))),
    );
  }, 120_000);
});

/** A line that was sent twice has moved the offsets of later ones. */
const withoutOffset = (json: string): string => json.replace(/"offset":\d+,/, '');

describe('SIGTERM', () => {
  it('answers who waits, saves, and exits 0 within 5 s', async () => {
    const s = await (await withModel(service())).start();
    await s.post(tick('a', 1, 0.5));
    const events = fetch(`${s.url}/predictions`).then((r) => r.text());
    events.catch(() => undefined);
    const before = Date.now();
    expect(await s.kill('SIGTERM')).toBe(0);
    expect(Date.now() - before).toBeLessThan(5000);
    await events.catch(() => undefined);
    await s.start();
    expect((await s.get('/streams/a')).json).toMatchObject({ ticks: 1, value: 0.5 });
  });
});

describe('npm start', () => {
  it('passes SIGTERM on and ends with the service', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const dataDir = temporaryFolder();
    const env = { PATH: process.env.PATH, PORT: '0', RIVERRUN_DATA_DIR: dataDir };
    const child = spawn('npm', ['start'], { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await expect.poll(() => output, { timeout: 20_000 }).toContain('is at http');
    child.kill('SIGTERM');
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
    expect(output).toContain('stopped');
    rmSync(dataDir, { recursive: true });
  });
});

describe('POST /ticks', () => {
  it('gives every kind of bad record its code and keeps the neighbours exact', async () => {
    const s = await (await withModel(service({ RIVERRUN_MAX_RECORD_BYTES: '1MB' }))).start();
    const bad: [string | Uint8Array, string][] = [
      ['{"stream":"s"', 'MALFORMED'],
      ['[[1]]', 'MALFORMED'],
      ['"text"', 'MALFORMED'],
      ['{"stream":"s","value":NaN}', 'MALFORMED'],
      ['{"stream":"s","value":1e400}', 'VALUE'],
      ['{"stream":"s","value":"1"}', 'VALUE'],
      ['{"stream":"","value":1}', 'STREAM_ID'],
      ['{"value":1}', 'STREAM_ID'],
      ['{"stream":"s","value":1,"ts":8639977881600000}', 'TIMESTAMP'],
      ['{'.repeat(10_000), 'MALFORMED'],
      [new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'MALFORMED'],
      [`{"stream":"s","value":1,"pad":"${'x'.repeat(10 << 20)}"}`, 'TOO_LARGE'],
    ];
    const calm = await (await withModel(service())).start();
    for (let t = 0; t < bad.length; t++) {
      const good = tick('neighbour', t, Math.sin(t));
      const predictions = await Promise.all([s.post(good), calm.post(good)]);
      expect(withoutOffset(predictions[0].text)).toBe(withoutOffset(predictions[1].text));
      const [body, code] = bad[t];
      const { status, json } = await s.post(body, body === '[[1]]' ? { type: 'application/x-ndjson' } : {});
      if (status === 200) expect(json).toMatchObject({ code });
      else expect({ status, json }).toMatchObject({ status: 422, json: { code } });
    }
    const { deadLetters } = (await s.get('/dead-letters')).json as {
      deadLetters: { code: string; value: string | null }[];
    };
    expect(deadLetters).toHaveLength(bad.length);
    expect(deadLetters.find(({ code }) => code === 'STREAM_ID')).toMatchObject({ value: expect.any(String) as string });
    const polluted = await s.post('{"stream":"p","value":1,"__proto__":{"stream":"x"}}');
    expect(polluted.json).toMatchObject({ stream: 'p', source: 'model' });
    expect(({} as { stream?: string }).stream).toBeUndefined();
  }, 60_000);

  it('takes one tick, an array and NDJSON', async () => {
    const s = await service().start();
    expect((await s.post('[]')).json).toEqual({ accepted: 0, rejected: 0, outcomes: [] });
    expect(
      (await s.post(`[${tick('a', 1, 1)}, ${tick('a', 1, 1)} ,{"stream":"a","control":"reset"}]`)).json,
    ).toMatchObject({
      accepted: 2,
      rejected: 1,
      outcomes: [{ stream: 'a', prediction: 1 }, { code: 'DUPLICATE' }, { stream: 'a', control: 'reset' }],
    });
    const ndjson = await s.post(`${tick('b', 1, 1)}\r\n\n${tick('b', 2, 3)}`, { type: 'application/x-ndjson' });
    expect(ndjson.text.split('\n')).toHaveLength(3);
    expect((await s.post('[{"stream":"a"}')).json).toMatchObject({ status: 400, code: 'MALFORMED' });
    expect((await s.post(' ')).json).toMatchObject({ status: 400, code: 'EMPTY' });
    expect((await s.post(tick('a', 9, 9), { path: '/ticks?topic=nope' })).json).toMatchObject({ status: 404 });
  });
});

describe('several topics', () => {
  it('names in answers and dead letters the topic a tick came in by, also over a kill', async () => {
    const s = await service({ RIVERRUN_TICKS_TOPIC: 'a,b' }).start();
    const post = (topic: string, body: string): ReturnType<Service['post']> =>
      s.post(body, { path: `/ticks?topic=${topic}` });
    expect((await s.post(tick('s', 1, 1))).json).toMatchObject({ stream: 's', offset: 0, topic: 'a' });
    expect((await post('b', tick('s', 2, 2))).json).toMatchObject({ stream: 's', offset: 1, topic: 'b' });
    // At the same time, so that they wait in the log together.
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, k) => post('ab'[k % 2], `[${tick(`s${k}`, 1, k)},${tick(`s${k}`, 2, k)}]`)),
    );
    answers.forEach(({ json }, k) => {
      const topic = 'ab'[k % 2];
      expect(json).toMatchObject({
        outcomes: [
          { stream: `s${k}`, topic },
          { stream: `s${k}`, topic },
        ],
      });
    });
    expect((await post('b', tick('s', 1, 1))).json).toMatchObject({ status: 422, code: 'LATE' });
    expect(await (await fetch(`${s.url}/metrics`)).text()).toContain('state_lag_records{topic="a,b",partition="0"}');
    await s.kill('SIGKILL');
    await s.start();
    expect((await s.get('/dead-letters')).json).toMatchObject({
      deadLetters: [{ pipeline: 'default', topic: 'b', offset: 42, code: 'LATE' }],
    });
    expect((await post('b', tick('s', 3, 3))).json).toMatchObject({ stream: 's', offset: 43, topic: 'b' });
  });
});

describe('a start that cannot be', () => {
  const oneLine = (output: string): string[] => output.trim().split('\n');
  it('says that the port is taken', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const { port } = holder.address() as { port: number };
    const { code, output } = await service({ PORT: String(port) }).startAndFail();
    holder.close();
    expect(code).toBe(1);
    expect(oneLine(output)).toEqual([expect.stringContaining(`port ${port}`)]);
  });
  it('names the bad setting', async () => {
    const { code, output } = await service({ RIVERRUN_SESSION_TIMEOUT: 'soon' }).startAndFail();
    expect(code).toBe(2);
    expect(oneLine(output)).toEqual([expect.stringContaining('RIVERRUN_SESSION_TIMEOUT')]);
  });
  it('names the data folder that cannot be written, or that another process has', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const inTheWay = await service({ RIVERRUN_DATA_DIR: file }).startAndFail();
    expect(inTheWay.code).toBe(1);
    expect(oneLine(inTheWay.output)).toEqual([expect.stringMatching(/RIVERRUN_DATA_DIR/)]);
    const first = await service().start();
    const second = await service({ RIVERRUN_DATA_DIR: first.dataDir }).startAndFail();
    expect(second.code).toBe(1);
    expect(oneLine(second.output)).toEqual([expect.stringMatching(/RIVERRUN_DATA_DIR/)]);
  });
});

describe('a full disk', () => {
  it('stops ticks with a reason, and nothing accepted is lost when there is room again', async (context) => {
    const mount = temporaryFolder();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mount], { stdio: 'pipe' });
    } catch {
      context.skip('mounting a small tmpfs needs root');
    }
    const dataDir = join(mount, 'data');
    mkdirSync(dataDir);
    const s = service({ RIVERRUN_DATA_DIR: dataDir });
    try {
      await (await withModel(s)).start();
      let accepted = 0;
      for (let t = 0; t < 200; t++) {
        const { status, json } = await s.post(Array.from({ length: 500 }, (_, k) => tick(`s${k}`, t, k)).join('\n'), {
          type: 'application/x-ndjson',
        });
        if (status !== 200) {
          expect({ status, json }).toMatchObject({ status: 507, json: { code: 'DATA_FULL' } });
          expect((await s.get('/livez')).status).toBe(200);
          break;
        }
        accepted = t + 1;
      }
      expect(accepted).toBeGreaterThan(3);
      expect(accepted).toBeLessThan(200);
      execFileSync('mount', ['-o', 'remount,size=64m', mount], { stdio: 'pipe' });
      await expect.poll(async () => (await s.post(tick('fresh', 1, 1))).status, { timeout: 10_000 }).toBe(200);
      // What was refused because it could not be answered may have been stored: then it was predicted by now.
      const { ticks } = (await s.get('/streams/s7')).json;
      expect([accepted, accepted + 1]).toContain(ticks);
    } finally {
      await s.kill('SIGKILL');
      execFileSync('umount', [mount]);
    }
  }, 60_000);
});

describe('a canary', () => {
  const ids = Array.from({ length: 40 }, (_, i) => `s${i}`);
  const post = async (s: Service, ts: number): Promise<Map<string, { model: string; canary?: number }>> => {
    const { text } = await s.post(ids.map((id, i) => tick(id, ts, i + ts)).join('\n'), {
      type: 'application/x-ndjson',
    });
    const answers = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { stream: string; model: string; canary?: number });
    return new Map(answers.map((answer) => [answer.stream, answer]));
  };
  const served = (answers: Map<string, { model: string }>): string[] =>
    ids.filter((id) => answers.get(id)!.model === 'm@2');

  it('serves its share of the streams, the same ones after a kill, says how it does, and is promoted or ended', async () => {
    const s = await withModel(await withModel(service({ RIVERRUN_ADMIN_TOKEN: 'sesame' })));
    // The first is the champion again.
    await new FileModelRegistry(join(s.dataDir, 'models')).activate('default', { name: 'm', version: 1 });
    await s.start();
    const admin = async (path: string): Promise<{ status: number; body: unknown }> => {
      const response = await fetch(`${s.url}/models/${path}`, {
        method: 'POST',
        headers: { authorization: 'Bearer sesame' },
      });
      return { status: response.status, body: await response.json() };
    };
    for (let ts = 0; ts < 5; ts++) expect(served(await post(s, ts))).toEqual([]);
    expect((await s.post('', { path: '/models/m/canary?share=0.5' })).status).toBe(403);
    for (const share of ['', '1', '-0.5', 'half'])
      expect(await admin(`m/canary?share=${share}`)).toMatchObject({ status: 400, body: { code: 'ARGUMENT' } });
    expect(await admin('gone/canary?share=0.5')).toMatchObject({ status: 404 });
    expect(await admin('m/canary?share=0.5&version=2')).toEqual({ status: 200, body: { serving: 'm@1' } });
    const answers = await post(s, 5);
    const chosen = served(answers);
    expect(chosen.length).toBeGreaterThan(8);
    expect(chosen.length).toBeLessThan(32);
    for (const id of ids) expect(answers.get(id)!.canary).toBe(chosen.includes(id) ? 0.5 : undefined);
    await s.kill('SIGKILL');
    await s.start();
    for (let ts = 6; ts < 9; ts++) expect(served(await post(s, ts))).toEqual(chosen);
    const { json } = await s.get('/models');
    const { canaries } = json as { canaries: Record<string, Record<string, unknown>> };
    expect(canaries.default).toMatchObject({ canary: 'm@2', share: 0.5 });
    // What was replayed after the kill may be among them.
    expect([3, 4]).toContain((canaries.default.truths as number) / chosen.length);
    expect(typeof canaries.default.skill).toBe('number');
    expect(typeof canaries.default.championSkill).toBe('number');
    const metrics = await (await fetch(`${s.url}/metrics`)).text();
    expect(metrics).toContain('riverrun_model_info{name="m",version="2",role="canary"} 1');
    expect(metrics).toMatch(/^riverrun_canary_evaluations_total\{predictor="model"\} [1-9]/m);
    expect(await admin('m/canary?share=0')).toMatchObject({ status: 200 });
    expect(served(await post(s, 9))).toEqual([]);
    await admin('m/canary?share=0.5&version=2');
    expect(served(await post(s, 10))).toEqual(chosen);
    expect(await admin('m/promote?version=2')).toEqual({ status: 200, body: { serving: 'm@2' } });
    expect(served(await post(s, 11))).toEqual(ids);
    expect(((await s.get('/models')).json as { canaries: object }).canaries).toEqual({});
  });
});

describe('operations', () => {
  it('serves health, metrics and OpenAPI, and guards admin calls', async () => {
    const s = await (await withModel(service({ RIVERRUN_ADMIN_TOKEN: 'sesame' }))).start();
    await s.post(tick('a', 1, 1));
    expect((await s.get('/livez')).status).toBe(200);
    expect((await s.get('/readyz')).json).toEqual({ status: 'ok', reasons: [] });
    expect(await (await fetch(`${s.url}/metrics`)).text()).toContain('riverrun_ticks_total 1');
    const openapi = (await s.get('/docs-json')).json as { paths: object };
    expect(Object.keys(openapi.paths)).toEqual(
      expect.arrayContaining(['/ticks', '/streams', '/streams/{id}/trace', '/predictions', '/models']),
    );
    expect((await s.post('', { path: '/models/m/activate' })).status).toBe(403);
    const activate = (token: string): Promise<Response> =>
      fetch(`${s.url}/models/m/activate`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    expect((await activate('wrong')).status).toBe(403);
    expect(await (await activate('sesame')).json()).toEqual({ serving: 'm@1' });
    expect((await s.get('/streams?limit=x')).json).toMatchObject({ status: 400 });
  });
});
