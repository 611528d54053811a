/** Starts the built service as a user would, in a process and a data folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The mutation tests run another build. */
const BUILD = process.env.RIVERRUN_TEST_BUILD ?? fileURLToPath(new URL('../../dist', import.meta.url));
const MAIN = join(BUILD, 'apps/predictor/src/main.js');

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'riverrun-test-'));

export class Service {
  readonly dataDir: string;
  url = '';
  output = '';
  private child: ChildProcess | undefined;
  private exited: Promise<number | null> = Promise.resolve(null);

  constructor(private readonly env: Record<string, string> = {}) {
    this.dataDir = env.RIVERRUN_DATA_DIR ?? temporaryFolder();
  }

  get pid(): number {
    return this.child!.pid!;
  }

  /** Resolves, with its exit code (null after a signal), once it is gone. */
  get ended(): Promise<number | null> {
    return this.exited;
  }

  /** Resolves once it listens; rejects with what it printed if it exits instead. */
  async start(): Promise<this> {
    const child = this.spawn();
    const listening = new Promise<string>((resolve) => {
      for (const stream of [child.stdout!, child.stderr!])
        stream.on('data', () => {
          const match = /is at (http:\/\/[^"\s]+)/.exec(this.output);
          if (match !== null) resolve(match[1].replace('[::1]', 'localhost'));
        });
    });
    const ended = this.exited.then((code) => {
      throw new Error(`the service exited with ${code}: ${this.output}`);
    });
    this.url = await Promise.race([listening, ended]);
    ended.catch(() => undefined);
    return this;
  }

  /** Starts it and waits for its end; for starts that must fail. */
  async startAndFail(): Promise<{ code: number | null; output: string }> {
    this.spawn();
    return { code: await this.exited, output: this.output };
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    this.child!.kill(signal);
    return this.exited;
  }

  /** Kills what still runs and removes the data folder. */
  async end(): Promise<void> {
    if (this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null)
      await this.kill('SIGKILL');
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async post(
    body: string | Uint8Array,
    { type = 'application/json', path = '/ticks' } = {},
  ): Promise<{ status: number; text: string; json: unknown }> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      body: body as NonNullable<RequestInit['body']>,
      headers: { 'content-type': type },
    });
    const text = await response.text();
    return {
      status: response.status,
      text,
      json: text.startsWith('{') && !text.trim().includes('\n') ? (JSON.parse(text) as unknown) : undefined,
    };
  }

  async get(path: string): Promise<{ status: number; json: Record<string, unknown> }> {
    const response = await fetch(this.url + path);
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }

  private spawn(): ChildProcess {
    this.output = '';
    const child = spawn(process.execPath, [MAIN], {
      env: {
        PATH: process.env.PATH,
        PORT: '0',
        RIVERRUN_DEMO: 'off',
        RIVERRUN_RETRAIN_INTERVAL: 'off',
        RIVERRUN_DEFAULT_MODEL: 'off',
        ...this.env,
        RIVERRUN_DATA_DIR: this.dataDir,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.exited = new Promise((resolve) => child.on('exit', resolve));
    this.child = child;
    return child;
  }
}
