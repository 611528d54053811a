/** What serves a pipeline: one model, or a champion and, for a share of the streams, a canary. As one text it stands where one model's name would: its digests in watermarks,
 *  its labels in logs. */
import { RiverrunError } from './errors.js';

export interface Served<T> {
  readonly champion: T;
  readonly canary?: Canary<T> | undefined;
}

export interface Canary<T> {
  readonly model: T;
  /** Of the streams, above 0 and below 1. */
  readonly share: number;
}

/** `champion`, or `champion|share|canary`, each by its `name`: neither digests nor labels have a bar. */
export const servedText = <T>({ champion, canary }: Served<T>, name: (model: T) => string): string =>
  canary === undefined ? name(champion) : `${name(champion)}|${canary.share}|${name(canary.model)}`;

export function parseServed(text: string): Served<string> {
  const [champion, share, model] = text.split('|');
  return model === undefined ? { champion } : { champion, canary: { model, share: Number(share) } };
}

/** The same with each model's name looked up. */
export async function resolveServed<T>(
  { champion, canary }: Served<string>,
  find: (name: string) => Promise<T>,
): Promise<Served<T>> {
  return {
    champion: await find(champion),
    ...(canary !== undefined && { canary: { model: await find(canary.model), share: canary.share } }),
  };
}

/** RiverrunError ARGUMENT unless it is a share of the streams. */
export function mustBeShare(share: number): void {
  if (share > 0 && share < 1) return;
  throw new RiverrunError(
    'ARGUMENT',
    `share is ${share}: a number above 0 and below 1 is needed, as 0.1 for every tenth stream`,
  );
}
