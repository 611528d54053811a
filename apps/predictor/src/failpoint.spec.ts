import { expect, it, vi } from 'vitest';
import { createFailpoint } from './failpoint.js';

it('kills once, at the passing it is told', () => {
  const kill = vi.fn();
  const onStep = createFailpoint('after-save:2', kill)!;
  for (const step of ['after-save', 'before-save'] as const) onStep(step);
  expect(kill).not.toHaveBeenCalled();
  onStep('after-save');
  onStep('after-save');
  expect(kill).toHaveBeenCalledOnce();
});

it('is not there unless it is asked for, and refuses unknown steps', () => {
  expect(createFailpoint(undefined)).toBeUndefined();
  expect(() => createFailpoint('after-lunch')).toThrow('the steps are after-load');
});
