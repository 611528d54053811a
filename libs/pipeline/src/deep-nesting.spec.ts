import { describe, expect, it } from 'vitest';
import { TestPipeline } from '../../../test/support/pipelines.js';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
describe('a record that would stop the log', () => {
  for (const field of ['control', 'value', 'ts', 'stream', 'values', 'token'])
    it(`deep nesting in ${field}`, async () => {
      const p = await new TestPipeline().open();
      const out = await p.feed({ stream: 's', value: 1 }, `{"stream":"s","${field}":${nested(200_000)}}`, {
        stream: 's',
        value: 2,
      });
      expect(out[1].code ?? 'ok').toMatch(/MALFORMED|VALUE|TIMESTAMP|STREAM_ID|KEY_MISMATCH|TOKEN|ok/);
      expect(out[2].json).toBeDefined();
    });
});
