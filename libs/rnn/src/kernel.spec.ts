import { expect, it } from 'vitest';
import { createMemory, instantiateKernel, RESERVED_BYTES } from './kernel.js';

it("keeps the kernel's constants and the network apart", () => {
  const reserved = instantiateKernel(createMemory(1)).reserved();
  expect(reserved).toBeGreaterThan(0);
  expect(reserved).toBeLessThanOrEqual(RESERVED_BYTES);
});
