import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { modelFolder, ramp, zip, type ZipPart } from '../testing/files.js';
import { hdf5 } from '../testing/hdf5.js';
import { archive, input, layer, legacy, sequential, type Weights } from '../testing/models.js';
import { expectRefusal } from '../testing/refusal.js';
import { readModel } from './read-model.js';

const file = modelFolder();
const topology = sequential(input(null, 2), layer('GRU', { units: 3 }), layer('Dense', { units: 1 }));
const weights: Weights = { 'gru/cell': [ramp(2, 9), ramp(3, 9), ramp(2, 9)], dense: [ramp(3, 1), ramp(1)] };
const part = (name: string, data: string | Uint8Array = 'x', more: Partial<ZipPart> = {}): ZipPart => ({
  name,
  data,
  ...more,
});
const fixture = async (name: string): Promise<Buffer> =>
  gunzipSync(await readFile(new URL(`../../../../test/fixtures/models/${name}.gz`, import.meta.url)));

describe('the zip around a .keras', () => {
  it('is read when it is in order, whatever the file is called', async () => {
    const model = await readModel(await file('model.h5', await archive(topology, weights, [part('notes/readme.txt')])));
    expect(model.network.layers.map(({ type }) => type)).toEqual(['gru', 'dense']);
    expect([...model.weights.slice(0, 18)]).toEqual([...ramp(2, 9).data]);
  });

  it.each([
    ['a path above', part('../../etc/passwd'), /relative path|outside/],
    ['a path above, later', part('assets/../../x'), /relative path|outside/],
    ['an absolute path', part('/etc/passwd'), /absolute path|outside/],
    ['a Windows path', part('C:\\x'), /invalid characters|absolute|outside/],
    ['an entry twice', part('config.json', '{}'), /"config.json" stands twice/],
    ['a symbolic link', part('link', '/etc/passwd', { mode: 0o120777 }), /"link" in the zip is a symbolic link/],
    ['an encrypted entry', part('secret', 'x', { flags: 1, deflate: true }), /encrypted/],
    ['a zip bomb', part('bomb', new Uint8Array(80 * 1024 * 1024), { deflate: true }), /zip bomb/],
    ['an entry that claims gigabytes', part('huge', 'x', { deflate: true, size: 0xf0000000 }), /unpacks to/],
  ])('is refused with %s', async (_, extra, message) => {
    await expectRefusal(await file('bad.keras', await archive(topology, weights, [extra])), 'MODEL_INVALID', message);
  });

  it.each([
    ['fewer', 20_000],
    ['more', 20],
  ])('is refused if an entry inflates to %s bytes than it says', async (_, size) => {
    const config = part('config.json', JSON.stringify(topology).padEnd(10_000), {
      deflate: true,
      size: size === 20 ? 20 : size,
    });
    await expectRefusal(
      await file('lie.keras', zip(config, part('model.weights.h5'))),
      'MODEL_INVALID',
      /size|bytes|longer|shorter/,
    );
  });

  it('is refused with thousands of entries', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => part(`e${i}`));
    await expectRefusal(await file('many.keras', zip(...many)), 'MODEL_INVALID', /5000 entries/);
  });

  it('is refused with a zip for weights, without weights, and without a description', async () => {
    const config = part('config.json', JSON.stringify(topology));
    const nested = zip(config, part('model.weights.h5', await archive(topology, weights)));
    await expectRefusal(
      await file('nested.keras', nested),
      'MODEL_INVALID',
      /model.weights.h5 is not a whole HDF5 file/,
    );
    await expectRefusal(await file('none.keras', zip(config)), 'MODEL_INVALID', /no model.weights.h5/);
    await expectRefusal(await file('other.keras', zip(part('a.txt'))), 'MODEL_INVALID', /without config.json/);
    await expectRefusal(
      await file('cut.keras', (await archive(topology, weights)).subarray(0, 500)),
      'MODEL_INVALID',
      /broken zip/,
    );
  });
});

describe('the description', () => {
  const withConfig = (json: string): Buffer =>
    zip(part('config.json', json, { deflate: true }), part('model.weights.h5'));

  it.each([
    ['no JSON', '{"class_name":', /config.json is not valid JSON/],
    ['no object', '[]', /must be a JSON object/],
    ['endless nesting', `{"a":${'['.repeat(100_000)}`, /nested more than 128 deep/],
  ])('is refused as %s', async (_, json, message) => {
    await expectRefusal(await file('bad.keras', withConfig(json)), 'MODEL_INVALID', message);
  });

  it.each([0, -1, 1.5, 65_537, 1e300, '3', null])('is refused with %s units', async (units) => {
    const bad = sequential(input(null, 2), layer('GRU', { units }), layer('Dense', { units: 1 }));
    await expectRefusal(
      await file('units.keras', await archive(bad, weights)),
      'MODEL_INVALID',
      /layer "gru" \(GRU\): units must be a whole number from 1 to 65536/,
    );
  });

  it('cannot put line breaks or colours into the message', async () => {
    const bad = sequential(input(null, 2), layer('GRU', { name: 'a\n\u001b[31mb\u2028', units: 0 }));
    await expectRefusal(await file('name.keras', await archive(bad, {})), 'MODEL_INVALID', /"a\?\?\[31mb\?"/);
  });
});

describe('the weights', () => {
  it.each<[string, Weights, RegExp]>([
    [
      'of another shape',
      { ...weights, 'gru/cell': [ramp(2, 9), ramp(3, 6), ramp(2, 9)] },
      /recurrent_kernel has the shape \[3, 6\], its configuration makes it \[3, 9\]/,
    ],
    [
      'of another input size',
      { ...weights, 'gru/cell': [ramp(4, 9), ramp(3, 9), ramp(2, 9)] },
      /kernel has the shape \[4, 9\], its configuration makes it \[2, 9\]/,
    ],
    ['too few', { ...weights, 'gru/cell': [ramp(2, 9), ramp(3, 9)] }, /2 weight arrays.*makes 3/],
    ['too many', { ...weights, dense: [ramp(3, 1), ramp(1), ramp(1)] }, /3 weight arrays.*makes 2/],
    ['missing', { dense: weights.dense }, /"gru" \(GRU\): the file has 0 weight arrays/],
    [
      'NaN',
      { ...weights, dense: [ramp(3, 1), { shape: [1], data: new Float32Array([NaN]) }] },
      /layer "dense" \(Dense\): bias has NaN at position 0/,
    ],
    [
      'infinite',
      { ...weights, dense: [{ shape: [3, 1], data: new Float32Array([0, 0, -Infinity]) }, ramp(1)] },
      /kernel has -Infinity at position 2/,
    ],
  ])('are refused when %s', async (_, bad, message) => {
    await expectRefusal(await file('bad.keras', await archive(topology, bad)), 'MODEL_INVALID', message);
  });

  it('of a legacy file are refused when left over or not there', async () => {
    const dense = { 'dense/kernel:0': ramp(3, 1), 'dense/bias:0': ramp(1) };
    const gru = { 'gru/kernel:0': ramp(2, 9), 'gru/recurrent_kernel:0': ramp(3, 9), 'gru/bias:0': ramp(2, 9) };
    await readModel(await file('good.h5', await legacy(topology, { gru, dense })));
    const more = await legacy(topology, { gru, dense: { ...dense, 'dense/extra:0': ramp(1) } });
    await expectRefusal(
      await file('more.h5', more),
      'MODEL_INVALID',
      /"dense\/extra:0", which its layer does not take/,
    );
    await expectRefusal(
      await file('less.h5', await legacy(topology, { gru })),
      'MODEL_INVALID',
      /nothing for layer "dense"/,
    );
    const mixed = { ...gru, 'gru/kernel:0': ramp(3, 9), 'gru/recurrent_kernel:0': ramp(2, 9) };
    await expectRefusal(
      await file('mixed.h5', await legacy(topology, { gru: mixed, dense })),
      'MODEL_INVALID',
      /kernel has the shape/,
    );
  });
});

describe('the HDF5 file', () => {
  it.each([
    ['external-link', /a link to another file/],
    ['soft-link', /a soft link/],
    ['virtual', /virtual dataset/],
    ['plugin-filter', /unknown filter \(32000\)/],
    ['external-storage', /cannot be read \(damaged, or kept in another file\)/],
    ['external-device', /cannot be read \(damaged, or kept in another file\)/],
    ['huge', /shape \[60000, 60000\]/],
    ['references', /plain floating-point/],
    ['cycle', /deep, or a group inside itself/],
  ])('with %s is refused', async (name, message) => {
    await expectRefusal(await file('hostile.h5', await fixture(`hostile-${name}.h5`)), 'MODEL_INVALID', message);
  });

  it("with links is refused by h5wasm's own writing, too", async () => {
    const content = {
      'layers/gru/external': (
        group: { create_external_link: (f: string, t: string, n: string) => unknown },
        name: string,
      ) => void group.create_external_link('/etc/passwd', '/x', name),
    };
    await expectRefusal(
      await file('link.keras', await archive(topology, weights, [], content)),
      'MODEL_INVALID',
      /link to another file/,
    );
  });

  it('that claims more than it holds is refused', async () => {
    const big = sequential(
      input(null, 2),
      layer('Dense', { units: 60_000 }),
      layer('Dense', { name: 'b', units: 9_000 }),
    );
    const bytes = await archive(big, { dense: [ramp(2, 60_000), ramp(60_000)] });
    await expectRefusal(await file('big.keras', bytes), 'MODEL_INVALID', /0 weight arrays/);
  });

  it('cut short anywhere is refused', async () => {
    const whole = await fixture('keras3-embedding.h5');
    for (const length of [0, 1, 7, 8, 9, 100, 2000, whole.length - 1])
      await expectRefusal(await file('cut.h5', whole.subarray(0, length)), 'MODEL_INVALID', /./);
  });

  it('without a model is refused with advice', async () => {
    await expectRefusal(
      await file('weights.h5', await hdf5({ x: ramp(2) })),
      'MODEL_UNSUPPORTED',
      /weights without the model/,
    );
  });
});
