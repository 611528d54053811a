/** Series that nothing has been trained on: other shapes and other laws than libs/default-model's. */
import { normal, studentT3, uniform, type Draw } from '../../libs/forecasting/testing/noise.js';

/** Makes a series' values one after another. */
type Make = (random: Draw) => () => number;

const between = (random: Draw, low: number, high: number): number => low + (high - low) * random();

export const FAMILIES: Record<string, Make> = {
  'noise around a level': (random) => {
    const [level, size] = [between(random, -50, 50), between(random, 0.5, 5)];
    return () => level + size * studentT3(random);
  },
  'slow noise (ARMA(2,1))': (random) => {
    const [a, b] = [between(random, 0.3, 0.7), between(random, 0.05, 0.25)];
    let [x, y, shock] = [0, 0, 0];
    return () => {
      const now = normal(random);
      [x, y, shock] = [a * x + b * y + now + 0.4 * shock, x, now];
      return 100 + x;
    };
  },
  'random walk': (random) => {
    const size = between(random, 0.1, 3);
    let level = between(random, 50, 500);
    return () => (level += size * normal(random));
  },
  'prices (geometric walk, bursts)': (random) => {
    let [price, loud] = [between(random, 10, 200), 1];
    return () => {
      loud = Math.sqrt(0.1 + 0.85 * loud * loud + 0.05 * normal(random) ** 2);
      return (price *= Math.exp(0.01 * loud * studentT3(random)));
    };
  },
  'saw-tooth season': (random) => {
    const [length, height] = [Math.round(between(random, 5, 60)), between(random, 2, 10)];
    let t = Math.floor(length * random());
    return () => (height * (++t % length)) / length + 0.5 * normal(random);
  },
  'rectangular season': (random) => {
    const [length, height] = [Math.round(between(random, 12, 200)), between(random, 3, 12)];
    const on = between(random, 0.2, 0.6) * length;
    let t = Math.floor(length * random());
    return () => (++t % length < on ? height : 0) + 0.6 * normal(random);
  },
  'day and week, growing': (random) => {
    const growth = between(random, 0.0005, 0.003);
    let t = Math.floor(168 * random());
    return () => {
      t += 1;
      const shape = 1 + 0.5 * Math.sin((2 * Math.PI * t) / 24) + 0.2 * Math.cos((2 * Math.PI * t) / 168);
      return 40 * (1 + growth * t) * shape + 3 * normal(random);
    };
  },
  'level shifts': (random) => {
    let level = between(random, -20, 20);
    return () => {
      if (random() < 0.01) level += between(random, -15, 15);
      return level + normal(random);
    };
  },
  'saturating growth': (random) => {
    const [rate, half] = [between(random, 0.01, 0.05), between(random, 50, 300)];
    let t = 0;
    return () => 1000 / (1 + Math.exp(-rate * (++t - half))) + 4 * normal(random);
  },
  'rare counts': (random) => {
    const mean = between(random, 0.2, 2);
    return () => {
      let n = 0;
      for (let product = random(); product > Math.exp(-mean); product *= random()) n += 1;
      return n;
    };
  },
  'load with bursts': (random) => {
    let [busy, load] = [0, 0.1];
    return () => {
      busy = random() < (busy === 0 ? 0.03 : 0.9) ? 1 : 0;
      load += 0.5 * ((busy === 1 ? 0.85 : 0.1) - load);
      return Math.min(1, Math.max(0, load + 0.05 * normal(random)));
    };
  },
  'heavy gaps': (random) => {
    let x = 0;
    return () => {
      x = 0.8 * x + normal(random);
      return random() < 0.2 ? NaN : 10 + x;
    };
  },
};

/** Rows [ts, value], ten minutes apart. */
export function series(make: Make, seed: number, rows: number): Float64Array {
  const random = uniform(seed);
  const value = make(random);
  const start = Date.UTC(2015, 0, 1) + Math.floor(random() * 3000) * 86_400_000;
  return Float64Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? start + (i / 2) * 600_000 : value()));
}
