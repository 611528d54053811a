/** The address says which stream is open: `#stream=ID`. */
const PREFIX = '#stream=';

export function streamHref(id: string): string {
  return PREFIX + encodeURIComponent(id);
}

export function openStream(): string | undefined {
  const { hash } = location;
  if (!hash.startsWith(PREFIX)) return undefined;
  try {
    const id = decodeURIComponent(hash.slice(PREFIX.length));
    return id === '' ? undefined : id;
  } catch {
    return undefined;
  }
}

export function goTo(id: string | undefined): void {
  if (id === openStream()) return;
  if (id === undefined) history.pushState(null, '', location.pathname + location.search);
  else history.pushState(null, '', streamHref(id));
  dispatchEvent(new PopStateEvent('popstate'));
}

/** Also called once now. */
export function onRoute(show: (id: string | undefined) => void): void {
  // A link to a hash fires both events; showing what is already shown does nothing.
  for (const name of ['popstate', 'hashchange']) addEventListener(name, () => show(openStream()));
  show(openStream());
}
