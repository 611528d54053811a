import { describe, expect, it } from 'vitest';
import { isInShare } from '#pipeline/stream-table';
import { whatServes } from './what-serves.js';

const ids = Array.from({ length: 100 }, (_, k) => `s${k}`);
const inside = ids.find((id) => isInShare(id, 0.4))!;
const outside = ids.find((id) => !isInShare(id, 0.4))!;
const canary = { stream: inside, model: 'm@3', canary: 0.4 };
const WITH_CANARY = whatServes('m@1', canary)!;

describe('what serves', () => {
  it('is what the outcome says, and what was before where it does not tell', () => {
    expect(whatServes(null, { stream: outside, model: 'm@1' })).toBe('m@1');
    expect(whatServes('m@1', { stream: outside, model: 'm@2' })).toBe('m@2');
    expect(whatServes('m@1', { stream: outside, model: null })).toBe('m@1');
    expect(whatServes('m@1', {})).toBe('m@1');
    expect(WITH_CANARY).toContain('m@1');
    expect(WITH_CANARY).toContain('m@3');
  });

  it('has the canary until one of its own streams, or the canary as champion, says otherwise', () => {
    expect(whatServes(WITH_CANARY, { stream: outside, model: 'm@1' })).toBe(WITH_CANARY);
    expect(whatServes(WITH_CANARY, { stream: inside, model: 'm@1' })).toBe('m@1');
    expect(whatServes(WITH_CANARY, { stream: outside, model: 'm@3' })).toBe('m@3');
  });

  it('has the champion that changed together with the canary, as the next of its outcomes says', () => {
    const both = whatServes(whatServes('m@2', { stream: outside, model: 'm@2' }), canary);
    const later = [undefined, { stream: inside, model: 'm@3', canary: 0.4 }, { stream: outside, model: 'm@2' }];
    expect(whatServes('m@1', canary, later)).toBe(both);
    // What was known goes on, and one that the canary has become by then tells nothing.
    expect(whatServes(WITH_CANARY, canary, later)).toBe(WITH_CANARY);
    expect(whatServes('m@1', canary, [{ stream: outside, model: 'm@3' }])).toBe(WITH_CANARY);
    expect(whatServes('m@1', canary, [])).toBe(WITH_CANARY);
  });
});
