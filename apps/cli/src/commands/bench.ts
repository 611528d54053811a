import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RiverrunError } from '#domain/errors';
import { examples, type AddCommand } from '../arguments.js';

/** Apps never import tests: a process of its own, which a benchmark wants anyway. */
const BENCH = fileURLToPath(new URL('../../../../test/bench/main.js', import.meta.url));

export const addBench: AddCommand = (parent, done) => {
  parent
    .command('bench')
    .description('measure this machine (what npm run bench does)')
    .argument('[args...]', 'handed on to the benchmark')
    .allowUnknownOption()
    .addHelpText('after', examples('riverrun bench'))
    .action(async (args: string[]) => {
      if (!existsSync(BENCH))
        throw new RiverrunError(
          'BENCH_MISSING',
          'the benchmark is not built in this installation: run npm run build in a checkout',
        );
      const child = spawn(process.execPath, [BENCH, ...args], { stdio: 'inherit' });
      done(
        await new Promise<number>((resolve, reject) => {
          child.on('error', reject);
          child.on('exit', (code) => resolve(code ?? 1));
        }),
      );
    });
};
