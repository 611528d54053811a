import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['apps/**/*.spec.ts', 'libs/**/*.spec.ts', 'test/**/*.spec.ts'],
    // Starts no server by itself: only when a spec asks for one.
    globalSetup: './test/support/servers/keeper.ts',
    // Real servers on a shared machine: CI tries a failed test once more, and names it. Here a failure is a failure.
    retry: process.env.CI === 'true' ? 1 : 0,
    testTimeout: 30_000,
    // A busy machine takes its time; what never comes fails all the same.
    expect: { poll: { timeout: 10_000 } },
    reporters: ['default', './test/support/summary-reporter.ts'],
  },
});
