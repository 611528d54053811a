/** What both implementations (SIMD kernel and plain twin) offer. All of it is synchronous and free of I/O. */
import type { NetworkSpec } from './spec.js';

export type Implementation = 'simd' | 'scalar';

/** A network with room for the hidden states of `capacity` streams, each in a numbered slot.
 *
 *  To step a wave: write the i-th stream's slot to `slots[i]` and its input to row i of `inputs` (or `tokens[i]` when the first layer is an
 *  embedding), call `step(n)`, read row i of `outputs`. A slot may stand only once in a wave. Every array is a live view: fetch it from the
 *  network each time instead of keeping it. Results do not depend, in any bit, on the wave's size or order or on the implementation. */
export interface Network {
  readonly spec: NetworkSpec;
  readonly implementation: Implementation;
  readonly capacity: number;
  readonly maxWave: number;
  /** Floats of hidden state a stream has (without padding). */
  readonly stateSize: number;
  readonly outputSize: number;
  /** [maxWave] */
  readonly slots: Int32Array;
  /** [maxWave, inputSize], row-major */
  readonly inputs: Float32Array;
  /** [maxWave]; used when the first layer is an embedding. Ids outside 0..inputDim-1 are the caller's error: RangeError. */
  readonly tokens: Int32Array;
  /** [maxWave, outputSize], row-major */
  readonly outputs: Float32Array;
  /** Advances the streams in `slots[0..count)` by one tick. */
  step(count: number): void;
  /** Copies a stream's hidden state (stateSize floats; layer by layer, h then c) to `target` from `offset` on. */
  readState(slot: number, target: Float32Array, offset?: number): void;
  writeState(slot: number, source: Float32Array, offset?: number): void;
  /** Sets a stream's hidden state to zeros. */
  resetState(slot: number): void;
}

export interface NetworkOptions {
  readonly capacity: number;
  readonly maxWave: number;
  /** Default: the SIMD kernel where a probe op gives the right value, else the scalar twin. */
  readonly implementation?: Implementation;
}
