/** Which stream is open is in the address, so that it can be bookmarked and sent to somebody: #stream=ID. */

const PREFIX = '#stream=';

export const streamHref = (id: string): string => PREFIX + encodeURIComponent(id);

export function routedStream(): string | undefined {
  if (!location.hash.startsWith(PREFIX)) return undefined;
  const text = location.hash.slice(PREFIX.length);
  if (text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    // A hand-written address with a bare % in it.
    return text;
  }
}

/** Without a jump to the top of the page. */
export function leaveStream(): void {
  if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
}
