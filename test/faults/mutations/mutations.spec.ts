/** The long run takes safeguards out of the build; here is seen that each is still where it is looked for. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface Mutation {
  readonly name: string;
  readonly edits: readonly (readonly [file: string, before: string, after: string])[];
}
const { MUTATIONS } = (await import(new URL('mutations.mjs', import.meta.url).href)) as {
  readonly MUTATIONS: readonly Mutation[];
};

it.each(MUTATIONS)('$name: applies to the build', ({ edits }) => {
  for (const [file, before] of edits) {
    const text = readFileSync(new URL(`../../../dist/${file}`, import.meta.url), 'utf8');
    expect(text.split(before).length, file).toBe(2);
  }
});
