/** Running programs to their end, and finding out whether they are there. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Stdout and stderr of a program that ends well; otherwise an Error with what it printed. `timeout` in ms. */
export function run(command: string, args: readonly string[], { timeout = 60_000, cwd = '.' } = {}): Promise<string> {
  return new Promise((resolve, reject) =>
    execFile(command, args, { timeout, cwd, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout + stderr);
      else reject(new Error(`${command} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`));
    }),
  );
}

export const isOnPath = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** What is called once a condition holds; asks again every 50 ms. Error `what` after `timeout` ms. */
export async function waitUntil(what: string, holds: () => Promise<boolean> | boolean, timeout: number): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
