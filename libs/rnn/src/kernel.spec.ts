import { afterEach, describe, expect, it, vi } from 'vitest';
import { createMemory, instantiateKernel, RESERVED_BYTES } from './kernel.js';
import { wasm } from './wasm-api.js';

const { Memory, Module, Instance } = wasm!;

it("keeps the kernel's constants and the network apart", () => {
  const reserved = instantiateKernel(createMemory(1)).reserved();
  expect(reserved).toBeGreaterThan(0);
  expect(reserved).toBeLessThanOrEqual(RESERVED_BYTES);
});

describe('where the engine', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  async function chosenWith(webAssembly: unknown): Promise<string> {
    vi.stubGlobal('WebAssembly', webAssembly);
    vi.resetModules();
    const { createNetwork } = await import('./network.js');
    const layers = [{ type: 'dense', units: 1, activation: 'linear', useBias: false }] as const;
    const network = createNetwork({ inputSize: 1, layers }, Float32Array.of(2), { capacity: 1, maxWave: 1 });
    network.inputs[0] = 21;
    network.step(1);
    expect(network.outputs[0]).toBe(42);
    return network.implementation;
  }

  it('has no WebAssembly, the twin serves', async () => {
    expect(await chosenWith(undefined)).toBe('scalar');
  });

  it('cannot compile SIMD, the twin serves', async () => {
    const Refusing = class {
      constructor() {
        throw new Error('invalid opcode');
      }
    };
    expect(await chosenWith({ Memory, Instance, Module: Refusing })).toBe('scalar');
  });

  it('runs the kernel but computes wrongly, the twin serves', async () => {
    const Idle = class {
      readonly exports = { activate: (): void => undefined, run: (): void => undefined, reserved: (): number => 0 };
    };
    expect(await chosenWith({ Memory, Module, Instance: Idle })).toBe('scalar');
  });

  it('has all of it, the kernel serves', async () => {
    expect(await chosenWith(wasm)).toBe('simd');
  });
});
