import type { Implementation, Network } from './network.types.js';
import { outputSize, stateSize, type NetworkSpec } from './spec.js';

/** What both implementations share: sizes, and the checks that keep a step inside its memory. */
export abstract class NetworkBase implements Network {
  abstract readonly implementation: Implementation;
  abstract readonly slots: Int32Array;
  abstract readonly inputs: Float32Array;
  abstract readonly tokens: Int32Array;
  abstract readonly outputs: Float32Array;
  readonly stateSize: number;
  readonly outputSize: number;
  /** Size of the vocabulary, or 0 when the network does not begin with an embedding. */
  protected readonly vocabulary: number;

  constructor(
    readonly spec: NetworkSpec,
    readonly capacity: number,
    readonly maxWave: number,
  ) {
    this.stateSize = stateSize(spec);
    this.outputSize = outputSize(spec);
    const first = spec.layers[0];
    this.vocabulary = first?.type === 'embedding' ? first.inputDim : 0;
  }

  step(count: number): void {
    if (!(count >= 0 && count <= this.maxWave)) throw new RangeError(`a wave of ${count} in 0..${this.maxWave}`);
    const { slots, capacity, vocabulary } = this;
    for (let s = 0; s < count; s++) {
      const slot = slots[s];
      if (slot < 0 || slot >= capacity) throw new RangeError(`slots[${s}] is ${slot}, not in 0..${capacity - 1}`);
    }
    if (vocabulary > 0) {
      const { tokens } = this;
      for (let s = 0; s < count; s++) {
        const token = tokens[s];
        if (token < 0 || token >= vocabulary)
          throw new RangeError(`tokens[${s}] is ${token}, not in 0..${vocabulary - 1}`);
      }
    }
    this.advance(count);
  }

  abstract readState(slot: number, target: Float32Array, offset?: number): void;
  abstract writeState(slot: number, source: Float32Array, offset?: number): void;
  abstract resetState(slot: number): void;
  protected abstract advance(count: number): void;

  protected requireSlot(slot: number): void {
    if (!(Number.isInteger(slot) && slot >= 0 && slot < this.capacity))
      throw new RangeError(`slot ${slot} is not in 0..${this.capacity - 1}`);
  }

  protected requireRoom(array: Float32Array, offset: number): void {
    if (!(Number.isInteger(offset) && offset >= 0 && offset + this.stateSize <= array.length))
      throw new RangeError(
        `a state of ${this.stateSize} floats does not fit in ${array.length} floats from ${offset} on`,
      );
  }
}
