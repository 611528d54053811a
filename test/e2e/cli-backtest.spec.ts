/** `riverrun backtest` as a process. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../support/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'riverrun-backtest-'));
const file = join(folder, 'load.csv');
const rows = Array.from({ length: 900 }, (_, t) => {
  const value = 100 + 20 * Math.sin((2 * Math.PI * t) / 24) + 3 * Math.sin(t * t);
  return `${new Date(Date.UTC(2024, 0, 1, t)).toISOString()},${value.toFixed(3)}`;
});
writeFileSync(file, ['time,load', ...rows].join('\n'));
const basic = ['backtest', file, '--time-column', 'time', '--value-column', 'load', '--hidden', '8'];

describe('riverrun backtest', { timeout: 60_000 }, () => {
  it('prints one JSON document, and draws', async () => {
    const svg = join(folder, 'plot.svg');
    const args = [...basic, '--horizon', '2', '--evaluate-from', '600', '--plot', svg, '--json'];
    const { code, stdout } = await runCli(args);
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as Record<string, unknown> & { metrics: Record<string, Record<string, number>> };
    expect(result).toMatchObject({ dataset: 'load', rows: 900, evaluated: 300, horizon: 2, season: 24 });
    expect(['difference', 'log', 'none']).toContain(result.transform);
    expect(Object.keys(result.metrics)).toEqual(['model', 'persistence', 'seasonalNaive', 'statistical']);
    for (const block of Object.values(result.metrics))
      for (const name of ['mae', 'rmse', 'wape', 'nrmse', 'mase']) expect(block[name]).toBeGreaterThan(0);
    expect(result.metrics.model.coverage).toBeGreaterThan(0.5);
    expect(readFileSync(svg, 'utf8')).toContain('</svg>');
  });

  it('prints a table, names bad rows and arguments, and says what to do where nothing was scored', async () => {
    writeFileSync(join(folder, 'bad.csv'), ['time,load', ...rows.slice(0, 700), 'nonsense,1'].join('\n'));
    const bad = [...basic];
    bad[1] = join(folder, 'bad.csv');
    const some = await runCli([...bad, '--evaluate-from', '600', '--retrain-every', '0']);
    expect(some.code).toBe(3);
    expect(some.stdout).toMatch(/100 of 700 rows scored.*\n +MAE/);
    expect(some.stderr).toContain('"line":702');
    const none = await runCli(basic);
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/lower --evaluate-from/);
    expect((await runCli([...basic, '--season', '1'])).code).toBe(2);
    expect((await runCli([...basic, '--transform', 'sqrt'])).code).toBe(2);
  });
});
