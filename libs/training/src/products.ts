/** The three matrix products of back-propagation through time, row-major, adding to what is there. Four terms are taken at once: it halves the
 *  loads and stores, and those are what plain loops spend their time on. */

/** out[rows, n] += a[rows, k] x m[k, n]. */
export function addProduct(
  out: Float32Array,
  a: Float32Array,
  m: Float32Array,
  rows: number,
  k: number,
  n: number,
): void {
  for (let r = 0; r < rows; r++) addRow(out, r * n, a, r * k, 1, m, k, n);
}

/** out[k, n] += transposed(a)[k, rows] x g[rows, n]. */
export function addOuter(
  out: Float32Array,
  a: Float32Array,
  g: Float32Array,
  rows: number,
  k: number,
  n: number,
): void {
  for (let i = 0; i < k; i++) addRow(out, i * n, a, i, k, g, rows, n);
}

/** out[at..at + n) += sum over i < terms of a[from + i x stride] x (row i of m). */
function addRow(
  out: Float32Array,
  at: number,
  a: Float32Array,
  from: number,
  stride: number,
  m: Float32Array,
  terms: number,
  n: number,
): void {
  let i = 0;
  for (; i + 4 <= terms; i += 4) {
    const a0 = a[from + i * stride];
    const a1 = a[from + (i + 1) * stride];
    const a2 = a[from + (i + 2) * stride];
    const a3 = a[from + (i + 3) * stride];
    const row = i * n;
    for (let j = 0; j < n; j++) {
      out[at + j] += a0 * m[row + j] + a1 * m[row + n + j] + a2 * m[row + 2 * n + j] + a3 * m[row + 3 * n + j];
    }
  }
  for (; i < terms; i++) {
    const a0 = a[from + i * stride];
    for (let j = 0; j < n; j++) out[at + j] += a0 * m[i * n + j];
  }
}

/** out[n] += sum over the rows of g[rows, n]. */
export function addColumnSums(out: Float32Array, g: Float32Array, rows: number, n: number): void {
  for (let r = 0; r < rows; r++) for (let j = 0; j < n; j++) out[j] += g[r * n + j];
}

export function transposed(m: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(m.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = m[r * columns + c];
  return out;
}
