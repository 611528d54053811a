/** What served when an outcome was made, as far as that outcome tells and what served before says the rest. */
import { parseServed, servedText, type Served } from '#domain/served';
import { isInShare } from '#pipeline/stream-table';

const labels = (served: Served<string>): string => servedText(served, (label) => label);

/** Of an outcome. */
export interface Telling {
  readonly stream?: string | undefined;
  readonly model?: string | null | undefined;
  readonly canary?: number | undefined;
}

/** `before` and the result as `servedText`; null: nothing, or the outcome does not tell. `later`: the outcomes after it, as far as they are known. A canary's outcome does not say whose
 *  place it took, and the champion may have changed with it: the next one that is the champion's says that. */
export function whatServes(
  before: string | null,
  { stream, model, canary: share }: Telling,
  later: Iterable<Telling | undefined> = [],
): string | null {
  if (typeof model !== 'string' || stream === undefined) return before;
  const { champion, canary } = before === null ? { champion: model, canary: undefined } : parseServed(before);
  if (share !== undefined) {
    if (canary?.model === model && canary.share === share) return before;
    return labels({ champion: nextChampion(later, model) ?? champion, canary: { model, share } });
  }
  // Its own stream says that a canary is over; of another model's streams it may go on.
  const over = canary === undefined || canary.model === model || isInShare(stream, canary.share);
  return labels({ champion: model, canary: over ? undefined : canary });
}

/** undefined: there is none, or the canary has become it by then. */
function nextChampion(later: Iterable<Telling | undefined>, canary: string): string | undefined {
  for (const outcome of later) {
    if (typeof outcome?.model !== 'string' || outcome.canary !== undefined) continue;
    return outcome.model === canary ? undefined : outcome.model;
  }
  return undefined;
}
