/** Numbers by a small integer, growing chunk by chunk: no copy, and no memory beyond what the largest index needs. */
const BITS = 16;
const SIZE = 1 << BITS;
const MASK = SIZE - 1;

export class Chunked {
  private readonly chunks: (Float64Array | Int32Array)[] = [];

  /** `ArrayType` says what numbers it holds; `empty` is what is read where none was set. */
  constructor(
    private readonly ArrayType: Float64ArrayConstructor | Int32ArrayConstructor,
    private readonly empty: number,
  ) {}

  get(i: number): number {
    const chunk = this.chunks[i >>> BITS];
    return chunk === undefined ? this.empty : chunk[i & MASK];
  }

  set(i: number, value: number): void {
    const k = i >>> BITS;
    while (this.chunks.length <= k) this.chunks.push(new this.ArrayType(SIZE).fill(this.empty));
    this.chunks[k][i & MASK] = value;
  }
}
