import { describe, expect, it } from 'vitest';
import { gaussian, seededRandom } from './random.js';
import { train } from './train.js';

describe('an input that is known ahead', () => {
  it.each([0.3, 0.08])(
    'is what a network foresees by, up at a share of %d',
    async (share) => {
      const random = seededRandom(11);
      const n = 600;
      const flag = Array.from({ length: n + 2 }, () => Number(random() < share));
      const value = flag.map((up) => 50 + 10 * up + 0.5 * gaussian(random));
      const windowOf = (columns: (t: number) => number[]): Float64Array =>
        Float64Array.from(Array.from({ length: n }, (_, t) => [60_000 * t, value[t], ...columns(t)]).flat());
      const common = { horizon: 2, season: 0, timeZone: 'UTC', level: 0.9, cell: 'gru', hidden: 16, seed: 1 } as const;
      const maeOf = async (inputs: number, columns: (t: number) => number[]): Promise<number> => {
        const { record } = await train({ windows: [windowOf(columns)], inputs, ...common });
        return record.validation.networkMae!;
      };
      const now = await maeOf(2, (t) => [flag[t]]);
      const ahead = await maeOf(4, (t) => [flag[t], flag[t + 1], flag[t + 2]]);
      expect(ahead).toBeLessThan(0.5 * now);
    },
    60_000,
  );
});
