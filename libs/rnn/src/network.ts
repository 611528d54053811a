import { createMemory, instantiateKernel, PAGE_BYTES, RESERVED_BYTES } from './kernel.js';
import type { Implementation, Network, NetworkOptions } from './network.types.js';
import { activationId, tanh } from './scalar-math.js';
import { ScalarNetwork } from './scalar-network.js';
import { SimdNetwork } from './simd-network.js';
import type { NetworkSpec } from './spec.js';
import { validateNetwork } from './validate.js';

/** `weights`: see weightShapes in spec.ts; they are copied. */
export function createNetwork(spec: NetworkSpec, weights: Float32Array, options: NetworkOptions): Network {
  validateNetwork(spec, weights, options);
  const implementation = options.implementation ?? selectImplementation();
  return implementation === 'simd'
    ? new SimdNetwork(spec, weights, options)
    : new ScalarNetwork(spec, weights, options);
}

let selected: Implementation | undefined;

/** The SIMD kernel if it computes a known value right, else its twin. Probed once. */
export function selectImplementation(): Implementation {
  selected ??= probe() ? 'simd' : 'scalar';
  return selected;
}

function probe(): boolean {
  try {
    const memory = createMemory(PAGE_BYTES);
    const values = new Float32Array(memory.buffer, RESERVED_BYTES, 4);
    const arguments_ = [-2, -1e-5, 0.75, 20];
    values.set(arguments_);
    instantiateKernel(memory).activate(activationId('tanh'), RESERVED_BYTES, RESERVED_BYTES + values.byteLength);
    return arguments_.every((x, lane) => Object.is(values[lane], tanh(Math.fround(x))));
  } catch {
    return false;
  }
}

/** One tick as a pure function: hidden state in, hidden state out. `input`: a row, or the token's id before an embedding. The network is
 *  left as it was (slot 0 is lent for the moment). Meant for clarity and tests; waves through `step` are the fast way. */
export function stepState(
  network: Network,
  state: Float32Array,
  input: Float32Array | number,
): { state: Float32Array; output: Float32Array } {
  const { slots, tokens, inputs, outputs, stateSize, outputSize, spec } = network;
  const row = typeof input === 'number' ? Float32Array.of(input) : input;
  if (state.length !== stateSize) throw new RangeError(`state: expected ${stateSize} floats, got ${state.length}`);
  if (row.length !== spec.inputSize)
    throw new RangeError(`input: expected ${spec.inputSize} floats, got ${row.length}`);
  const before = {
    slot: slots[0],
    token: tokens[0],
    input: inputs.slice(0, row.length),
    output: outputs.slice(0, outputSize),
    state: new Float32Array(stateSize),
  };
  network.readState(0, before.state);
  try {
    slots[0] = 0;
    tokens[0] = row[0]!;
    inputs.set(row);
    network.writeState(0, state);
    network.step(1);
    const after = new Float32Array(stateSize);
    network.readState(0, after);
    return { state: after, output: outputs.slice(0, outputSize) };
  } finally {
    slots[0] = before.slot;
    tokens[0] = before.token;
    inputs.set(before.input);
    outputs.set(before.output);
    network.writeState(0, before.state);
  }
}
