import type { Version } from './activations.js';
import { quote, unsupported } from './refusals.js';

/** `otherwise` where the file does not say. TensorFlow.js writes its own number, `tfjs-layers 4.22.0`, and computes as Keras 2 does; a model.json that
 *  was converted keeps the number of the Keras that made it. */
export function versionOf(value: unknown, otherwise: string): Version {
  const text = typeof value === 'string' ? value : otherwise;
  if (text.startsWith('tfjs')) return { major: 2, text, tfjs: true };
  const major = Number.parseInt(text, 10);
  if (major === 1) throw unsupported('model', `saved by Keras ${quote(text)}; load it in Keras 2 and save it again`);
  return { major: major >= 2 ? major : Number.parseInt(otherwise, 10), text, tfjs: false };
}
