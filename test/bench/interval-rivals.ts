/** Prediction intervals others use, to stand beside libs/forecasting's. Each gives half widths and learns from a truth's absolute error and the half width that went out with it. */
export interface Intervals {
  /** NaN until calibrated. */
  half(): number;
  learn(size: number, issued: number): void;
}

const CALIBRATED = 50;

/** The youngest `length` numbers, kept in order as well. */
class Window {
  readonly sorted: number[] = [];
  private readonly queue: number[] = [];
  constructor(private readonly length: number) {}

  push(value: number): void {
    this.queue.push(value);
    this.sorted.splice(this.place(value), 0, value);
    if (this.queue.length > this.length) this.sorted.splice(this.place(this.queue.shift()!), 1);
  }

  /** The conformal quantile: the ceil((n + 1) share)-th smallest; the largest where that is past the end. */
  quantile(share: number): number {
    const n = this.sorted.length;
    const rank = Math.ceil((n + 1) * share);
    return rank < 1 ? 0 : this.sorted[Math.min(rank, n) - 1];
  }

  private place(value: number): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function rollingQuantile(level: number, length: number): Intervals {
  const window = new Window(length);
  return {
    half: () => (window.sorted.length < CALIBRATED ? NaN : window.quantile(level)),
    learn: (size) => window.push(size),
  };
}

/** Adaptive conformal inference: the level asked of a rolling window moves with each miss (Gibbs & Candes 2021). */
export function adaptiveConformal(level: number, length: number, rate: number): Intervals {
  const window = new Window(length);
  let asked = level;
  return {
    half: () => (window.sorted.length < CALIBRATED ? NaN : window.quantile(asked)),
    learn(size, issued) {
      if (issued === issued) asked += rate * ((size > issued ? 1 : 0) - (1 - level));
      window.push(size);
    },
  };
}

/** Conformal PID without a scorecaster: quantile tracking whose step is a share of the largest of the last 100 scores, and a saturating integrator
 *  (Angelopoulos, Candes & Tibshirani 2023; C_sat as they suggest, K_I the largest score of the first window). */
export function conformalPid(level: number, rate: number): Intervals {
  const window = new Window(100);
  const horizon = 5000;
  const saturation = (2 / Math.PI) * (Math.ceil(Math.log(horizon) * 0.01) - 1 / Math.log(horizon));
  let quantile = NaN;
  let gain = 0;
  let sum = 0;
  let n = 0;
  return {
    half() {
      const x = (sum * Math.log(n + 1)) / (saturation * (n + 1));
      const limit = Math.PI / 2 - 1e-9;
      return Math.max(quantile + gain * Math.tan(Math.min(Math.max(x, -limit), limit)), 0);
    },
    learn(size, issued) {
      window.push(size);
      if (window.sorted.length < CALIBRATED) return;
      if (quantile !== quantile) {
        quantile = window.quantile(level);
        gain = window.quantile(1);
        return;
      }
      if (issued !== issued) return;
      const off = (size > issued ? 1 : 0) - (1 - level);
      quantile += rate * window.quantile(1) * off;
      sum += off;
      n++;
    },
  };
}
