/** The style sheet's colours, for the canvas; they follow the system's light or dark. */
const NAMES = ['actual', 'predicted', 'soft', 'line', 'grid', 'surface', 'model', 'blend', 'baseline'] as const;
type Palette = Record<(typeof NAMES)[number], string>;

function read(): Palette {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as Palette;
}

export let palette: Palette = read();

export function onThemeChange(redraw: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    palette = read();
    redraw();
  });
}
