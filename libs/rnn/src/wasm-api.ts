/** The little of WebAssembly's interface that is used here: its own declarations come with TypeScript's `dom` library only. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
interface WasmApi {
  readonly Memory: new (pages: { initial: number; maximum: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

/** Undefined where the engine has none. */
export const wasm = (globalThis as unknown as { WebAssembly?: WasmApi }).WebAssembly;
