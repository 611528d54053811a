/** What new streams get of the built service and command line: the model that ships, until there is a champion. */
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { gruSpec, modelOf } from '../support/models.js';
import { jsonLines, runCli } from '../support/run-cli.js';
import { Service } from '../support/service.js';

const services: Service[] = [];
const service = (env: Record<string, string> = {}): Service => {
  const s = new Service({ RIVERRUN_DEFAULT_MODEL: 'on', ...env });
  services.push(s);
  return s;
};
afterEach(() => Promise.all(services.splice(0).map((s) => s.end())));

const lines = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({ stream: 's', ts: 60_000 * (from + i), value: 20 + 5 * Math.sin((from + i) / 4) }),
  ).join('\n');
const post = async (s: Service, from: number, count: number): Promise<Record<string, unknown>[]> => {
  const { status, text } = await s.post(lines(from, count), { type: 'application/x-ndjson' });
  expect(status).toBe(200);
  return jsonLines(text);
};

it('forecasts from the second tick on with an interval, the same through the service, kill -9 and `pipe`', async () => {
  const s = await service().start();
  const before = await post(s, 1, 30);
  await s.kill('SIGKILL');
  await s.start();
  const answers = [...before, ...(await post(s, 31, 30))];
  expect(answers[0]).toMatchObject({ source: 'baseline', model: 'default-prior@1' });
  expect(answers[0]).not.toHaveProperty('lower');
  for (const answer of answers.slice(1)) {
    expect(answer).toMatchObject({ model: 'default-prior@1' });
    expect(answer.lower).toBeLessThan(answer.prediction as number);
  }
  const piped = jsonLines(
    (await runCli(['pipe'], { input: lines(1, 60), env: { RIVERRUN_DEFAULT_MODEL: 'on' } })).stdout,
  );
  expect(piped.map(({ prediction, lower, source }) => ({ prediction, lower, source }))).toEqual(
    answers.map(({ prediction, lower, source }) => ({ prediction, lower, source })),
  );
  expect((await s.get('/models')).json).toMatchObject({ serving: { default: 'default-prior@1' } });
}, 60_000);

it('gives way to a model that is activated, and is not looked for where there is one', async () => {
  const s = await service().start();
  await post(s, 1, 5);
  const { manifest, weights } = modelOf(gruSpec(4), 1, { name: 'tide' });
  const registry = new FileModelRegistry(join(s.dataDir, 'models'));
  await registry.activate('default', await registry.publish(manifest, weights), null);
  await expect.poll(async () => (await s.get('/models')).json).toMatchObject({ serving: { default: 'tide@1' } });
  expect((await post(s, 6, 1))[0]).toMatchObject({ model: 'tide@1', source: 'model' });
  const other = service();
  const fresh = new FileModelRegistry(join(other.dataDir, 'models'));
  await fresh.activate('default', await fresh.publish(manifest, weights), null);
  await other.start();
  expect((await post(other, 1, 1))[0]).toMatchObject({ model: 'tide@1' });
  expect((await fresh.list()).map(({ name }) => name)).toEqual(['tide']);
}, 60_000);
