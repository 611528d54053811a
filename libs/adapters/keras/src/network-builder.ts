/** Puts together a network layer by layer: all shapes are compared first, weights are read at the end. */
import { weightCount, type DenseSpec, type LayerSpec, type NetworkSpec } from '#rnn/spec';
import type { AnyActivation } from './activations.js';
import { MAX_DIAGONAL, MAX_WEIGHT_BYTES } from './limits.js';
import { invalid, quote, unsupported } from './refusals.js';
import type { Tensor } from './saved-model.js';

type Piece = () => ArrayLike<number>;

export class NetworkBuilder {
  readonly notes: string[] = [];
  private readonly layers: LayerSpec[] = [];
  private readonly pieces: Piece[] = [];
  private inputSize: number | undefined;
  /** Values a tick has at this point of the chain; undefined before the first layer of a model that does not say. */
  size: number | undefined;

  constructor(inputSize: number | undefined) {
    this.inputSize = inputSize;
    this.size = inputSize;
  }

  get empty(): boolean {
    return this.layers.length === 0;
  }

  hasEmbedding(): boolean {
    return this.layers[0]?.type === 'embedding';
  }

  masksZero(): boolean {
    const first = this.layers[0];
    return first?.type === 'embedding' && first.maskZero === true;
  }

  /** `shapes` as [role, shape]; the first dimension of the first kernel settles the input size where nothing else has. */
  add(
    where: string,
    spec: LayerSpec,
    tensors: readonly Tensor[],
    shapes: readonly (readonly [string, number[]])[],
  ): void {
    if (spec.type === 'embedding') this.inputSize = 1;
    const byRole = ordered(
      where,
      tensors,
      shapes.map(([role]) => role),
    );
    shapes.forEach(([role, shape], i) => {
      const tensor = byRole[i];
      if (this.size === undefined && role === 'kernel' && tensor.shape.length === 2) this.start(tensor.shape[0]);
      const expected = shape.map((d) => (Number.isNaN(d) ? this.size! : d));
      if (expected.length !== tensor.shape.length || expected.some((d, k) => d !== tensor.shape[k]))
        throw invalid(
          `${where}: ${role} has the shape [${tensor.shape.join(', ')}], its configuration makes it [${expected.join(', ')}]`,
        );
      this.pieces.push(() => finite(where, role, tensor.read()));
    });
    this.push(where, spec);
  }

  /** y = f(s x + t), one factor and one shift a value, as a Dense with a diagonal kernel. */
  addDiagonal(where: string, activation: AnyActivation, scale: Piece, shift?: Piece): void {
    const n = this.size;
    if (n === undefined)
      throw invalid(`${where}: the model does not say how many values a tick has; give it an Input layer`);
    if (n > MAX_DIAGONAL)
      throw unsupported(
        where,
        `applied to ${n} values on its own (at most ${MAX_DIAGONAL}); fold it into the layer before it`,
      );
    this.pieces.push(() => {
      const factors = scale();
      const kernel = new Float32Array(n * n);
      for (let i = 0; i < n; i++) kernel[i * n + i] = factors[i];
      return finite(where, 'scale', kernel);
    });
    if (shift !== undefined) this.pieces.push(() => finite(where, 'shift', Float32Array.from(shift())));
    this.push(where, { type: 'dense', units: n, activation, useBias: shift !== undefined });
  }

  /** An activation on its own becomes part of a linear Dense before it; after a recurrent layer it may not enter the recurrence. */
  addActivation(where: string, activation: AnyActivation): void {
    if (activation === 'linear') return;
    const last = this.layers.at(-1);
    if (last?.type === 'dense' && last.activation === 'linear')
      this.layers[this.layers.length - 1] = { ...last, activation } satisfies DenseSpec;
    else this.addDiagonal(where, activation, () => new Float32Array(this.sizeBefore(where)).fill(1));
  }

  build(): { network: NetworkSpec; weights: Float32Array } {
    if (this.layers.length === 0 || this.inputSize === undefined) throw invalid('the model has no layer with weights');
    const network: NetworkSpec = { inputSize: this.inputSize, layers: this.layers };
    const weights = new Float32Array(this.checkedCount());
    let offset = 0;
    for (const piece of this.pieces) {
      const values = piece();
      weights.set(values, offset);
      offset += values.length;
    }
    if (offset !== weights.length) throw invalid(`the model has ${offset} weights, its layers take ${weights.length}`);
    return { network, weights };
  }

  private sizeBefore(where: string): number {
    if (this.size === undefined) throw invalid(`${where}: the model does not say how many values a tick has`);
    return this.size;
  }

  private start(size: number): void {
    this.size = size;
    this.inputSize ??= size;
  }

  private push(where: string, spec: LayerSpec): void {
    this.layers.push(spec);
    this.size = spec.type === 'embedding' ? spec.outputDim : spec.units;
    if (this.checkedCount() * 4 > MAX_WEIGHT_BYTES)
      throw invalid(`${where}: the model's weights take more than ${MAX_WEIGHT_BYTES} bytes`);
  }

  private checkedCount(): number {
    return weightCount({ inputSize: this.inputSize!, layers: this.layers });
  }
}

/** By name where the file names all of them, else in the order in which Keras always writes them. */
function ordered(where: string, tensors: readonly Tensor[], roles: readonly string[]): Tensor[] {
  if (tensors.length !== roles.length)
    throw invalid(
      `${where}: the file has ${tensors.length} weight arrays for it, its configuration makes ${roles.length} (${roles.join(', ')})`,
    );
  const named = roles.map((role) => tensors.filter((tensor) => tensor.role === role));
  if (named.every((found) => found.length === 1)) return named.map(([tensor]) => tensor);
  if (tensors.some(({ role }) => role !== undefined && roles.includes(role)))
    throw invalid(
      `${where}: the weight arrays are ${tensors.map(({ name }) => quote(name)).join(', ')}, expected ${roles.join(', ')}`,
    );
  return [...tensors];
}

export function finite(where: string, role: string, values: Float32Array): Float32Array {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw invalid(
      `${where}: ${role} has ${values[bad]} at position ${bad}; such a model predicts nothing, train it again`,
    );
  return values;
}
