/** Takes one safeguard after the other out of a copy of the build and runs the fault test that has to notice. Arguments: names to choose from, else all. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MUTATIONS } from './mutations.mjs';

const root = resolve(import.meta.dirname, '../../..');
const chosen = process.argv.slice(2);
const survivors = [];
for (const { name, edits, spec, test } of MUTATIONS) {
  if (chosen.length > 0 && !chosen.some((part) => name.includes(part))) continue;
  const folder = mkdtempSync(join(tmpdir(), 'riverrun-mutant-'));
  try {
    cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
    cpSync(join(root, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const [file, before, after] of edits) {
      const path = join(folder, 'dist', file);
      const text = readFileSync(path, 'utf8');
      if (text.split(before).length !== 2) throw new Error(`${name}: ${file} does not hold once: ${before}`);
      writeFileSync(
        path,
        text.replace(before, () => after),
      );
    }
    const args = ['node_modules/vitest/vitest.mjs', 'run', `test/faults/${spec}.spec.ts`, '-t', test];
    const env = { ...process.env, RIVERRUN_TEST_BUILD: join(folder, 'dist'), REQUIRE_SERVERS: '1', NO_COLOR: '1' };
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' });
    const counted = /(\d+) passed, (\d+) failed/.exec(stdout);
    const red = status !== 0 && counted !== null && Number(counted[2]) > 0;
    const why = /Error: (.*)\n/.exec(stderr)?.[1].trim() ?? '';
    console.log(`${red ? 'noticed ' : 'SURVIVED'}  ${name}  (${spec}: ${test})  ${red ? why : ''}`);
    if (!red) survivors.push(name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
process.exitCode = survivors.length === 0 ? 0 : 1;
