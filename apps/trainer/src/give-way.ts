/** Ticks come first: everything else that wants to run does so before this process. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** `idle`: runs only when nothing else wants to. Threads that begin later inherit it. A priority that is not to be had is no reason not to train. */
export function giveWay(idle: boolean): void {
  const { PRIORITY_LOW } = constants.priority;
  try {
    // On Linux each thread has a priority of its own, and Node has begun some already.
    const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [process.pid];
    for (const thread of threads) setPriority(thread, PRIORITY_LOW);
  } catch {
    // As it is, then.
  }
  // The lowest niceness still lets a tick wait for the end of a time slice, 3 ms; SCHED_IDLE does not. Where there is no chrt it stays at that.
  if (idle && process.platform === 'linux')
    spawnSync('chrt', ['--all-tasks', '--idle', '--pid', '0', String(process.pid)], { stdio: 'ignore' });
}
