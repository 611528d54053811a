// Compiles assembly/ to WebAssembly and writes each kernel, as base64 in a TypeScript module, to src/generated/.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = dirname(fileURLToPath(import.meta.url));

async function build(entry, name, constant) {
  const target = join(root, 'src/generated', `${name}.ts`);
  let wasm;
  const { error, stderr } = await asc.main(
    // Relaxed SIMD stays off: its results may differ from one machine to the next.
    [entry, '-O3', '--enable', 'simd', '--runtime', 'stub', '--importMemory', '--noAssert', '-o', 'kernel.wasm'],
    {
      readFile: (name, baseDir) => readFile(join(root, 'assembly', baseDir, name), 'utf8').catch(() => null),
      writeFile: (_name, contents) => void (wasm = contents),
      listFiles: () => [],
    },
  );
  if (error) {
    console.error(stderr.toString() || error);
    process.exit(1);
  }
  const source = `/** Made by build-kernel.mjs. */\nexport const ${constant} =\n  '${Buffer.from(wasm).toString('base64')}';\n`;
  await mkdir(dirname(target), { recursive: true });
  // An unchanged file keeps its date, so that nothing is rebuilt after it.
  if ((await readFile(target, 'utf8').catch(() => '')) !== source) await writeFile(target, source);
}

await build('index.ts', 'kernel-wasm', 'KERNEL_WASM');
await build('training/index.ts', 'training-wasm', 'TRAINING_WASM');
