/** npm run bench: every figure of the README, as ratios within one run. `npm run bench -- kernel|codec|pipeline|start` for one part. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { codecBench } from './codec.bench.js';
import { kernelBench } from './kernel.bench.js';
import { startBench } from './start.bench.js';

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
const ROUNDS = 3;

function pipelineRun(streams: number, ticks: number, batch: number): Record<string, number> {
  const script = fileURLToPath(new URL('pipeline-run.js', import.meta.url));
  const text = execFileSync(process.execPath, [script, String(streams), String(ticks), String(batch)], {
    encoding: 'utf8',
  });
  return JSON.parse(text) as Record<string, number>;
}

/** 1,000 and 1,000,000 streams in turn, so that a change of the machine's speed meets both. */
function pipelineBench(): Record<string, unknown> {
  const runs = Array.from({ length: ROUNDS }, () => ({
    thousand: pipelineRun(1000, 2000, 8192),
    million: pipelineRun(1_000_000, 5, 65_536),
  }));
  return {
    thousandStreams: runs.map(({ thousand }) => thousand),
    millionStreams: runs.map(({ million }) => million),
    median: {
      ticksPerSecond: median(runs.map(({ thousand }) => thousand.ticksPerSecond)),
      timesKernel: median(runs.map(({ thousand }) => thousand.timesKernel)),
      millionOverThousand: median(
        runs.map(({ thousand, million }) => million.cpuMicrosPerTick / thousand.cpuMicrosPerTick),
      ),
      millionAnonymousMb: median(runs.map(({ million }) => million.anonymousMb)),
      lastFifthOverSecond: median(runs.map(({ thousand }) => thousand.lastFifthOverSecond)),
    },
  };
}

const parts: Record<string, () => unknown> = {
  kernel: kernelBench,
  codec: codecBench,
  pipeline: pipelineBench,
  start: startBench,
};
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const results: Record<string, unknown> = {};
for (const [name, run] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  results[name] = await run();
}
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
