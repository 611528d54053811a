/** What a newcomer meets: the default service with its own sources, in a real browser. And "I love pizza", token by token. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { findBrowser, launchBrowser } from '../support/browser.js';
import { randomWeights } from '../support/models.js';
import { Service } from '../support/service.js';

const services: Service[] = [];
const service = (env: Record<string, string>): Service => {
  const s = new Service(env);
  services.push(s);
  return s;
};
afterEach(async () => {
  for (const s of services.splice(0)) await s.end();
});

interface TraceJson {
  exact: boolean;
  rows: { step: number; ts: number; input: number | string; memory: number[]; output: number | null }[];
}
const traceOf = async (s: Service, id: string): Promise<TraceJson> =>
  (await s.get(`/streams/${id}/trace?limit=1000`)).json as unknown as TraceJson;

describe('the recorded series', () => {
  it('go on after kill -9 with the very next row, none lost and none twice', async () => {
    const s = await service({ RIVERRUN_DEMO: 'on' }).start();
    for (let kill = 0; kill < 4; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 700 + 150 * kill));
      await s.kill('SIGKILL');
      await s.start();
    }
    await expect.poll(async () => (await traceOf(s, 'seattle.temp_max')).rows.length).toBeGreaterThan(8);
    const { rows } = await traceOf(s, 'seattle.temp_max');
    rows.forEach(({ step, ts }, i) => {
      expect(step).toBe(i + 1);
      expect(new Date(ts).toISOString().slice(0, 10)).toBe(
        new Date(Date.UTC(2012, 0, 1 + i)).toISOString().slice(0, 10),
      );
    });
  }, 60_000);
});

const chromium = findBrowser();
if (chromium.reason !== undefined && process.env.REQUIRE_SERVERS !== '1')
  console.warn(`newcomer: skipped, ${chromium.reason}`);

describe.skipIf(chromium.reason !== undefined && process.env.REQUIRE_SERVERS !== '1')('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    if (chromium.path === undefined) throw new Error(chromium.reason);
    browser = await launchBrowser(chromium.path);
  });
  afterAll(() => browser?.close());

  it('real streams move, a model is trained and swapped in live, and nothing leaves the machine', async () => {
    const s = await service({ RIVERRUN_DEMO: 'on', RIVERRUN_RETRAIN_INTERVAL: '10s' }).start();
    const page = await browser.newPage();
    const foreign: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== s.url && !request.url().startsWith('data:')) foreign.push(request.url());
    });
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(s.url);
    const text = (selector: string): Promise<string> => page.locator(selector).innerText();
    await expect.poll(() => text('body'), { timeout: 10_000 }).toContain('CPU');
    await expect.poll(() => text('body')).toContain('Seattle');
    const ticks = async (): Promise<number> => Number((await text('#ticks-total')).replace(/\D/g, ''));
    const before = await ticks();
    await expect.poll(ticks).toBeGreaterThan(before + 20);
    await expect.poll(() => text('#model-label'), { timeout: 90_000 }).toMatch(/default@[2-9]/);
    // The streams' own words on how the model does, once it has been scored.
    await expect
      .poll(() => text('body'), { timeout: 30_000 })
      .toMatch(/(better|worse) than the best baseline|same as the best baseline/);
    expect((await s.get('/models')).json).toMatchObject({
      serving: { default: expect.stringMatching(/^default@\d+$/) as string },
    });
    await page.goto(`${s.url}/docs`);
    await expect.poll(() => text('body')).toContain('/ticks');
    expect({ foreign, complaints }).toEqual({ foreign: [], complaints: [] });
    await page.close();
  }, 150_000);

  it('shows the steps of "I love pizza"', async () => {
    const s = service({});
    const config = join(s.dataDir, '..', `riverrun-test-${process.pid}.yaml`);
    writeFileSync(config, 'pipelines:\n  - { name: default }\n  - { name: words, topics: [tokens] }\n');
    const network = {
      inputSize: 1,
      layers: [
        { type: 'embedding', inputDim: 5, outputDim: 8 },
        { type: 'simple_rnn', units: 8, activation: 'tanh', useBias: true },
        { type: 'dense', units: 1, activation: 'sigmoid', useBias: true },
      ],
    } as const;
    const registry = new FileModelRegistry(join(s.dataDir, 'models'));
    const draft = {
      name: 'sentiment',
      network,
      vocabulary: ['[PAD]', '[UNK]', 'i', 'love', 'pizza'],
      scaler: 'none',
      target: 'value',
      warmUp: 0,
      origin: 'imported',
      pinned: true,
      createdAt: '2026-01-01T00:00:00Z',
    } as const;
    await registry.activate('words', await registry.publish(draft, randomWeights(network, 3)));
    const words = service({ RIVERRUN_CONFIG: config, RIVERRUN_DATA_DIR: s.dataDir });
    await words.start();
    for (const token of 'I love pizza'.split(' ')) {
      const { status, json } = await words.post(JSON.stringify({ stream: 'review', token }), {
        path: '/ticks?topic=tokens',
      });
      expect({ status, json }).toMatchObject({
        status: 200,
        json: { stream: 'review', model: 'sentiment@1', source: 'model' },
      });
    }
    const { exact, rows } = await traceOf(words, 'review');
    expect(exact).toBe(true);
    expect(rows.map(({ step, input, memory }) => [step, input, memory.length])).toEqual([
      [1, 'i', 8],
      [2, 'love', 8],
      [3, 'pizza', 8],
    ]);
    const page = await browser.newPage();
    await page.goto(`${words.url}/#stream=review`);
    await expect
      .poll(() => page.locator('#detail').innerText(), { timeout: 10_000 })
      .toMatch(/Step[\s\S]*Input[\s\S]*Memory[\s\S]*Output[\s\S]*pizza/i);
    await page.close();
  }, 60_000);
});
