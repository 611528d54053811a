import type { Reporter, TestModule } from 'vitest/node';

/** Ends the run with the one line that scripts read: `N passed, N failed, N skipped`. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 };
    const flaky: string[] = [];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        counts[test.result().state] += 1;
        if (test.diagnostic()?.flaky === true) flaky.push(test.fullName);
      }
      // A file that fails outside its tests (an import, a hook) has no failed test to show for it.
      if (module.state() === 'failed' && module.errors().length > 0) counts.failed += 1;
    }
    process.on('exit', () => {
      for (const name of flaky) process.stdout.write(`passed at the second try only: ${name}\n`);
      process.stdout.write(
        `\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped + counts.pending} skipped\n`,
      );
    });
  }
}
