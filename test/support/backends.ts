/** Specs of training, once for each backend of TensorFlow.js. */
import { beforeEach, describe } from 'vitest';
import { BACKENDS, useBackend, type Backend } from '#training/backend';

/**
 * `describe` on each backend; await it at the top level. The native one is skipped where it does not work, and the reason is printed; with
 * REQUIRE_NATIVE=1 its tests fail with the reason, as the others' always do.
 */
export async function describeOnEachBackend(name: string, tests: (backend: Backend) => void): Promise<void> {
  for (const backend of BACKENDS) {
    const title = `${name} on ${backend}`;
    const reason = await useBackend([backend]).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    if (backend === 'tensorflow' && reason !== undefined && process.env.REQUIRE_NATIVE !== '1') {
      console.warn(`${title}: skipped, npm run tfjs-node:build has not been run, or not here: ${reason}`);
      describe.skip(`${title} (skipped: npm run tfjs-node:build)`, () => tests(backend));
    } else {
      describe(title, () => {
        // Before each, not once: of a hook that failed once vitest would call the tests skipped.
        beforeEach(async () => {
          await useBackend([backend]);
        });
        tests(backend);
      });
    }
  }
}
