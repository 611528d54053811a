/** Forecasts as a user meets them: a pipeline with a horizon and a season, `riverrun train`, and a challenger that takes over. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import type { ModelDraft } from '#domain/model';
import { FEATURES } from '#forecasting/forecast-plan';
import { weightCount } from '#rnn/spec';
import { gruSpec, modelOf, seeded } from '../support/models.js';
import { jsonLines, runCli } from '../support/run-cli.js';
import { Service, temporaryFolder } from '../support/service.js';

const services: Service[] = [];
afterEach(() => Promise.all(services.splice(0).map((service) => service.end())));

async function start(dataDir: string, env: Record<string, string> = {}): Promise<Service> {
  const service = new Service({ RIVERRUN_DATA_DIR: dataDir, RIVERRUN_DEMO: 'off', ...env });
  services.push(service);
  return service.start();
}

interface Outcome {
  prediction: number;
  lower?: number;
  upper?: number;
  horizon: number;
  source: string;
  forecast?: { h: number; prediction: number }[];
}

async function post(service: Service, ticks: readonly object[]): Promise<Outcome[]> {
  const response = await fetch(`${service.url}/ticks`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: ticks.map((tick) => JSON.stringify(tick)).join('\n'),
  });
  expect(response.status).toBe(200);
  return jsonLines(await response.text()) as unknown as Outcome[];
}

const models = async (service: Service): Promise<Record<string, Record<string, unknown>>> =>
  (await service.get('/models')).json as unknown as Record<string, Record<string, unknown>>;

function seasonal(from: number, count: number): object[] {
  const random = seeded(from);
  return Array.from({ length: count }, (_, t) =>
    ['a', 'b'].map((stream, s) => ({
      stream,
      ts: 60_000 * (from + t),
      value: 50 + 10 * s + 10 * Math.sin((2 * Math.PI * (from + t)) / 12) + random(),
    })),
  ).flat();
}

it('are made for every step, with intervals that hold; `train` makes a model, and a second one runs beside it', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'riverrun.yaml');
  writeFileSync(file, 'pipelines: [{name: plant, horizon: 3, season: 12, model: {hidden: 8}}]\n');
  const service = await start(join(folder, 'data'), { RIVERRUN_CONFIG: file, RIVERRUN_RETRAIN_INTERVAL: '1d' });
  await post(service, seasonal(0, 10));
  const train = (...args: string[]): ReturnType<typeof runCli> => runCli(['train', '--url', service.url, ...args]);
  const early = await train();
  expect(early.code).toBe(1);
  expect(early.stderr).toMatch(/needs \d+ more ticks/);
  await post(service, seasonal(10, 600));
  const first = await train('--json');
  expect(first.stderr).toBe('');
  expect(JSON.parse(first.stdout)).toMatchObject({ pipeline: 'plant', state: 'idle' });
  expect(await models(service)).toMatchObject({ serving: { plant: 'plant@1' }, trials: {} });
  const outcomes = await post(service, seasonal(610, 400));
  const last = outcomes.at(-1)!;
  expect(last.horizon).toBe(3);
  expect(last.forecast!.map(({ h }) => h)).toEqual([1, 2, 3]);
  const b = outcomes.filter((_, i) => i % 2 === 1);
  const truth = (t: number): number => (seasonal(610, 400)[2 * t + 1] as { value: number }).value;
  const held = b.slice(0, -3).filter(({ lower, upper }, t) => truth(t + 3) >= lower! && truth(t + 3) <= upper!).length;
  expect(held / (b.length - 3)).toBeGreaterThan(0.85);
  const stream = (await service.get('/streams/b')).json as { scores: Record<string, number> };
  expect(stream.scores.skill).toBeGreaterThan(0);
  expect(stream.scores.coverage).toBeGreaterThan(0.85);
  const second = await train();
  expect(second.code).toBe(0);
  expect(second.stdout).toMatch(/pipeline plant was trained: (beside the champion|not taken)/);
  expect(await models(service)).toMatchObject({ serving: { plant: 'plant@1' } });
});

it('come from the challenger once it is better beyond doubt, restarts or not; the one before goes on beside it', async () => {
  const dataDir = temporaryFolder();
  const network = { ...gruSpec(4), inputSize: FEATURES };
  const draft = (gain: number): [ModelDraft, Float32Array] => {
    const { manifest, weights } = modelOf(network, 1);
    for (let k = weightCount(network) - 5; k < weights.length; k++) weights[k] *= gain;
    const { version: _, digest: __, format: ___, ...rest } = manifest;
    const forecast = { horizon: 1, season: 0, timeZone: 'UTC' };
    return [{ ...rest, name: 'walk', scaler: 'standard', origin: 'trained', pinned: false, forecast }, weights];
  };
  const registry = new FileModelRegistry(join(dataDir, 'models'));
  const wild = await registry.publish(...draft(6));
  const calm = await registry.publish(...draft(0));
  await registry.activate('default', wild);
  await registry.challenge('default', calm, wild);
  const env = { RIVERRUN_RETRAIN_INTERVAL: 'off' };
  let service = await start(dataDir, env);
  const random = seeded(3);
  let x = 0;
  let ts = 0;
  const walk = (count: number): object[] =>
    Array.from({ length: count }, () => ({ stream: 'w', ts: (ts += 1000), value: (x += random() - 0.5) }));
  await expect.poll(async () => (await models(service)).trials).toMatchObject({ default: { challenger: 'walk@2' } });
  // Not enough to decide.
  await post(service, walk(150));
  const { evidence } = (await models(service)).trials.default as { evidence: number };
  await service.kill('SIGTERM');
  service = await start(dataDir, env);
  await expect
    .poll(async () => ((await models(service)).trials.default as { evidence: number } | undefined)?.evidence)
    .toBe(evidence);
  for (let k = 0; k < 40 && (await models(service)).serving.default !== 'walk@2'; k++) {
    await post(service, walk(100));
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  expect(await models(service)).toMatchObject({
    serving: { default: 'walk@2' },
    trials: { default: { challenger: 'walk@1' } },
  });
  const list = await runCli(['model', 'ls'], { env: { RIVERRUN_DATA_DIR: dataDir } });
  expect(list.stdout).toMatch(/walk@1 .*challenger in default/);
  expect((await post(service, walk(1)))[0]).toMatchObject({ model: 'walk@2' });
});
