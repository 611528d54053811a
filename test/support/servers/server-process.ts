/** One server as a child process with a data folder of its own: it can be killed, held, started again on its data, and it never outlives its parent. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from './programs.js';

const START_TIMEOUT = 90_000;
const STOP_TIMEOUT = 60_000;

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Whether it serves. A rejection counts as no. */
  readonly isReady: () => Promise<boolean>;
}

/** What a test does with a server of its own. */
export interface Control {
  readonly process: ServerProcess;
  /** SIGKILL and SIGTERM resolve once it is gone; SIGSTOP holds it, SIGCONT lets it go on. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** On the same port and data; a server that still runs is ended properly first. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export const controlOf = (server: ServerProcess): Control => ({
  process: server,
  kill: (signal) => server.kill(signal),
  restart: () => server.restart(),
  stop: () => server.stop(),
});

export const serverFolder = (name: string): string => mkdtempSync(join(tmpdir(), `riverrun-${name}-`));

export class ServerProcess {
  private child: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private guard: Guard | undefined;

  constructor(
    /** Data and log; removed by `stop`. */
    readonly folder: string,
    private readonly launch: Launch,
  ) {}

  /** Undefined while it is not running. */
  get pid(): number | undefined {
    return this.running ? this.child!.pid : undefined;
  }
  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves once it serves; an Error with the end of its log if it does not. */
  async start(): Promise<void> {
    const { command, args, isReady } = this.launch;
    const log = openSync(join(this.folder, 'server.log'), 'a');
    // A group of its own: Ctrl+C is for the test run, which then stops its servers.
    const child = spawn(command, args, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    let failure = '';
    child.once('error', (error) => (failure = error.message));
    this.child = child;
    this.exited = new Promise((resolve) => child.once('exit', () => resolve()));
    if (child.pid !== undefined) this.guard = new Guard(['kill', '-9', String(child.pid)], this.folder);
    try {
      await waitUntil(
        `${command} serves`,
        async () => {
          if (!this.running || failure !== '') throw new Error(`${command} ended at its start ${failure}`);
          return isReady().catch(() => false);
        },
        START_TIMEOUT,
      );
    } catch (error) {
      const lines = this.log().trimEnd().split('\n').slice(-20).join('\n');
      await this.stop();
      throw new Error(`${(error as Error).message}\n${lines}`, { cause: error });
    }
  }

  /** Sends the signal; after SIGKILL and SIGTERM resolves once the process is gone. SIGSTOP holds it, SIGCONT lets it go on. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (!this.running) return;
    this.child!.kill(signal);
    if (signal !== 'SIGKILL' && signal !== 'SIGTERM') return;
    const late = setTimeout(() => this.child!.kill('SIGKILL'), STOP_TIMEOUT);
    await this.exited;
    clearTimeout(late);
    this.guard?.dismiss();
  }

  /** Starts it again on its data and ports; ends it properly (SIGTERM) first if it still runs. */
  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    await this.start();
  }

  /** Kills it and removes its data. */
  async stop(): Promise<void> {
    await this.kill('SIGKILL');
    this.guard?.dismiss();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What it printed so far. */
  log(): string {
    return readFileSync(join(this.folder, 'server.log'), 'utf8');
  }
}

/** A process that waits for the end of ours, however it comes (SIGKILL too), and then runs a command and removes a folder. */
export class Guard {
  private readonly child: ChildProcess;

  constructor(command: readonly string[], folder?: string) {
    // Our end of its stdin closes when we are gone.
    const script = 'cat >/dev/null; folder=$1; shift; "$@"; [ -z "$folder" ] || rm -rf "$folder"';
    this.child = spawn('sh', ['-c', script, 'sh', folder ?? '', ...command], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.child.on('error', () => undefined);
    this.child.unref();
    (this.child.stdin as unknown as { unref(): void }).unref();
  }

  dismiss(): void {
    // The whole group: cat would go on reading.
    if (this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null)
      process.kill(-this.child.pid, 'SIGKILL');
  }
}
