/** Numbers by a small integer, growing chunk by chunk: no copy, and no memory beyond what the largest index needs. */
const BITS = 16;
const SIZE = 1 << BITS;
const MASK = SIZE - 1;

export class ChunkedFloats {
  private readonly chunks: Float64Array[] = [];

  constructor(private readonly empty: number) {}

  get(i: number): number {
    const chunk = this.chunks[i >>> BITS];
    return chunk === undefined ? this.empty : chunk[i & MASK];
  }

  set(i: number, value: number): void {
    const k = i >>> BITS;
    while (this.chunks.length <= k) this.chunks.push(new Float64Array(SIZE).fill(this.empty));
    this.chunks[k][i & MASK] = value;
  }
}

export class ChunkedInts {
  private readonly chunks: Int32Array[] = [];

  constructor(private readonly empty: number) {}

  get(i: number): number {
    const chunk = this.chunks[i >>> BITS];
    return chunk === undefined ? this.empty : chunk[i & MASK];
  }

  set(i: number, value: number): void {
    const k = i >>> BITS;
    while (this.chunks.length <= k) this.chunks.push(new Int32Array(SIZE).fill(this.empty));
    this.chunks[k][i & MASK] = value;
  }
}
