import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeOnEachBackend } from '../../../test/support/backends.js';
import { Learner } from './learner.js';
import { gaussian, seededRandom } from './random.js';
import { initialWeights, networkSpec } from './recurrent-network.js';

const BURN_IN = 8;

await describeOnEachBackend('the learner', () => {
  it('learns nothing from steps that do not count, and from each that does', () => {
    const cases = fc.record({
      cell: fc.constantFrom('simple-rnn', 'gru', 'lstm'),
      size: fc.integer({ min: 1, max: 6 }),
      units: fc.integer({ min: 1, max: 11 }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(cases, ({ cell, size, units, seed }) => {
        const random = seededRandom(seed);
        const steps = BURN_IN + 4;
        const numbers = (length: number): Float32Array => Float32Array.from({ length }, () => gaussian(random));
        const spec = networkSpec(cell, 2, units);
        const start = initialWeights(spec, seed).map((part) => numbers(part.length));
        const [inputs, targets] = [numbers(steps * size * 2), numbers(steps * size)];
        const counts = targets.map((_, i) => (i >= BURN_IN * size && random() < 0.6 ? 1 : 0));
        counts[BURN_IN * size] = 1;
        const learnt = (changed: (i: number) => boolean): { losses: number[]; weights: Float32Array[] } => {
          const learner = new Learner(cell, spec, start, 0.01, { burnIn: BURN_IN, huber: 0.5, weightDecay: 0 });
          const moved = targets.map((y, i) => (changed(i) ? y + 3 : y));
          // Twice: Adam's first step hardly depends on more than the gradient's signs.
          const losses = [1, 2].map(() => learner.learn({ steps, size, inputs, targets: moved, counts }));
          const weights = learner.weights();
          learner.dispose();
          return { losses, weights };
        };
        const first = learnt(() => false);
        expect(first.weights).not.toEqual(start);
        expect(learnt((i) => counts[i] === 0)).toEqual(first);
        const one = counts.lastIndexOf(1);
        // Where every error is large and has the same sign, two steps of Adam may lead to the same weights; the loss tells.
        expect(learnt((i) => i === one)).not.toEqual(first);
      }),
      { numRuns: 30 },
    );
  });

  it('takes from the recurrent matrices alone, and less as the rate falls', () => {
    const random = seededRandom(1);
    const spec = networkSpec('lstm', 2, 5);
    const numbers = (length: number): Float32Array => Float32Array.from({ length }, () => gaussian(random));
    const start = initialWeights(spec, 1).map((part) => numbers(part.length));
    const [inputs, targets] = [numbers(12 * 2), numbers(12)];
    const batch = { steps: 12, size: 1, inputs, targets, counts: targets.map((_, i) => Number(i >= BURN_IN)) };
    const learnt = (weightDecay: number, share: number): Float32Array[] => {
      const learner = new Learner('lstm', spec, start, 0.01, { burnIn: BURN_IN, huber: 0.5, weightDecay });
      learner.setRate(0.01 * share);
      learner.learn(batch);
      const weights = learner.weights();
      learner.dispose();
      return weights;
    };
    for (const share of [1, 0.25]) {
      const [decayed, whole] = [learnt(0.1, share), learnt(0, share)];
      // Kernel, recurrent kernel, bias; the read-out's kernel and bias.
      for (const [part, kept] of [1 - 0.1 * share, 1 - 0.1 * share, 1, 1, 1].entries())
        decayed[part].forEach((w, i) => expect(w).toBeCloseTo(kept * whole[part][i], 6));
    }
  });
});
