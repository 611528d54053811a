/** The style sheet's colours for what is drawn on canvas; read again when the system turns light or dark. */

const NAMES = ['actual', 'predicted', 'interval', 'grid', 'muted', 'surface', 'marker'] as const;

export type Theme = Readonly<Record<(typeof NAMES)[number], string>>;

function read(): Theme {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as Theme;
}

export let theme: Theme = read();

const listeners = new Set<() => void>();

export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  theme = read();
  for (const listener of listeners) listener();
});
