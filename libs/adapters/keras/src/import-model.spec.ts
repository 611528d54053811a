import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RiverrunError } from '#domain/errors';
import { modelFolder } from '../testing/files.js';
import { importModel } from './import-model.js';
import { readModel } from './read-model.js';

const file = modelFolder();
const fixture = async (name: string): Promise<Buffer> =>
  gunzipSync(await readFile(new URL(`../../../../test/fixtures/models/${name}.gz`, import.meta.url)));

describe('the thread that imports', () => {
  it('gives the very same as reading here', async () => {
    const path = await file('model.keras', await fixture('keras3-text.keras'));
    expect(await importModel(path)).toEqual(await readModel(path));
  });

  it('passes a refusal on', async () => {
    const path = await file('link.h5', await fixture('hostile-external-link.h5'));
    await expect(importModel(path)).rejects.toMatchObject({
      name: 'RiverrunError',
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/a link to another file/) as string,
    });
  });

  it('is ended when a damaged file keeps the HDF5 library going round in circles', async () => {
    const path = await file('endless.h5', await fixture('hostile-endless.h5'));
    await expect(importModel(path, { timeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: '"endless.h5" is damaged: reading it does not come to an end',
    });
  });

  it('gives an error or a model for a file damaged anywhere, never a crash', async () => {
    const whole = await fixture('keras3-embedding.h5');
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 20 }), async (changes) => {
        const damaged = Buffer.from(whole);
        for (const [at, value] of changes) damaged[at] = value;
        const path = await file('damaged.h5', damaged);
        const outcome = await importModel(path, { timeoutMs: 5_000 }).catch((error: unknown) => error);
        if (!(outcome instanceof Error)) return;
        expect(outcome).toBeInstanceOf(RiverrunError);
        expect(outcome.message).not.toMatch(/\n/);
      }),
      { numRuns: 25 },
    );
  });
});
