/** ModelRegistry, the same on every adapter. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ModelArtifact, ModelDraft } from '#domain/model';
import { digestOf } from '#domain/model-digest';
import type { ModelRegistry } from '#domain/ports';
import type { NetworkSpec } from '#rnn/spec';
import { gruSpec, randomWeights } from '../support/models.js';
import { skipWithout } from '../support/redis-server.js';
import { REGISTRIES, type Subject } from './adapters.js';

const network = gruSpec(4);
const weights = randomWeights(network, 1);
const draft = (name = 'tide', changes: Partial<ModelDraft> = {}): ModelDraft => ({
  name,
  network,
  scaler: 'standard',
  target: 'difference',
  warmUp: 16,
  origin: 'trained',
  pinned: false,
  createdAt: '2026-01-01T00:00:00Z',
  ...changes,
});

const PLAN = { horizon: 1, season: 0, timeZone: 'UTC' };

describe.each(REGISTRIES)('model registry: $name', ({ create, missing }) => {
  beforeEach((context) => skipWithout(context, missing));
  const open: Subject<ModelRegistry>[] = [];
  const subject = async (): Promise<Subject<ModelRegistry>> => {
    const made = await create();
    open.push(made);
    return made;
  };
  afterEach(async () => {
    for (const made of open.splice(0)) await made.dispose();
  });

  it('counts versions within a name and loads what was published', async () => {
    const made = await subject();
    const first = await made.value.publish(draft(), weights);
    const second = await made.value.publish(draft(), randomWeights(network, 2));
    await made.value.publish(draft('a.b-c_1'), weights);
    expect([first.version, second.version]).toEqual([1, 2]);
    expect(first.digest).toBe(digestOf(first, weights));
    expect(first.digest).not.toBe(second.digest);
    const registry = await made.restart();
    expect(await registry.load({ name: 'tide', version: 1 })).toEqual({ manifest: first, weights });
    expect((await registry.load({ name: 'tide' })).manifest).toEqual(second);
    expect((await registry.list()).map((m) => `${m.name}@${m.version}`)).toEqual(['a.b-c_1@1', 'tide@1', 'tide@2']);
  });

  it('does not know what is not there', async () => {
    const registry = (await subject()).value;
    await registry.publish(draft(), weights);
    for (const model of [
      { name: 'ebb' },
      { name: 'tide', version: 2 },
      { name: 'tide', version: 0 },
      { name: '../tide' },
    ])
      await expect(registry.load(model)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    await expect(registry.activate('default', { name: 'tide', version: 2 })).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
  });

  const hostile: [string, unknown, Float32Array][] = [
    ['a name with a slash', { name: 'a/b' }, weights],
    ['a name with dots', { name: '..' }, weights],
    ['an empty name', { name: '' }, weights],
    ['a long name', { name: 'x'.repeat(65) }, weights],
    ['no name', { name: undefined }, weights],
    ['too few weights', {}, weights.subarray(1)],
    ['too many weights', {}, Float32Array.of(...weights, 0)],
    ['NaN', {}, weights.map((w, i) => (i === 3 ? NaN : w))],
    ['Infinity', {}, weights.map((w, i) => (i === 3 ? -Infinity : w))],
    ['no network', { network: undefined }, weights],
    ['layers that are no list', { network: { inputSize: 1, layers: 7 } }, weights],
    ['a layer that is null', { network: { inputSize: 1, layers: [null] } }, weights],
    ['an unknown layer', { network: { inputSize: 1, layers: [{ type: 'transformer' }] } }, weights],
    ['endless units', { network: { ...network, layers: [{ ...network.layers[0], units: 2 ** 31 }] } }, weights],
    ['units by halves', { network: { ...network, layers: [{ ...network.layers[0], units: 1.5 }] } }, weights],
    ['an unknown scaler', { scaler: 'robust' }, weights],
    ['a warm-up below zero', { warmUp: -1 }, weights],
    ['a warm-up that is NaN', { warmUp: NaN }, weights],
    ['a vocabulary of numbers', { vocabulary: [1, 2] }, weights],
    ['no time', { createdAt: 'yesterday' }, weights],
    ['a forecast of no steps', { forecast: { ...PLAN, horizon: 0 } }, weights],
    ['a forecast of more steps than outputs', { forecast: { ...PLAN, horizon: 9 } }, weights],
    ['a season shorter than the horizon', { forecast: { ...PLAN, season: 0.5 } }, weights],
    ['a zone that is none', { forecast: { ...PLAN, timeZone: 'Mars/Olympus' } }, weights],
    ['an unknown transform', { forecast: { ...PLAN, transform: 'sqrt' } }, weights],
    ['a calibration that is NaN', { forecast: { ...PLAN, calibration: [1, NaN, 2] } }, weights],
    ['a level of all truths', { forecast: { ...PLAN, calibration: [1, 1, 2], level: 1 } }, weights],
  ];
  it.each(hostile)('refuses %s', async (_, changes, given) => {
    const registry = (await subject()).value;
    const model = draft('tide', changes as Partial<ModelDraft> & { network: NetworkSpec });
    await expect(registry.publish(model, given)).rejects.toMatchObject({ code: 'MODEL_INVALID' });
    expect(await registry.list()).toEqual([]);
  });

  it('activates, remembers the one before, and compares', async () => {
    const made = await subject();
    const registry = made.value;
    for (let i = 0; i < 3; i++) await registry.publish(draft(), weights);
    const model = (version: number): { name: string; version: number } => ({ name: 'tide', version });
    expect(await registry.aliases('default')).toEqual({});
    expect(await registry.activate('default', model(1), null)).toEqual({ champion: model(1) });
    await expect(registry.activate('default', model(2), null)).rejects.toMatchObject({ code: 'ALIAS_CHANGED' });
    await expect(registry.activate('default', model(3), model(2))).rejects.toMatchObject({ code: 'ALIAS_CHANGED' });
    expect(await registry.activate('default', model(2), model(1))).toEqual({ champion: model(2), previous: model(1) });
    expect(await registry.activate('default', model(2))).toEqual({ champion: model(2), previous: model(1) });
    await registry.activate('__proto__', model(3));
    const again = await made.restart();
    expect(await again.aliases('default')).toEqual({ champion: model(2), previous: model(1) });
    expect(await again.aliases('__proto__')).toEqual({ champion: model(3) });
    expect(await again.aliases('constructor')).toEqual({});
  });

  it('puts a challenger beside the champion it knows of, until another one serves', async () => {
    const made = await subject();
    let registry = made.value;
    for (let i = 0; i < 3; i++) await registry.publish(draft(), weights);
    const model = (version: number): { name: string; version: number } => ({ name: 'tide', version });
    await expect(registry.challenge('default', model(2), model(1))).rejects.toMatchObject({ code: 'ALIAS_CHANGED' });
    await registry.activate('default', model(1));
    await expect(registry.challenge('default', model(4), model(1))).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    await expect(registry.challenge('default', model(3), model(2))).rejects.toMatchObject({ code: 'ALIAS_CHANGED' });
    const beside = { champion: model(1), challenger: model(2) };
    expect(await registry.challenge('default', model(2), model(1))).toEqual(beside);
    registry = await made.restart();
    expect(await registry.aliases('default')).toEqual(beside);
    // Serving what serves already changes nothing.
    expect(await registry.activate('default', model(1))).toEqual(beside);
    expect(await registry.challenge('default', null, model(1))).toEqual({ champion: model(1) });
    await registry.challenge('default', model(2), model(1));
    const swapped = { champion: model(2), previous: model(1), challenger: model(1) };
    expect(await registry.activate('default', model(2), model(1), true)).toEqual(swapped);
    expect(await registry.activate('default', model(3))).toEqual({ champion: model(3), previous: model(2) });
    expect(await (await made.restart()).aliases('default')).toEqual({ champion: model(3), previous: model(2) });
  });

  it('gives a share of the streams to a canary, until another model serves or it is ended', async () => {
    const made = await subject();
    let registry = made.value;
    for (let i = 0; i < 3; i++) await registry.publish(draft(), weights);
    const model = (version: number): { name: string; version: number } => ({ name: 'tide', version });
    const canary = (version: number, share: number) => ({ model: model(version), share });
    await registry.activate('default', model(1));
    for (const share of [0, 1, -0.1, 1.5, NaN])
      await expect(registry.setCanary('default', canary(2, share), model(1))).rejects.toMatchObject({
        code: 'ARGUMENT',
        message: expect.stringContaining(`share is ${share}`) as string,
      });
    await expect(registry.setCanary('default', canary(1, 0.1), model(1))).rejects.toMatchObject({ code: 'ARGUMENT' });
    await expect(registry.setCanary('default', canary(4, 0.1), model(1))).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
    await expect(registry.setCanary('default', canary(2, 0.1), model(3))).rejects.toMatchObject({
      code: 'ALIAS_CHANGED',
    });
    expect(await registry.aliases('default')).toEqual({ champion: model(1) });
    await registry.challenge('default', model(3), model(1));
    const served = { champion: model(1), canary: canary(2, 1 / 3) };
    expect(await registry.setCanary('default', canary(2, 1 / 3), model(1))).toEqual(served);
    registry = await made.restart();
    expect(await registry.aliases('default')).toEqual(served);
    expect(await registry.challenge('default', model(3), model(1))).toEqual({ ...served, challenger: model(3) });
    await registry.challenge('default', null, model(1));
    expect(await registry.setCanary('default', null, model(1))).toEqual({ champion: model(1) });
    await registry.setCanary('default', canary(2, 0.5), model(1));
    expect(await registry.activate('default', model(1))).toEqual({ champion: model(1) });
    await registry.setCanary('default', canary(2, 0.5), model(1));
    const promoted = { champion: model(2), previous: model(1) };
    expect(await registry.activate('default', model(2), model(1))).toEqual(promoted);
    expect(await (await made.restart()).aliases('default')).toEqual(promoted);
  });

  it('lets one of many win', async () => {
    const registry = (await subject()).value;
    const published = await Promise.all(Array.from({ length: 8 }, () => registry.publish(draft(), weights)));
    expect(published.map((m) => m.version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const tries = published.map(({ name, version }) => registry.activate('default', { name, version }, null));
    const results = await Promise.allSettled(tries);
    expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
  });

  it('takes a model in as the version it is, once, and keeps what is there', async (context) => {
    const made = await subject();
    const registry = made.value;
    if (!isRestorable(registry)) return context.skip('nothing in memory is to be put back');
    const given = artifact(3, 1);
    await Promise.all(Array.from({ length: 8 }, () => registry.restore(given)));
    await registry.restore(artifact(3, 2));
    expect(await registry.list()).toEqual([given.manifest]);
    const damaged = { ...given, weights: weights.slice(1) };
    await expect(registry.restore(damaged)).rejects.toMatchObject({ code: 'MODEL_INVALID' });
    const again = await made.restart();
    expect(await again.load({ name: 'tide', version: 3 })).toEqual(given);
    expect((await again.publish(draft(), weights)).version).toBe(4);
  });
});

interface Restorable {
  restore(artifact: ModelArtifact): Promise<void>;
}

const isRestorable = (registry: ModelRegistry): registry is ModelRegistry & Restorable => 'restore' in registry;

function artifact(version: number, seed: number): ModelArtifact {
  const of = randomWeights(network, seed);
  const content = { ...draft(), format: 1 as const, version };
  return { manifest: { ...content, digest: digestOf(content, of) }, weights: of };
}
