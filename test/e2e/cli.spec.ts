/** `riverrun` as a process: help, mistakes, settings, and how it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli, startCli } from '../support/run-cli.js';

const COMMANDS = [
  'serve',
  'pipe',
  'replay',
  'model',
  'model ls',
  'model show',
  'model import',
  'model export',
  'model activate',
  'model promote',
  'model canary',
  'model rollback',
  'train',
  'trace',
  'state',
  'state ls',
  'state show',
  'state reset',
  'state export',
  'state import',
  'audit',
  'prove',
  'repartition',
  'config',
  'config check',
  'config print',
  'bench',
];
const folder = mkdtempSync(join(tmpdir(), 'riverrun-cli-'));

/** One line on stderr, nothing on stdout, no stack. */
async function complains(
  args: readonly string[],
  code: number,
  text: RegExp,
  env: Record<string, string> = {},
): Promise<void> {
  const finished = await runCli(args, { env });
  expect(finished.stderr, args.join(' ')).toMatch(/^riverrun: [^\n]+\n$/);
  expect(finished.stderr).toMatch(text);
  expect(finished.stdout).toBe('');
  expect(finished.code, args.join(' ')).toBe(code);
}

describe('riverrun', () => {
  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('has help with examples for every command', async () => {
    const main = await runCli(['--help']);
    for (const command of COMMANDS) if (!command.includes(' ')) expect(main.stdout).toContain(`  ${command}`);
    expect(main.stdout).toContain('Examples:');
    const helps = await Promise.all(COMMANDS.map((command) => runCli([...command.split(' '), '--help'])));
    helps.forEach(({ code, stdout, stderr }, i) => {
      expect(stdout, COMMANDS[i]).toMatch(new RegExp(`^Usage: riverrun ${COMMANDS[i]}`));
      expect(stdout, COMMANDS[i]).toMatch(/Examples?:\n {2}\$ /);
      expect([code, stderr]).toEqual([0, '']);
    });
  });

  it('answers what it does not know with one line and exit code 2', async () => {
    await Promise.all([
      complains([], 2, /no command given/),
      complains(['prophesy'], 2, /unknown command 'prophesy'/),
      complains(['backtest', 'x.csv', '--json'], 2, /--time-column/),
      complains(['replya'], 2, /Did you mean replay/),
      complains(['--frobnicate'], 2, /unknown option '--frobnicate'/),
      complains(['model'], 2, /no command given/),
      complains(['model', 'sell'], 2, /unknown command 'sell'/),
      complains(['model', 'ls', '--jsno'], 2, /unknown option '--jsno'.*--json/),
      complains(['model', 'show', 'a b'], 2, /NAME@VERSION/),
      complains(['model', 'show', 'x@0'], 2, /NAME@VERSION/),
      complains(['model', 'export', 'x', 'x.bin'], 2, /\.json/),
      complains(['model', 'import', 'x.keras', '--name', '../up'], 2, /a-z/),
      complains(['state', 'ls', '--limit', '0'], 2, /--limit/),
      complains(['state', 'export'], 2, /missing required argument/),
      complains(['state', 'import', 'x', '--partitioner', 'map'], 2, /--map FILE/),
      complains(['state', 'reset'], 2, /either a stream, or --topic/),
      complains(['repartition'], 2, /RIVERRUN_MODE=distributed/),
      complains(['audit'], 2, /RIVERRUN_MODE=distributed/),
      complains(['prove', 's1', 'x'], 2, /Expected an integer/),
      complains(['trace'], 2, /either a stream/),
      complains(['trace', 's', '--tokens', 'a'], 2, /--model/),
      complains(['trace', '--model', 'm'], 2, /--tokens or --values/),
      complains(['trace', '--model', 'm', '--values', '1,x'], 2, /1,2,3/),
      complains(['serve', 'now'], 2, /argument/),
    ]);
  });

  it('names the setting that is wrong, with exit code 2', async () => {
    const env = { RIVERRUN_MODE: 'sideways' };
    await Promise.all([
      complains(['pipe'], 2, /CONFIG: RIVERRUN_MODE="sideways"/, env),
      complains(['model', 'ls'], 2, /CONFIG: RIVERRUN_MODE="sideways"/, env),
      complains(['config', 'print'], 2, /CONFIG: RIVERRUN_MODE="sideways"/, env),
    ]);
  });

  it('checks the settings: all mistakes, one a line', async () => {
    const good = await runCli(['config', 'check'], { env: { RIVERRUN_TYPO: '1' } });
    expect(good).toMatchObject({ code: 0, stdout: 'the settings are valid\n' });
    expect(good.stderr).toContain('RIVERRUN_TYPO');
    const bad = await runCli(['config', 'check', '--json'], { env: { PORT: 'x', RIVERRUN_ROLE: 'king' } });
    expect(bad.code).toBe(2);
    expect(bad.stderr.trim().split('\n')).toHaveLength(2);
    expect((JSON.parse(bad.stdout) as { problems: string[] }).problems).toHaveLength(2);
  });

  it('prints settings that can be read back, and no secret', async () => {
    const env = { PORT: '4321', RIVERRUN_ADMIN_TOKEN: 'hush-hush' };
    const { code, stdout } = await runCli(['config', 'print'], { env });
    expect(code).toBe(0);
    expect(stdout).not.toContain('hush');
    expect(parse(stdout)).toMatchObject({ port: 4321, adminToken: '***' });
    const file = join(folder, 'riverrun.yaml');
    writeFileSync(file, stdout.replace(/^adminToken.*\n/m, ''));
    const again = await runCli(['config', 'print', '--json'], { env: { RIVERRUN_CONFIG: file } });
    expect(JSON.parse(again.stdout)).toMatchObject({ port: 4321 });
  });

  it('ends quietly when the reader of its output is gone', async () => {
    for (const args of [['--help'], ['config', 'print'], ['model', 'import', '--help']]) {
      const child = startCli(args);
      child.stdout!.destroy();
      let errors = '';
      child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()));
      expect(await once(child, 'close'), args.join(' ')).toEqual([0, null]);
      expect(errors).toBe('');
    }
  });

  it('says when there is no service', async () => {
    const url = ['--url', 'http://127.0.0.1:1'];
    await Promise.all([
      complains(['state', 'ls', ...url], 1, /UNREACHABLE: no service answers at http:\/\/127\.0\.0\.1:1 /),
      complains(['trace', 's', ...url], 1, /UNREACHABLE/),
      complains(['state', 'reset', 's', ...url], 1, /UNREACHABLE/),
    ]);
  });

  it('starts the service: its settings, its exit code', async () => {
    const { code, stderr } = await runCli(['serve'], { env: { RIVERRUN_ROLE: 'king' } });
    expect(code).toBe(2);
    expect(stderr).toContain('RIVERRUN_ROLE');
  });

  it('works behind npx-like links and from any folder', async () => {
    const child = spawn('sh', ['-c', `cd / && "${process.execPath}" "${process.cwd()}/bin/riverrun.js" --version`]);
    expect(await once(child, 'close')).toEqual([0, null]);
  });
});
