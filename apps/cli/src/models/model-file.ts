/** A model as one JSON file: `model export` writes it, everything that takes a model file reads it. */
import { readFile, stat } from 'node:fs/promises';
import { RiverrunError } from '#domain/errors';
import { digestOf } from '#domain/model-digest';
import type { ModelArtifact, ModelDraft } from '#domain/model';

interface ModelFile {
  readonly riverrun: 'model';
  readonly manifest: ModelArtifact['manifest'];
  /** float32, little-endian, base64; in the order of weightShapes(manifest.network). */
  readonly weights: string;
}

const MARK = '"riverrun":"model"';

export function encodeModelFile({ manifest, weights }: ModelArtifact): string {
  const bytes = Buffer.alloc(4 * weights.length);
  weights.forEach((weight, i) => bytes.writeFloatLE(weight, 4 * i));
  const file: ModelFile = { riverrun: 'model', manifest, weights: bytes.toString('base64') };
  return `${JSON.stringify(file)}\n`;
}

export interface ReadModel {
  readonly draft: ModelDraft;
  readonly weights: Float32Array;
}

/** The model, or undefined where the file is not one of ours (a TensorFlow.js model.json, a Keras archive). */
export async function readModelFile(path: string): Promise<ReadModel | undefined> {
  if (!path.toLowerCase().endsWith('.json') || !(await stat(path)).isFile()) return undefined;
  const text = await readFile(path, 'utf8');
  if (!text.slice(0, 200).replace(/\s/g, '').includes(MARK)) return undefined;
  const corrupt = (what: string): RiverrunError => new RiverrunError('MODEL_CORRUPT', `${path}: ${what}`);
  let file: Partial<ModelFile>;
  try {
    file = JSON.parse(text) as Partial<ModelFile>;
  } catch {
    throw corrupt('the file is cut off or was changed: it is not JSON');
  }
  const { manifest, weights: base64 } = file;
  if (typeof manifest !== 'object' || manifest === null || typeof base64 !== 'string')
    throw corrupt('manifest or weights are missing');
  const bytes = Buffer.from(base64, 'base64');
  const weights = new Float32Array(bytes.length >> 2);
  for (let i = 0; i < weights.length; i++) weights[i] = bytes.readFloatLE(4 * i);
  if (bytes.length % 4 !== 0 || digestOf(manifest, weights) !== manifest.digest)
    throw corrupt('manifest and weights are not the ones that were exported: the digest differs');
  const { version: _, digest: __, format: ___, ...draft } = manifest;
  return { draft, weights };
}
