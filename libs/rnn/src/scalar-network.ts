import { splitWeights } from './layer-weights.js';
import { NetworkBase } from './network-base.js';
import type { NetworkOptions } from './network.types.js';
import { States, denseCell, gruCell, lstmCell, simpleRnnCell, type Cell } from './scalar-cells.js';
import { layerStateSize, type LayerSpec, type NetworkSpec } from './spec.js';

interface ScalarLayer {
  readonly cell: Cell;
  /** Where the layer's state begins in a stream's; -1 for a dense layer, whose row is its own. */
  readonly stateAt: number;
  readonly row: States;
}

/** The network as plain TypeScript loops, stream by stream: the twin of the SIMD kernel, equal to it in every bit. */
export class ScalarNetwork extends NetworkBase {
  readonly implementation = 'scalar';
  readonly slots: Int32Array;
  readonly inputs: Float32Array;
  readonly tokens: Int32Array;
  private readonly rows: States;
  private readonly states: States;
  private readonly layers: ScalarLayer[] = [];
  private readonly embeddings: Float32Array;
  private readonly masksZero: boolean;

  constructor(spec: NetworkSpec, weights: Float32Array, options: NetworkOptions) {
    super(spec, options.capacity, options.maxWave);
    this.slots = new Int32Array(this.maxWave);
    this.inputs = new Float32Array(this.maxWave * spec.inputSize);
    this.tokens = new Int32Array(this.maxWave);
    this.rows = new States(this.maxWave * this.outputSize);
    this.states = new States(this.capacity * this.stateSize);
    const parts = splitWeights(spec, weights.slice());
    const first = spec.layers[0];
    this.embeddings = parts[0]?.embeddings ?? new Float32Array(0);
    this.masksZero = first?.type === 'embedding' && first.maskZero === true;
    let stateAt = 0;
    spec.layers.forEach((layer, index) => {
      const cell = cellOf(layer, parts[index]);
      if (cell === undefined) return;
      const dense = layer.type === 'dense';
      this.layers.push({ cell, stateAt: dense ? -1 : stateAt, row: new States(dense ? layer.units : 0) });
      stateAt += layerStateSize(layer);
    });
  }

  get outputs(): Float32Array {
    return this.rows.floats;
  }

  protected advance(count: number): void {
    for (let s = 0; s < count; s++) this.advanceOne(s);
  }

  private advanceOne(s: number): void {
    const state = this.slots[s] * this.stateSize;
    const token = this.tokens[s];
    const moves = !(this.masksZero && token === 0);
    let x = this.vocabulary > 0 ? this.embeddings : this.inputs;
    let xAt = this.vocabulary > 0 ? token * (this.embeddings.length / this.vocabulary) : s * this.spec.inputSize;
    for (const { cell, stateAt, row } of this.layers) {
      const target = stateAt < 0 ? row : this.states;
      const at = stateAt < 0 ? 0 : state + stateAt;
      if (stateAt < 0 || moves) cell(x, xAt, target, at);
      x = target.floats;
      xAt = at;
    }
    for (let k = 0; k < this.outputSize; k++) this.rows.put(s * this.outputSize + k, x[xAt + k]);
  }

  readState(slot: number, target: Float32Array, offset = 0): void {
    this.requireSlot(slot);
    this.requireRoom(target, offset);
    target.set(this.states.floats.subarray(slot * this.stateSize, (slot + 1) * this.stateSize), offset);
  }

  writeState(slot: number, source: Float32Array, offset = 0): void {
    this.requireSlot(slot);
    this.requireRoom(source, offset);
    this.states.floats.set(source.subarray(offset, offset + this.stateSize), slot * this.stateSize);
  }

  resetState(slot: number): void {
    this.requireSlot(slot);
    this.states.floats.fill(0, slot * this.stateSize, (slot + 1) * this.stateSize);
  }
}

function cellOf(layer: LayerSpec, weights: ReturnType<typeof splitWeights>[number]): Cell | undefined {
  switch (layer.type) {
    case 'embedding':
      return undefined;
    case 'simple_rnn':
      return simpleRnnCell(layer, weights);
    case 'lstm':
      return lstmCell(layer, weights);
    case 'gru':
      return gruCell(layer, weights);
    case 'dense':
      return denseCell(layer, weights);
  }
}
