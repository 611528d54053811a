/** Who holds a lock, told so that another process can see whether the holder still lives, even if its pid has been given out again. */
import * as fs from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in ticks since boot; null where the system does not tell. */
  readonly started: string | null;
  /** What pids mean anything in: the boot and the pid namespace (a container has its own), or the host's name. */
  readonly world: string;
}

export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, started: startOf(process.pid), world: world() };
}

/** Whether the process lives; undefined if it is of another container or machine, which cannot be seen from here. */
export function isAlive({ pid, started, world: theirs }: ProcessIdentity): boolean | undefined {
  if (theirs !== world()) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return started === null || startOf(pid) === started;
}

/** Field 22 of /proc/<pid>/stat; field 2 may hold anything, so count from its closing parenthesis. */
function startOf(pid: number): string | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A killed process that nobody has waited for holds nothing any more.
    return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function world(): string {
  try {
    return `${fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${fs.readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}
