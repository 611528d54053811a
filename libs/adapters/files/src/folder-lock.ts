/** One process at a time. A lock is a numbered file naming its holder; taking over from a dead one means creating the next number, which only one can.
 *  A holder in another container or on another machine cannot be looked up: it counts as alive while it touches its file. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { createExclusive } from './create-exclusive.js';
import { isAlive, ownIdentity, type ProcessIdentity } from './process-identity.js';

const HEARTBEAT_MS = 1000;
/** A holder that cannot be looked up is dead after so long without a heartbeat. */
const SILENT_MS = 5000;

export interface Holder {
  readonly identity: ProcessIdentity;
  readonly far: boolean;
}

export class FolderLock {
  private heartbeat: NodeJS.Timeout | undefined;

  private constructor(private readonly path: string) {
    this.heartbeat = setInterval(() => fs.utimes(path, new Date(), new Date(), () => undefined), HEARTBEAT_MS);
    this.heartbeat.unref();
  }

  /** The lock, or who has it. */
  static async take(folder: string): Promise<FolderLock | Holder> {
    const deadline = Date.now() + SILENT_MS + HEARTBEAT_MS;
    for (;;) {
      const holder = livingHolder(folder);
      if (holder !== undefined && !(holder.far && Date.now() < deadline)) return holder;
      const lock = holder === undefined ? tryTake(folder) : undefined;
      if (lock !== undefined) return new FolderLock(lock);
      // Another one was quicker, or is about to be; or a far holder may be silent for good.
      await new Promise((resolve) => setTimeout(resolve, 20 + 80 * Math.random()));
    }
  }

  release(): void {
    clearInterval(this.heartbeat);
    fs.rmSync(this.path, { force: true });
  }
}

/** Creates the next number; undefined if somebody else holds the lock after all. */
function tryTake(folder: string): string | undefined {
  const before = numbersIn(folder);
  const path = join(folder, `lock.${(before.at(-1) ?? 0) + 1}`);
  if (!createExclusive(path, JSON.stringify(ownIdentity()) + '\n')) return undefined;
  // Someone slower may have seen other numbers than we did: whoever sees the other alive steps back.
  if (livingHolder(folder, path) !== undefined) {
    fs.rmSync(path, { force: true });
    return undefined;
  }
  for (const number of before) fs.rmSync(join(folder, `lock.${number}`), { force: true });
  return path;
}

function livingHolder(folder: string, except?: string): Holder | undefined {
  for (const number of numbersIn(folder)) {
    const path = join(folder, `lock.${number}`);
    if (path === except) continue;
    const identity = readHolder(path);
    if (identity === undefined) continue;
    const alive = isAlive(identity);
    if (alive === true) return { identity, far: false };
    if (alive === undefined && silence(path) < SILENT_MS) return { identity, far: true };
  }
  return undefined;
}

function numbersIn(folder: string): number[] {
  const numbers = fs.readdirSync(folder).map((name) => /^lock\.(\d+)$/.exec(name)?.[1]);
  return numbers
    .filter((n) => n !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(fs.readFileSync(path, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

function silence(path: string): number {
  try {
    return Date.now() - fs.statSync(path).mtimeMs;
  } catch {
    return Infinity;
  }
}
