/** Runs the built command line as its users do: as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/riverrun.js', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
}

/** Without the settings of whoever runs the tests, and without the model that ships: what it says is not what most tests are about. */
export function startCli(args: readonly string[], { env = {}, cwd }: RunOptions = {}): ChildProcess {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(RIVERRUN_|KAFKA_|REDIS_|PORT$|LOG_LEVEL$|NODE_OPTIONS$)/.test(name),
    ),
  );
  return spawn(process.execPath, [BIN, ...args], {
    env: { ...clean, RIVERRUN_DEFAULT_MODEL: 'off', ...env },
    cwd,
    stdio: 'pipe',
  });
}

export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = startCli(args, options);
  const [stdout, stderr] = [collect(child.stdout!), collect(child.stderr!)];
  // A command that has had enough closes its input: not this side's error.
  child.stdin!.on('error', () => undefined);
  child.stdin!.end(options.input ?? '');
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...how) => resolve(how));
  });
  return { code, signal, stdout: stdout(), stderr: stderr() };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

/** Lines of NDJSON. */
export const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
