import { createMemory, instantiateKernel, type Kernel } from './kernel.js';
import { NetworkBase } from './network-base.js';
import type { NetworkOptions } from './network.types.js';
import { planNetwork, RECORD_FIELDS, type StateRun } from './simd-plan.js';
import type { NetworkSpec } from './spec.js';

/** The network in the WebAssembly SIMD kernel. States, inputs and outputs live in the kernel's memory and are stepped in place. */
export class SimdNetwork extends NetworkBase {
  readonly implementation = 'simd';
  readonly slots: Int32Array;
  readonly inputs: Float32Array;
  readonly tokens: Int32Array;
  readonly outputs: Float32Array;
  private readonly kernel: Kernel;
  private readonly states: Float32Array;
  /** Floats between two slots. */
  private readonly stride: number;
  private readonly stateRuns: readonly StateRun[];
  private readonly recordsAt: number;
  private readonly layers: number;

  constructor(spec: NetworkSpec, weights: Float32Array, options: NetworkOptions) {
    super(spec, options.capacity, options.maxWave);
    const plan = planNetwork(spec, weights, options);
    const memory = createMemory(plan.bytes);
    this.kernel = instantiateKernel(memory);
    const floats = (at: number, length: number): Float32Array => new Float32Array(memory.buffer, at, length);
    const ints = (at: number, length: number): Int32Array => new Int32Array(memory.buffer, at, length);
    this.slots = ints(plan.slots, this.maxWave);
    this.tokens = ints(plan.tokens, this.maxWave);
    this.inputs = floats(plan.inputs, this.maxWave * spec.inputSize);
    this.outputs = floats(plan.outputs, this.maxWave * this.outputSize);
    this.stride = plan.stateStride / Float32Array.BYTES_PER_ELEMENT;
    this.states = floats(plan.states, this.capacity * this.stride);
    this.stateRuns = plan.stateRuns;
    this.recordsAt = plan.recordsAt;
    this.layers = plan.records.length;
    for (const { at, data } of plan.contents) {
      if (data instanceof Float32Array) floats(at, data.length).set(data);
      else ints(at, data.length).set(data);
    }
    const words = plan.records.flatMap((record) => RECORD_FIELDS.map((name) => record[name]));
    ints(plan.recordsAt, words.length).set(words);
  }

  protected advance(count: number): void {
    this.kernel.run(this.recordsAt, this.layers, count);
  }

  readState(slot: number, target: Float32Array, offset = 0): void {
    this.requireSlot(slot);
    this.requireRoom(target, offset);
    let to = offset;
    for (const { at, size } of this.stateRuns) {
      const from = slot * this.stride + at / Float32Array.BYTES_PER_ELEMENT;
      target.set(this.states.subarray(from, from + size), to);
      to += size;
    }
  }

  writeState(slot: number, source: Float32Array, offset = 0): void {
    this.requireSlot(slot);
    this.requireRoom(source, offset);
    let from = offset;
    for (const { at, size } of this.stateRuns) {
      this.states.set(source.subarray(from, from + size), slot * this.stride + at / Float32Array.BYTES_PER_ELEMENT);
      from += size;
    }
  }

  resetState(slot: number): void {
    this.requireSlot(slot);
    this.states.fill(0, slot * this.stride, (slot + 1) * this.stride);
  }
}
