import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Machine } from './counters.js';
import { sampleVitals, VitalsSampler, type Vital } from './vitals-sampler.js';

const machine = (files: Record<string, string>, at: number, platform = 'linux'): Machine => ({
  platform,
  now: () => at,
  disks: new Set(['sda', 'nvme0n1']),
  readText: (path) => {
    if (files[path] === undefined) throw new Error(`no ${path}`);
    return files[path];
  },
});
const linux = (idle: number, busy: number, rx: number, read: number): Record<string, string> => ({
  '/proc/stat': `cpu  ${busy} 0 0 ${idle} 0 0 0 0 ${busy} 0\ncpu0 1 2 3 4\n`,
  '/proc/meminfo': 'MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    250 kB\n',
  '/proc/net/dev': `Inter-|   Receive\n face |bytes\n    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n  eth0:${rx} 1 0 0 0 0 0 0 ${2 * rx} 1 0 0 0 0 0 0\n`,
  '/proc/diskstats': `   8 0 sda 1 1 ${read} 1 1 1 ${3 * read} 1 0 1 1\n   8 1 sda1 1 1 ${read} 1 1 1 9 1 0 1 1\n 252 0 dm-0 1 1 9 1 1 1 9 1 0 1 1\n`,
});
const byId = (vitals: Vital[]): Record<string, number | null> =>
  Object.fromEntries(vitals.map(({ id, value }) => [id, value]));

describe('vital signs', () => {
  it('are shares and rates between two samples', () => {
    const first = sampleVitals(undefined, machine(linux(100, 100, 1000, 10), 0));
    expect(byId(first.vitals)).toMatchObject({
      'host.cpu': null,
      'host.memory': 75,
      'host.network.rx': null,
      'host.disk.write': null,
    });
    const second = sampleVitals(first.counters, machine(linux(175, 125, 2000, 20), 500));
    expect(byId(second.vitals)).toMatchObject({
      'host.cpu': 25,
      'host.memory': 75,
      'host.network.rx': 2000,
      'host.network.tx': 4000,
      'host.disk.read': 10_240,
      'host.disk.write': 30_720,
    });
  });

  it('a counter that went back, or no time in between, gives null', () => {
    const first = sampleVitals(undefined, machine(linux(100, 100, 1000, 10), 0));
    const back = byId(sampleVitals(first.counters, machine(linux(200, 200, 500, 20), 500)).vitals);
    expect([back['host.network.rx'], back['host.disk.read']]).toEqual([null, 10_240]);
    const same = byId(sampleVitals(first.counters, machine(linux(100, 100, 1000, 10), 0)).vitals);
    expect([same['host.cpu'], same['host.network.rx']]).toEqual([null, null]);
  });

  it.each([['linux'], ['darwin'], ['win32']])(
    'without /proc on %s: what the os module knows, the rest absent',
    (platform) => {
      const first = sampleVitals(undefined, machine({}, 0, platform));
      const ids = first.vitals.map(({ id }) => id);
      expect(ids).toEqual(
        platform === 'win32' ? ['host.cpu', 'host.memory'] : ['host.cpu', 'host.memory', 'host.load'],
      );
    },
  );

  it('garbage in /proc never throws nor gives NaN', () => {
    const garbage = Object.fromEntries(
      Object.keys(linux(0, 0, 0, 0)).map((path) => [path, 'cpu x\neth0: y\n 8 0 sda z\n']),
    );
    const first = sampleVitals(undefined, machine(garbage, 0));
    const { vitals } = sampleVitals(first.counters, machine(garbage, 100));
    expect(vitals.every(({ value }) => value === null || Number.isFinite(value))).toBe(true);
  });
});

describe('VitalsSampler', () => {
  it('samples this machine, cheaply', async () => {
    const sampler = new VitalsSampler();
    try {
      sampler.sample();
      await sleep(250);
      const vitals = sampler.sample();
      const ids = vitals.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toEqual(
        expect.arrayContaining(['host.cpu', 'host.memory', 'host.event_loop_delay', 'process.memory']),
      );
      if (process.platform === 'linux') expect(ids.length).toBeGreaterThanOrEqual(6);
      expect(byId(vitals)['host.cpu']).toBeGreaterThanOrEqual(0);
      const times = Array.from({ length: 200 }, () => {
        const started = performance.now();
        sampler.sample();
        return performance.now() - started;
      }).sort((a, b) => a - b);
      console.log(
        `a sample of ${ids.length} vital signs: median ${times[100].toFixed(3)} ms, 95 % ${times[190].toFixed(3)} ms`,
      );
      expect(times[100]).toBeLessThan(1);
    } finally {
      sampler.close();
    }
  });

  it('sees a blocked event loop', async () => {
    const sampler = new VitalsSampler();
    await sleep(100);
    sampler.sample();
    const until = performance.now() + 200;
    while (performance.now() < until);
    await sleep(50);
    expect(byId(sampler.sample())['host.event_loop_delay']).toBeGreaterThan(10);
    sampler.close();
  });
});
