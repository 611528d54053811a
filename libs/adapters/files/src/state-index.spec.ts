import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FileStateStore } from './file-state-store.js';

it('binds no handle to ids that are merely asked about', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'riverrun-index-'));
  const store = new FileStateStore(folder);
  await store.open();
  for (let n = 0; n < 100; n++) await store.load([`ghost ${n}`, `ghost ${n + 1}`], { storedOnly: true });
  // Handles are given out from 0 on.
  expect((await store.load(['first'])).handles).toEqual(Int32Array.of(0));
  await store.close();
  rmSync(folder, { recursive: true });
});
