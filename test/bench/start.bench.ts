/** From start to the first prediction in the page's feed, and the memory of the default while it runs and trains. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../apps/predictor/src/main.js', import.meta.url));
const ROUNDS = 5;
const WATCH_MS = 60_000;

const memoryMb = (pid: number, field: 'VmRSS' | 'RssAnon'): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

/** Of the service and the process that trains beside it, which has the same program in memory. */
function rssMb(pid: number): number {
  let mb = memoryMb(pid, 'VmRSS');
  for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)) {
    try {
      mb += memoryMb(Number(child), 'RssAnon');
    } catch {
      // It has just ended.
    }
  }
  return mb;
}

async function once(watchMs: number): Promise<{ firstPredictionSeconds: number; peakRssMb: number; swaps: number }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'riverrun-start-'));
  const started = performance.now();
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, PORT: '0', RIVERRUN_DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const url = await new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        const match = /is at (http:\/\/[^"\s]+)/.exec(output);
        if (match !== null) resolve(match[1]);
      });
  });
  const events = await fetch(`${url}/predictions`);
  const reader = events.body!.getReader();
  let text = '';
  while (!text.includes('event: prediction')) text += Buffer.from((await reader.read()).value).toString();
  const firstPredictionSeconds = (performance.now() - started) / 1000;
  void reader.cancel();
  let peakRssMb = rssMb(child.pid!);
  for (const end = performance.now() + watchMs; performance.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    peakRssMb = Math.max(peakRssMb, rssMb(child.pid!));
  }
  child.kill('SIGTERM');
  await new Promise((resolve) => child.on('exit', resolve));
  rmSync(dataDir, { recursive: true });
  return { firstPredictionSeconds, peakRssMb, swaps: output.split('model serves').length - 1 };
}

export async function startBench(): Promise<Record<string, unknown>> {
  const runs = [];
  for (let round = 0; round < ROUNDS; round++) runs.push(await once(round === ROUNDS - 1 ? WATCH_MS : 0));
  const times = runs.map((run) => run.firstPredictionSeconds).sort((a, b) => a - b);
  const watched = runs[runs.length - 1];
  return {
    firstPredictionSeconds: { median: times[times.length >> 1], max: times[times.length - 1] },
    peakRssMb: Math.round(watched.peakRssMb),
    swapsInAMinute: watched.swaps,
  };
}
