import { readFileSync } from 'node:fs';

/** package.json lies at the root of the checkout and of the image, five levels above dist/apps/cli/src/version.js. */
export function version(): string {
  const file = new URL('../../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
