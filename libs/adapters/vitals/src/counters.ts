/** What the machine counts: read here, turned into vital signs in vitals-sampler.ts. Nothing throws: what cannot be read is absent. */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, freemem, loadavg, totalmem } from 'node:os';

/** Totals since boot, and levels at this moment. */
export interface Counters {
  /** ms, monotonic */
  readonly at: number;
  readonly cpuBusy?: number | undefined;
  readonly cpuTotal?: number | undefined;
  readonly memoryUsed?: number | undefined;
  readonly load?: number | undefined;
  readonly rxBytes?: number | undefined;
  readonly txBytes?: number | undefined;
  readonly readBytes?: number | undefined;
  readonly writtenBytes?: number | undefined;
}

export interface Machine {
  readonly platform: string;
  readText(path: string): string;
  now(): number;
  /** Names of whole disks; partitions and disks made of others would count twice. */
  readonly disks: ReadonlySet<string>;
}

export const thisMachine = (): Machine => ({
  platform: process.platform,
  readText: (path) => readFileSync(path, 'latin1'),
  now: () => performance.now(),
  disks: wholeDisks(),
});

export function readCounters(machine: Machine): Counters {
  const linux = machine.platform === 'linux';
  return {
    at: machine.now(),
    ...((linux ? attempt(() => linuxCpu(machine)) : undefined) ?? attempt(osCpu)),
    memoryUsed:
      (linux ? attempt(() => linuxMemory(machine)) : undefined) ?? attempt(() => 100 * (1 - freemem() / totalmem())),
    // Windows has no load average; Node says 0 there.
    load: machine.platform === 'win32' ? undefined : attempt(() => loadavg()[0]),
    ...(linux ? attempt(() => linuxNetwork(machine)) : undefined),
    ...(linux ? attempt(() => linuxDisks(machine)) : undefined),
  };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function linuxCpu(machine: Machine): Pick<Counters, 'cpuBusy' | 'cpuTotal'> | undefined {
  // user nice system idle iowait irq softirq steal; guest time is already part of user time.
  const text = machine.readText('/proc/stat');
  const times = text.slice(0, text.indexOf('\n')).split(/\s+/).slice(1, 9).map(Number);
  const cpuTotal = times.reduce((sum, time) => sum + time, 0);
  return Number.isFinite(cpuTotal) && times.length >= 4
    ? { cpuTotal, cpuBusy: cpuTotal - times[3] - (times[4] ?? 0) }
    : undefined;
}

function osCpu(): Pick<Counters, 'cpuBusy' | 'cpuTotal'> | undefined {
  const cores = cpus();
  if (cores.length === 0) return undefined;
  let [cpuTotal, idle] = [0, 0];
  for (const { times } of cores) {
    cpuTotal += times.user + times.nice + times.sys + times.idle + times.irq;
    idle += times.idle;
  }
  return { cpuTotal, cpuBusy: cpuTotal - idle };
}

function linuxMemory(machine: Machine): number | undefined {
  const text = machine.readText('/proc/meminfo');
  const total = Number(/^MemTotal:\s+(\d+)/m.exec(text)?.[1]);
  const available = Number(/^MemAvailable:\s+(\d+)/m.exec(text)?.[1]);
  return total > 0 && available >= 0 ? 100 * (1 - available / total) : undefined;
}

function linuxNetwork(machine: Machine): Pick<Counters, 'rxBytes' | 'txBytes'> | undefined {
  let [rxBytes, txBytes, interfaces] = [0, 0, 0];
  for (const line of machine.readText('/proc/net/dev').split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0 || line.slice(0, colon).trim() === 'lo') continue;
    const counts = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    rxBytes += Number(counts[0]);
    txBytes += Number(counts[8]);
    interfaces++;
  }
  return interfaces > 0 ? { rxBytes, txBytes } : undefined;
}

/** The kernel counts in sectors of 512 bytes, whatever the disk's own are. */
const SECTOR = 512;

function linuxDisks(machine: Machine): Pick<Counters, 'readBytes' | 'writtenBytes'> | undefined {
  let [readBytes, writtenBytes, disks] = [0, 0, 0];
  for (const line of machine.readText('/proc/diskstats').split('\n')) {
    const counts = line.trim().split(/\s+/);
    if (!machine.disks.has(counts[2])) continue;
    readBytes += Number(counts[5]) * SECTOR;
    writtenBytes += Number(counts[9]) * SECTOR;
    disks++;
  }
  return disks > 0 ? { readBytes, writtenBytes } : undefined;
}

function wholeDisks(): ReadonlySet<string> {
  const names = attempt(() => readdirSync('/sys/block')) ?? [];
  return new Set(names.filter((name) => !/^(loop|ram|zram|dm-|md|sr|fd)/.test(name)));
}
