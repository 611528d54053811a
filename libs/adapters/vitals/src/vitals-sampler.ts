/** This machine's own vital signs, as streams of numbers. */
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { readCounters, thisMachine, type Counters, type Machine } from './counters.js';

export interface Vital {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** null where this sample says nothing: rates need a sample before. */
  readonly value: number | null;
}

/** How often the event loop's delay is looked at; the timer's own waiting is no delay. */
const RESOLUTION = 10;

/** Call `sample` as often as wanted (the demo does four times a second): rates and the loop's delay are over the time since the last call. */
export class VitalsSampler {
  private previous: Counters | undefined;
  private readonly loop: IntervalHistogram | undefined;
  private loopSum = 0;
  private loopCount = 0;

  constructor(private readonly machine: Machine = thisMachine()) {
    try {
      this.loop = monitorEventLoopDelay({ resolution: RESOLUTION });
      this.loop.enable();
    } catch {
      this.loop = undefined;
    }
  }

  /** Never throws; a vital sign this machine does not have is not in the list. */
  sample(): Vital[] {
    const { vitals, counters } = sampleVitals(this.previous, this.machine);
    this.previous = counters;
    return [
      ...vitals,
      ...this.loopDelay(),
      { id: 'process.memory', title: 'Memory of this process', unit: 'MB', value: residentMegabytes() },
    ];
  }

  close(): void {
    this.loop?.disable();
  }

  private loopDelay(): Vital[] {
    if (this.loop === undefined) return [];
    // Differences instead of reset(), which would hide a delay that begins right behind it.
    const { count, mean } = this.loop;
    const sum = count > 0 ? mean * count : 0;
    const delay = (sum - this.loopSum) / (count - this.loopCount) / 1e6 - RESOLUTION;
    [this.loopSum, this.loopCount] = [sum, count];
    return [
      {
        id: 'host.event_loop_delay',
        title: 'Event-loop delay',
        unit: 'ms',
        value: Number.isFinite(delay) ? Math.max(0, delay) : null,
      },
    ];
  }
}

/** The vital signs between the counters of the sample before and now. */
export function sampleVitals(
  previous?: Counters,
  machine: Machine = thisMachine(),
): { vitals: Vital[]; counters: Counters } {
  const counters = readCounters(machine);
  return { vitals: vitalsBetween(previous, counters), counters };
}

export function vitalsBetween(previous: Counters | undefined, now: Counters): Vital[] {
  const vitals: Vital[] = [];
  const add = (id: string, title: string, unit: string, there: number | undefined, value: number | null): void => {
    if (there !== undefined)
      vitals.push({ id, title, unit, value: value === null || Number.isFinite(value) ? value : null });
  };
  // A counter that went back belongs to an interface or disk that came or went.
  const growth = (key: keyof Counters): number | null => {
    const [from, to] = [previous?.[key], now[key]];
    return from === undefined || to === undefined || to < from ? null : to - from;
  };
  const seconds = (growth('at') ?? 0) / 1000;
  const rate = (key: keyof Counters): number | null => {
    const grown = growth(key);
    return grown === null || seconds <= 0 ? null : grown / seconds;
  };
  const [busy, total] = [growth('cpuBusy'), growth('cpuTotal')];
  // Ticks of the kernel's clock are 10 ms: two samples within one say nothing.
  add('host.cpu', 'CPU', '%', now.cpuTotal, busy === null || !total ? null : Math.min(100, (100 * busy) / total));
  add('host.memory', 'Memory used', '%', now.memoryUsed, now.memoryUsed ?? null);
  add('host.load', 'Load average, 1 minute', '', now.load, now.load ?? null);
  add('host.network.rx', 'Network received', 'B/s', now.rxBytes, rate('rxBytes'));
  add('host.network.tx', 'Network sent', 'B/s', now.txBytes, rate('txBytes'));
  add('host.disk.read', 'Disk read', 'B/s', now.readBytes, rate('readBytes'));
  add('host.disk.write', 'Disk written', 'B/s', now.writtenBytes, rate('writtenBytes'));
  return vitals;
}

function residentMegabytes(): number | null {
  try {
    return process.memoryUsage.rss() / 1e6;
  } catch {
    return null;
  }
}
