/** A recurrent layer with a linear read-out over a batch of sequences, forward and back through time, in WebAssembly SIMD (assembly/training). */
import { MAX_PAGES, PAGE_BYTES } from './kernel.js';
import { TRAINING_WASM } from './generated/training-wasm.js';
import {
  packInputs,
  packWeights,
  planPass,
  unpackGradients,
  type PassPlan,
  type SequenceShape,
} from './training-plan.js';
import { wasm, type WasmMemory } from './wasm-api.js';

export type { SequenceShape } from './training-plan.js';

/** What the WebAssembly module exports (assembly/training/index.ts). */
interface Exports {
  forward(record: number): void;
  backward(record: number): void;
  reserved(): number;
}

export interface Pass {
  /** [steps - skip, size, outputs]: the outputs after each step from `skip` on. */
  readonly outputs: Float32Array;
  /** From the gradient of `outputs` that of the weights, laid out like them. The inputs and weights given to `forward` must still hold their values. */
  backward(gradient: Float32Array): Float32Array;
}

const RECORD_BYTES = 128;

/** One memory, used again by every pass; it grows to what the largest needs. */
export class TrainingKernel {
  private readonly memory: WasmMemory;
  private readonly exports: Exports;
  private readonly record: number;
  /** Whose activations lie in memory. */
  private holder: Pass | undefined;

  /** Throws where the engine lacks WebAssembly or its SIMD. */
  constructor() {
    if (wasm === undefined) throw new Error('this engine has no WebAssembly');
    this.memory = new wasm.Memory({ initial: 1, maximum: MAX_PAGES });
    const module = new wasm.Module(Uint8Array.from(atob(TRAINING_WASM), (c) => c.charCodeAt(0)));
    this.exports = new wasm.Instance(module, { env: { memory: this.memory } }).exports as Exports;
    this.record = 16 * Math.ceil(this.exports.reserved() / 16);
  }

  /** inputs: [steps, size, inputSize]; weights: as `weightShapes` lays out the layer and its read-out. RangeError if the pass does not fit into
   *  a WebAssembly memory. */
  forward(shape: SequenceShape, inputs: Float32Array, weights: Float32Array, skip = 0): Pass {
    const { steps, size, outputs: heads = 1 } = shape;
    const plan = planPass(shape, skip, this.record + RECORD_BYTES);
    const run = (): void => {
      const floats = this.reserve(plan);
      new Int32Array(this.memory.buffer).set(plan.record, this.record / 4);
      packInputs(plan, floats, inputs);
      packWeights(plan, floats, weights);
      this.exports.forward(this.record);
    };
    const rowOf = (row: number): Float32Array =>
      new Float32Array(this.memory.buffer, plan.outputs + 4 * row * plan.rows, plan.rows);
    run();
    const outputs = new Float32Array((steps - skip) * size * heads);
    for (let t = 0; t < steps - skip; t++)
      for (let head = 0; head < heads; head++) {
        const row = rowOf(t * heads + head);
        for (let b = 0; b < size; b++) outputs[(t * size + b) * heads + head] = row[b];
      }
    const pass: Pass = {
      outputs,
      backward: (gradient) => {
        // Another pass has the memory, or this one went back before and turned its activations into gradients.
        if (this.holder !== pass) run();
        this.holder = undefined;
        for (let t = 0; t < steps - skip; t++)
          for (let head = 0; head < heads; head++) {
            const row = rowOf(t * heads + head).fill(0);
            for (let b = 0; b < size; b++) row[b] = gradient[(t * size + b) * heads + head];
          }
        this.exports.backward(this.record);
        return unpackGradients(plan, new Float32Array(this.memory.buffer), gradient);
      },
    };
    this.holder = pass;
    return pass;
  }

  private reserve({ bytes }: PassPlan): Float32Array {
    const pages = Math.ceil(bytes / PAGE_BYTES);
    if (pages > MAX_PAGES)
      throw new RangeError(
        `the batch needs ${bytes} bytes, more than the 4 GiB of a WebAssembly memory: take fewer sequences or steps at once`,
      );
    const missing = pages - this.memory.buffer.byteLength / PAGE_BYTES;
    if (missing > 0) this.memory.grow(missing);
    return new Float32Array(this.memory.buffer);
  }
}
