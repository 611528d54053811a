/** The two ways a model file is turned away, each in one line. */
import { RiverrunError } from '#domain/errors';

/** A whole model that cannot be served tick by tick: names the layer and says why. */
export const unsupported = (layer: string, why: string): RiverrunError =>
  new RiverrunError('MODEL_UNSUPPORTED', `${layer}: ${why}`);

/** A file that is broken or means harm. */
export const invalid = (what: string, cause?: unknown): RiverrunError =>
  new RiverrunError('MODEL_INVALID', what, { cause });

/** A text of the file's for a one-line message: no line breaks or control characters, and not endless. */
export function quote(text: unknown): string {
  // Only printable characters: what the file says must not be able to steer a terminal.
  const plain = String(text).replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?');
  return `"${plain.length > 80 ? `${plain.slice(0, 77)}...` : plain}"`;
}
