/** A challenger beside the champion: a network with hidden states of its own is stepped with the same ticks, and what it would have said is compared with what the
 *  champion's network said, truth by truth. Nobody is served any of it, and no outcome depends on it: so it lives in memory, and what a restart loses is made anew from
 *  the streams' windows. Only the comparison itself is stored, with the watermark. */
import type { Trial } from '#domain/ports';
import type { JointForecaster } from '#forecasting/joint-forecaster';
import { placeInRing } from '#forecasting/ring';
import { compareLosses, evidence, resetTest, TEST_SIZE, testBlock } from '#forecasting/sequential-test';
import type { ModelSlot } from './model-slot.js';
import type { StreamTable } from './stream-table.js';

export class Shadow {
  /** Times at which at least one stream could compare both. */
  compared = 0;
  /** Rows of the wave so far. */
  private rows = 0;
  /** `StreamTable.lives` of the stream that the hidden state in a slot belongs to; 0: none. */
  private readonly lives: Int32Array;
  /** [capacity, targets, H] What was forecast, by the target's count modulo H (of ticks left out the plan forgets what the champion had said, and so nothing is compared); of streams that are known only: `learnt` makes a slot's. */
  private readonly pending: Float64Array;
  private readonly test = new Float64Array(TEST_SIZE);
  private readonly block: number;
  private readonly wave = { n: 0, champion: 0, challenger: 0 };

  constructor(
    readonly model: ModelSlot,
    private readonly champion: string,
    private readonly targets: number,
    private readonly horizon: number,
    capacity: number,
    former: Trial | undefined,
  ) {
    this.lives = new Int32Array(capacity);
    this.pending = new Float64Array(capacity * targets * horizon);
    this.block = testBlock(horizon);
    resetTest(this.test, 0);
    const { digest } = model.manifest;
    if (former?.champion === champion && former.challenger === digest && former.state.length === TEST_SIZE)
      this.test.set(former.state);
  }

  /** The e-value for "the challenger is better": 1 at first; 1 / alpha decides. */
  get evidence(): number {
    return evidence(this.test, 0);
  }

  get trial(): Trial {
    return { champion: this.champion, challenger: this.model.manifest.digest, state: [...this.test] };
  }

  /** Whether the slot's hidden state is this stream's. */
  knows(table: StreamTable, slot: number): boolean {
    return this.lives[slot] === table.lives[slot];
  }

  /** Its hidden state has just been made. */
  learnt(table: StreamTable, slot: number): void {
    this.lives[slot] = table.lives[slot];
    const each = this.targets * this.horizon;
    this.pending.fill(NaN, slot * each, (slot + 1) * each);
  }

  /** A tick that the forecaster has not absorbed yet: the truth of forecasts. Its values are values[from ..]; each target counts. */
  score(table: StreamTable, forecaster: JointForecaster, slot: number, values: Float64Array, from: number): void {
    if (!this.knows(table, slot)) return;
    const { plans } = table;
    const { horizon: H, targets, pending, wave } = this;
    for (let k = 0, at = table.planAt(slot); k < targets; k++, at += forecaster.part) {
      const { plan } = forecaster.targets[k];
      const scale = plan.scaleOf(plans, at);
      const value = values[from + k];
      const forecast = pending[(slot * targets + k) * H + placeInRing(plan.countOf(plans, at), H)];
      const champion = Math.abs(value - forecaster.targets[k].saidByNetwork(plans, at)) / scale;
      const challenger = Math.abs(value - forecast) / scale;
      if (!Number.isFinite(champion + challenger)) continue;
      wave.n += 1;
      wave.champion += champion;
      wave.challenger += challenger;
    }
  }

  /** Takes the tick's place in the wave, if the stream is known; the network's inputs from the returned float on are to be written. */
  enter(table: StreamTable, slot: number): number | undefined {
    if (!this.knows(table, slot)) return undefined;
    const { network } = this.model;
    network.slots[this.rows] = slot;
    return this.rows++ * network.spec.inputSize;
  }

  /** Steps who has entered, and lets all their errors count as one: streams of one time hang together. */
  step(): void {
    if (this.rows > 0) this.model.network.step(this.rows);
    this.rows = 0;
    const { n, champion, challenger } = this.wave;
    this.wave.n = this.wave.champion = this.wave.challenger = 0;
    if (n === 0) return;
    this.compared += 1;
    compareLosses(this.test, 0, this.block, champion / n, challenger / n);
  }

  /** After the tick was absorbed and the wave stepped, in the order of `enter`. */
  forecast(table: StreamTable, forecaster: JointForecaster, slot: number): void {
    if (!this.knows(table, slot)) return;
    const { plans } = table;
    const { horizon: H, targets } = this;
    const { outputs } = this.model.network;
    const row = this.rows++ * targets * H;
    for (let k = 0, at = table.planAt(slot); k < targets; k++, at += forecaster.part) {
      const { plan } = forecaster.targets[k];
      const forecast = plan.meant(plans, at, H, outputs[row + k * H + H - 1]);
      const pending = (slot * targets + k) * H + placeInRing(plan.countOf(plans, at) - 1, H);
      this.pending[pending] = plan.asKept(plans, at, forecast);
    }
  }

  /** The wave is over. */
  leave(): void {
    this.rows = 0;
  }
}
