/** Series that a first model learns from: sums of what real streams are made of, each drawn anew. Same seed, same series. */
import { gaussian, seededRandom, type Random } from '#training/random';

/** ms between ticks, and when the first one is: anything, so that no calendar can be learnt from series that follow none. */
const CADENCES = [250, 1000, 15_000, 60_000, 300_000, 1_800_000, 3_600_000, 86_400_000, 7 * 86_400_000];
const FIRST_DAY = Date.UTC(1990, 0, 1);
const DAYS = 40 * 365;
const DAY = 86_400_000;

/** One part of a series: its values, tick by tick. */
type Part = () => number;

/** `count` windows of up to `rows` rows [ts, value], NaN = missing. */
export function syntheticSeries(seed: number, count: number, rows: number): Float64Array[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => series(random, rows));
}

function series(random: Random, rows: number): Float64Array {
  const cadence = pick(random, CADENCES);
  const start = FIRST_DAY + Math.floor(random() * DAYS * DAY);
  const value = observed(random, signal(random));
  const window = new Float64Array(2 * rows);
  const missing = gaps(random);
  for (let t = 0; t < rows; t++) {
    window[2 * t] = start + t * cadence;
    const now = value();
    window[2 * t + 1] = t > 0 && missing() ? NaN : now;
  }
  return window;
}

/** Parts of sizes of the same order, some of them left out. */
function signal(random: Random): Part {
  const parts: Part[] = [];
  const maybe = (chance: number, make: () => Part): void => {
    if (random() < chance) parts.push(make());
  };
  maybe(0.75, () => noise(random, size(random)));
  maybe(0.45, () => walk(random, 0.3 * size(random)));
  maybe(0.35, () => trend(random, 0.03 * size(random)));
  maybe(0.5, () => season(random, 2 * size(random)));
  maybe(0.2, () => season(random, size(random)));
  maybe(0.25, () => levelShifts(random, 3 * size(random)));
  maybe(0.12, () => spikes(random, 5 * size(random)));
  if (parts.length === 0) parts.push(noise(random, 1));
  return () => parts.reduce((sum, part) => sum + part(), 0);
}

/** Sizes are spread over more than a decade. */
const size = (random: Random): number => Math.exp(gaussian(random));

/** White, autoregressive or oscillating; with thin or thick tails; of a size that changes now and then, or not. */
function noise(random: Random, scale: number): Part {
  const [phi, other] = pick(random, [
    () => [0, 0],
    () => [random() * 0.98, 0],
    () => [-random() * 0.7, 0],
    () => [1.2 + 0.5 * random(), -0.5 - 0.4 * random()],
  ])();
  const draw = pick(random, [gaussian, laplace, thickTailed]);
  const wild = random() < 0.25;
  const theta = random() < 0.3 ? 1.6 * random() - 0.8 : 0;
  let [one, two, before, loud] = [0, 0, 0, 1];
  const step = (): number => {
    if (wild && random() < 0.02) loud = Math.exp(0.8 * gaussian(random));
    const shock = scale * loud * draw(random);
    const next = phi * one + stable(phi, other) * two + shock + theta * before;
    [two, one, before] = [one, next, shock];
    return next;
  };
  for (let t = 0; t < 50; t++) step();
  return step;
}

/** A second coefficient that keeps the process from growing. */
const stable = (phi: number, other: number): number => (phi > 1 ? Math.min(other, 0.97 - phi) : other);

function walk(random: Random, scale: number): Part {
  const draw = pick(random, [gaussian, laplace, thickTailed]);
  const momentum = random() < 0.4 ? 0.9 * random() : 0;
  let [level, speed] = [0, 0];
  return () => (level += speed = momentum * speed + scale * draw(random));
}

/** Straight, or turning now and then. */
function trend(random: Random, scale: number): Part {
  const turns = random() < 0.5 ? 0.01 : 0;
  let slope = scale * gaussian(random);
  let level = 0;
  return () => {
    if (random() < turns) slope = scale * gaussian(random);
    return (level += slope);
  };
}

/** Three to three hundred ticks long, with a few harmonics, steady or swelling. */
function season(random: Random, scale: number): Part {
  const length = 3 * Math.exp(random() * Math.log(100));
  const harmonics = Array.from({ length: 1 + Math.floor(4 * random()) }, (_, k) => ({
    frequency: (2 * Math.PI * (k + 1)) / length,
    phase: 2 * Math.PI * random(),
    height: (scale * (k === 0 ? 1 : random())) / (k + 1),
  }));
  const swell = random() < 0.3 ? 0.01 : 0;
  let [t, factor] = [0, 1];
  return () => {
    factor *= Math.exp(swell * gaussian(random));
    t += 1;
    return (
      factor *
      harmonics.reduce((sum, { frequency, phase, height }) => sum + height * Math.sin(frequency * t + phase), 0)
    );
  };
}

function levelShifts(random: Random, scale: number): Part {
  const rate = 0.003 + 0.03 * random();
  let level = 0;
  return () => (level += random() < rate ? scale * gaussian(random) : 0);
}

/** Gone at once, or fading. */
function spikes(random: Random, scale: number): Part {
  const rate = 0.005 + 0.03 * random();
  const fading = pick(random, [0, 0.5, 0.8]);
  const sign = random() < 0.7 ? 1 : -1;
  let height = 0;
  return () => (height = fading * height + (random() < rate ? sign * scale * (0.5 + random()) : 0));
}

/** What of a signal is seen: itself, its exponential, counts, whole steps, or no less than nothing. */
function observed(random: Random, part: Part): Part {
  const offset = random() < 0.5 ? 20 * gaussian(random) : 0;
  const unit = Math.exp(3 * gaussian(random));
  const kind = random();
  if (kind < 0.6) return () => unit * (offset + part());
  if (kind < 0.72) {
    const share = 0.1 + 0.3 * random();
    return () => unit * Math.exp(share * Math.min(Math.max(part(), -20), 20));
  }
  if (kind < 0.84) {
    const mean = Math.exp(1 + 2 * random());
    return () => poisson(random, mean * Math.exp(0.25 * Math.min(Math.max(part(), -8), 8)));
  }
  if (kind < 0.94) {
    const grain = 0.3 + random();
    return () => unit * grain * Math.round((offset + part()) / grain);
  }
  return () => unit * Math.max(0, part());
}

/** Mostly none; single ticks, or runs. */
function gaps(random: Random): () => boolean {
  if (random() > 0.2) return () => false;
  const rate = 0.1 * random();
  const runs = random() < 0.3 ? 0.8 : 0;
  let missing = false;
  return () => (missing = random() < (missing ? Math.max(rate, runs) : rate));
}

const laplace = (random: Random): number => {
  const u = random() - 0.5;
  return (-Math.sign(u) * Math.log(1 - 2 * Math.abs(u))) / Math.SQRT2;
};

/** Student's with three degrees of freedom. */
const thickTailed = (random: Random): number =>
  gaussian(random) / Math.sqrt(gaussian(random) ** 2 + gaussian(random) ** 2 + gaussian(random) ** 2);

/** Knuth's for few, the normal's approximation for many. */
function poisson(random: Random, mean: number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * gaussian(random)));
  const limit = Math.exp(-mean);
  let n = 0;
  for (let product = random(); product > limit; product *= random()) n += 1;
  return n;
}

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)];
