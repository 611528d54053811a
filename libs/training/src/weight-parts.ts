/** A network's weights as one array, and as its parts: in the order of `weightShapes`. */
import { weightShapes, type NetworkSpec } from '#rnn/spec';

/** Copies of the parts. */
export function partsOf(network: NetworkSpec, weights: Float32Array): Float32Array[] {
  let from = 0;
  return weightShapes(network).map(({ shape }) => weights.slice(from, (from += shape.reduce((a, b) => a * b, 1))));
}

export function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
