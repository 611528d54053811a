import type { Version } from './activations.js';
import { quote, unsupported } from './refusals.js';

/** `otherwise` where the file does not say. */
export function versionOf(value: unknown, otherwise: string, tfjs = false): Version {
  const text = typeof value === 'string' ? value : otherwise;
  const major = Number.parseInt(/(\d+)/.exec(text)?.[1] ?? '0', 10);
  if (major === 1 && !tfjs) throw tooOld(text);
  return { major: major === 0 || (tfjs && major === 1) ? 2 : major, text, tfjs: tfjs && major < 3 };
}

export const tooOld = (text: string): Error =>
  unsupported('model', `saved by Keras ${quote(text)}; load it in Keras 2 and save it again`);
