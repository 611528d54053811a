/** Where a pass of back-propagation through time has its matrices in the kernel's memory, and how weights and inputs are packed there.
 *  assembly/training/products.ts says how a matrix lies in quads and in panels. */

/** The order is known to the kernel (assembly/training/index.ts). */
export const CELLS = ['simple-rnn', 'gru', 'lstm'] as const;

export interface SequenceShape {
  /** tanh and sigmoid; a GRU resets before the product. */
  readonly cell: (typeof CELLS)[number];
  readonly steps: number;
  /** Sequences in the batch. */
  readonly size: number;
  readonly inputSize: number;
  readonly units: number;
  /** Units of the read-out. Default 1. */
  readonly outputs?: number;
}

/** The gates `first` up to `first + gates`, multiplied with the same operand, and its matrices (byte offsets). */
interface Block {
  readonly first: number;
  readonly gates: number;
  readonly operands: number;
  readonly weights: number;
  readonly back: number;
  readonly gradients: number;
}

export interface PassPlan {
  readonly shape: SequenceShape;
  readonly skip: number;
  readonly rows: number;
  readonly inputQuads: number;
  readonly unitQuads: number;
  readonly gates: number;
  readonly blocks: readonly Block[];
  readonly readOut: number;
  readonly readOutGradients: number;
  readonly heads: number;
  /** Byte offset of [steps - skip, heads, rows]. */
  readonly outputs: number;
  /** The kernel's record: assembly/training/pass.ts. */
  readonly record: Int32Array;
  readonly bytes: number;
}

/** Gates of each block. */
const BLOCKS: Record<SequenceShape['cell'], readonly number[]> = { 'simple-rnn': [1], gru: [2, 1], lstm: [4] };

/** `base`: the first free byte, a multiple of 16. */
export function planPass(shape: SequenceShape, skip: number, base: number): PassPlan {
  const { cell, steps, size, inputSize, units, outputs: heads = 1 } = shape;
  const rows = 4 * Math.ceil(size / 4);
  const inputQuads = Math.ceil((inputSize + 1) / 4);
  const unitQuads = 2 * Math.ceil(units / 8);
  const gates = BLOCKS[cell].reduce((a, b) => a + b, 0);
  const quad = 4 * rows;
  const operand = (inputQuads + unitQuads) * quad;
  const n = unitQuads * quad;
  let free = base;
  const take = (floats: number): number => {
    const at = free;
    free += 16 * Math.ceil(floats / 4);
    return at;
  };
  let first = 0;
  const blocks = BLOCKS[cell].map((count, i): Block => {
    const packed = 16 * (inputQuads + unitQuads) * unitQuads * count;
    const block = {
      first,
      gates: count,
      operands: take((steps + 1 - i) * operand),
      weights: take(packed),
      back: take(16 * unitQuads * unitQuads * count),
      gradients: take(packed),
    };
    first += count;
    return block;
  });
  const activations = take(steps * gates * n);
  const cells = take(cell === 'lstm' ? (steps + 1) * n : 0);
  const carry = take(n);
  const carryTwo = take(n);
  const readOut = take(heads * (4 * unitQuads + 4));
  const readOutGradients = take(heads * 4 * unitQuads);
  const outputs = take((steps - skip) * heads * rows);
  const [main, candidate = { operands: 0, weights: 0, back: 0, gradients: 0 }] = blocks;
  const record = Int32Array.of(
    ...[CELLS.indexOf(cell), steps, rows, inputQuads, unitQuads, skip],
    ...[main.operands, candidate.operands, activations, cells, main.weights, main.back, main.gradients],
    ...[candidate.weights, candidate.back, candidate.gradients, carry, carryTwo, readOut, readOutGradients, outputs],
    heads,
  );
  return {
    ...{ shape, skip, rows, inputQuads, unitQuads, gates, blocks, readOut, readOutGradients, heads, outputs, record },
    bytes: free,
  };
}

/** inputs: [steps, size, inputSize]; behind each sequence's inputs a one, which the bias is multiplied with. */
export function packInputs(plan: PassPlan, memory: Float32Array, inputs: Float32Array): void {
  const { shape, rows, inputQuads, unitQuads, blocks } = plan;
  const { steps, size, inputSize } = shape;
  const quad = 4 * rows;
  const operand = (inputQuads + unitQuads) * quad;
  for (const { operands } of blocks) {
    for (let t = 0, from = 0; t < steps; t++) {
      const at = operands / 4 + t * operand;
      memory.fill(0, at, at + inputQuads * quad);
      for (let b = 0; b < size; b++) {
        const row = at + 4 * b;
        for (let k = 0; k < inputSize; k++) memory[row + (k >> 2) * quad + (k & 3)] = inputs[from++];
        memory[row + (inputSize >> 2) * quad + (inputSize & 3)] = 1;
      }
    }
  }
}

export function packWeights(plan: PassPlan, memory: Float32Array, weights: Float32Array): void {
  const [kernel, recurrent, bias, readOut, readOutBias] = parts(plan, weights);
  const { shape, inputQuads, unitQuads, gates, blocks } = plan;
  const { inputSize, units } = shape;
  const rows = 4 * (inputQuads + unitQuads);
  for (const { first, gates: count, weights: packed, back } of blocks) {
    const columns = 4 * unitQuads * count;
    memory.fill(0, packed / 4, packed / 4 + rows * columns);
    memory.fill(0, back / 4, back / 4 + 4 * unitQuads * columns);
    for (let g = 0; g < count; g++) {
      const from = (first + g) * units;
      for (let j = 0; j < units; j++) {
        const column = g * 4 * unitQuads + j;
        const at = packed / 4 + (column >> 3) * rows * 8 + (column & 7);
        for (let k = 0; k < inputSize; k++) memory[at + 8 * k] = kernel[k * gates * units + from + j];
        memory[at + 8 * inputSize] = bias[from + j];
        for (let i = 0; i < units; i++) {
          const w = recurrent[i * gates * units + from + j];
          memory[at + 8 * (4 * inputQuads + i)] = w;
          memory[back / 4 + ((i >> 3) * columns + column) * 8 + (i & 7)] = w;
        }
      }
    }
  }
  for (let head = 0; head < plan.heads; head++) {
    const at = plan.readOut / 4 + head * (4 * unitQuads + 4);
    memory.fill(0, at + units, at + 4 * unitQuads);
    for (let i = 0; i < units; i++) memory[at + i] = readOut[i * plan.heads + head];
    memory.fill(readOutBias[head], at + 4 * unitQuads, at + 4 * unitQuads + 4);
  }
}

/** The gradients that the kernel has left, laid out as the weights were given; the read-out's bias gets the sums of `gradient`. */
export function unpackGradients(plan: PassPlan, memory: Float32Array, gradient: Float32Array): Float32Array {
  const { shape, inputQuads, unitQuads, gates, blocks } = plan;
  const { inputSize, units } = shape;
  const width = gates * units;
  const rows = 4 * (inputQuads + unitQuads);
  const gradients = new Float32Array(width * (inputSize + units + 1) + plan.heads * (units + 1));
  const [kernel, recurrent, bias, readOut, readOutBias] = parts(plan, gradients);
  for (const { first, gates: count, gradients: packed } of blocks) {
    for (let g = 0; g < count; g++) {
      for (let j = 0; j < units; j++) {
        const column = g * 4 * unitQuads + j;
        const at = packed / 4 + (column >> 3) * rows * 8 + (column & 7);
        const to = (first + g) * units + j;
        for (let k = 0; k < inputSize; k++) kernel[k * width + to] = memory[at + 8 * k];
        bias[to] = memory[at + 8 * inputSize];
        for (let i = 0; i < units; i++) recurrent[i * width + to] = memory[at + 8 * (4 * inputQuads + i)];
      }
    }
  }
  const { heads } = plan;
  for (let head = 0; head < heads; head++) {
    const at = plan.readOutGradients / 4 + head * 4 * unitQuads;
    for (let i = 0; i < units; i++) readOut[i * heads + head] = memory[at + i];
  }
  const sums = new Float64Array(heads);
  for (let i = 0; i < gradient.length; i++) sums[i % heads] += gradient[i];
  readOutBias.set(sums);
  return gradients;
}

/** Views of the kernel [inputSize, gates x units], the recurrent kernel [units, gates x units], the bias, and the read-out's [units, outputs] and
 *  [outputs]. */
function parts({ shape: { inputSize, units }, gates, heads }: PassPlan, weights: Float32Array): Float32Array[] {
  let from = 0;
  return [inputSize * gates * units, units * gates * units, gates * units, units * heads, heads].map((length) =>
    weights.subarray(from, (from += length)),
  );
}
