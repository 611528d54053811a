/** What served when an outcome was made, as far as that outcome tells and what served before says the rest. */
import { parseServed, servedText, type Served } from '#domain/served';
import { isInShare } from '#pipeline/stream-table';

const labels = (served: Served<string>): string => servedText(served, (label) => label);

/** `before` and the result as `servedText`; null: nothing, or the outcome does not tell. */
export function whatServes(
  before: string | null,
  {
    stream,
    model,
    canary: share,
  }: {
    readonly stream?: string | undefined;
    readonly model?: string | null | undefined;
    readonly canary?: number | undefined;
  },
): string | null {
  if (typeof model !== 'string' || stream === undefined) return before;
  const { champion, canary } = before === null ? { champion: model, canary: undefined } : parseServed(before);
  if (share !== undefined) return labels({ champion, canary: { model, share } });
  // Its own stream says that a canary is over; of another model's streams it may go on.
  const over = canary === undefined || canary.model === model || isInShare(stream, canary.share);
  return labels({ champion: model, canary: over ? undefined : canary });
}
