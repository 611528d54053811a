import { KERNEL_WASM } from './generated/kernel-wasm.js';
import { wasm, type WasmMemory } from './wasm-api.js';

/** What the WebAssembly module exports (assembly/index.ts). Pointers are byte offsets into its memory. */
export interface Kernel {
  run(records: number, layers: number, count: number): void;
  activate(id: number, from: number, to: number): void;
  reserved(): number;
}

export const PAGE_BYTES = 65536;
export const MAX_PAGES = 65536;
/** The kernel's own constants lie below; at least `reserved()`, which kernel.spec.ts checks. */
export const RESERVED_BYTES = 2048;

let module: object | undefined;

/** Compiled once; every network has an instance and a memory of its own. Throws where the engine lacks WebAssembly or its SIMD. */
export function instantiateKernel(memory: WasmMemory): Kernel {
  if (wasm === undefined) throw new Error('this engine has no WebAssembly');
  module ??= new wasm.Module(Uint8Array.from(atob(KERNEL_WASM), (c) => c.charCodeAt(0)));
  const instance = new wasm.Instance(module, { env: { memory } });
  return instance.exports as Kernel;
}

/** A memory of fixed size, so that views of it stay valid. The engine reserves it; a page takes room only once it is touched. */
export function createMemory(bytes: number): WasmMemory {
  if (wasm === undefined) throw new Error('this engine has no WebAssembly');
  const pages = Math.ceil(bytes / PAGE_BYTES);
  if (pages > MAX_PAGES)
    throw new RangeError(`capacity: the network needs ${bytes} bytes, more than the 4 GiB of a WebAssembly memory`);
  return new wasm.Memory({ initial: pages, maximum: pages });
}
