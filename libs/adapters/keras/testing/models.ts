/** Small models in each of the formats, as a spec wants them. */
import { zip, type Array2, type ZipPart } from './files.js';
import { hdf5, type Content } from './hdf5.js';

export interface Layer {
  readonly class_name: string;
  readonly config: Record<string, unknown>;
  readonly [key: string]: unknown;
}

export const layer = (class_name: string, config: Record<string, unknown> = {}): Layer => ({
  class_name,
  config: { name: class_name.toLowerCase(), ...config },
});

export const input = (...shape: (number | null)[]): Layer => layer('InputLayer', { batch_shape: [null, ...shape] });

export const sequential = (...layers: Layer[]): object => ({
  class_name: 'Sequential',
  config: { name: 'sequential', layers },
});

/** Weights by Keras 3's path: `gru/cell: [kernel, recurrent_kernel, bias]`. */
export type Weights = Record<string, Array2[]>;

export async function archive(
  topology: object,
  weights: Weights,
  extra: ZipPart[] = [],
  content: Content = {},
): Promise<Buffer> {
  const arrays = Object.entries(weights).flatMap(([path, list]) =>
    list.map((array, i): [string, Array2] => [`layers/${path}/vars/${i}`, array]),
  );
  const file = await hdf5({ ...Object.fromEntries(arrays), ...content });
  return zip(
    { name: 'metadata.json', data: '{"keras_version": "3.15.1"}' },
    { name: 'config.json', data: JSON.stringify(topology) },
    { name: 'model.weights.h5', data: file },
    ...extra,
  );
}

export function legacy(
  topology: object,
  weights: Record<string, Record<string, Array2>>,
  version = '2.13.1',
): Promise<Buffer> {
  const content: Record<string, Array2> = {};
  const attributes: Record<string, Record<string, string | string[]>> = {
    '': { model_config: JSON.stringify(topology), keras_version: version },
    model_weights: { layer_names: Object.keys(weights) },
  };
  for (const [name, arrays] of Object.entries(weights)) {
    attributes[`model_weights/${name}`] = { weight_names: Object.keys(arrays) };
    for (const [path, array] of Object.entries(arrays)) content[`model_weights/${name}/${path}`] = array;
  }
  return hdf5(content, attributes);
}
