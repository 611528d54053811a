/** Bundles the page into static files: dist/apps/dashboard/public/{index.html,app.js,app.css}. */
import { copyFile, mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const out = path('../../dist/apps/dashboard/public/');

await mkdir(out, { recursive: true });
await build({
  entryPoints: { app: path('src/main.ts') },
  outdir: out,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022', 'chrome109', 'firefox115', 'safari16'],
  legalComments: 'inline',
  logLevel: 'warning',
});
await copyFile(path('src/index.html'), `${out}index.html`);
