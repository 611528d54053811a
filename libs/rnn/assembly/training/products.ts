/** The two matrix products of back-propagation through time, in tiles of 4 by 8: 8 sums in registers, 2 vectors and 4 splats a step of them.
 *
 *  A matrix over a batch lies in quads: columns 4q .. 4q + 3 of all rows, row after row: element (r, k) of [rows, K] is float
 *  (k / 4 * rows + r) * 4 + k % 4. A tile's operands lie at constant distances from one pointer, and maths by element is one stretch.
 *  Weights, and their gradients, lie in panels of 8 columns: panel after panel, row after row.
 *
 *  The innermost loops do one term a round: unrolled by hand they are slower by a fifth to two fifths, since V8 then runs out of registers. */

class Tile {
  /** Rounded twice: fused operations would give other bits on other machines. */
  @inline static add(sum: v128, x: v128, w: v128): v128 {
    return f32x4.add(sum, f32x4.mul(x, w));
  }
}

/** out[rows, 8 pairs] = a[rows, 4 quads] x w, added to what is there if `adds`. `rows`: a multiple of 4. */
export function product(a: usize, quads: i32, w: usize, out: usize, pairs: i32, rows: i32, adds: bool): void {
  const quadBytes = (<usize>rows) << 4;
  const panelBytes = (<usize>quads) << 7;
  for (let p = 0; p < pairs; p++) {
    const panelEnd = w + panelBytes;
    for (let at = a, end = a + quadBytes; at < end; at += 64) {
      let o = out + (at - a);
      let a0 = f32x4.splat(0);
      let a1 = a0;
      let b0 = a0;
      let b1 = a0;
      let c0 = a0;
      let c1 = a0;
      let d0 = a0;
      let d1 = a0;
      if (adds) {
        a0 = v128.load(o);
        b0 = v128.load(o, 16);
        c0 = v128.load(o, 32);
        d0 = v128.load(o, 48);
        a1 = v128.load(o + quadBytes);
        b1 = v128.load(o + quadBytes, 16);
        c1 = v128.load(o + quadBytes, 32);
        d1 = v128.load(o + quadBytes, 48);
      }
      let x = at;
      for (let v = w; v < panelEnd;) {
        for (const end = x + 16; x < end; x += 4) {
          const w0 = v128.load(v);
          const w1 = v128.load(v, 16);
          let s = v128.load32_splat(x);
          a0 = Tile.add(a0, s, w0);
          a1 = Tile.add(a1, s, w1);
          s = v128.load32_splat(x, 16);
          b0 = Tile.add(b0, s, w0);
          b1 = Tile.add(b1, s, w1);
          s = v128.load32_splat(x, 32);
          c0 = Tile.add(c0, s, w0);
          c1 = Tile.add(c1, s, w1);
          s = v128.load32_splat(x, 48);
          d0 = Tile.add(d0, s, w0);
          d1 = Tile.add(d1, s, w1);
          v += 32;
        }
        x += quadBytes - 16;
      }
      v128.store(o, a0);
      v128.store(o, b0, 16);
      v128.store(o, c0, 32);
      v128.store(o, d0, 48);
      o += quadBytes;
      v128.store(o, a1);
      v128.store(o, b1, 16);
      v128.store(o, c1, 32);
      v128.store(o, d1, 48);
    }
    out += quadBytes << 1;
    w = panelEnd;
  }
}

/** Rows that are summed before the sums go back to memory: their operands stay in cache. */
const CHUNK_ROWS: i32 = 256;

/** out[4 quads, 8 pairs] = the sum over the steps of transposed(a)[4 quads, rows] x g[rows, 8 pairs]; a step's a and g lie `aStride` and
 *  `gStride` bytes after those of the step before. */
export function outer(
  a: usize,
  aStride: usize,
  quads: i32,
  g: usize,
  gStride: usize,
  pairs: i32,
  rows: i32,
  steps: i32,
  out: usize,
): void {
  const quadBytes = (<usize>rows) << 4;
  const chunk = max(1, CHUNK_ROWS / rows);
  memory.fill(out, 0, (<usize>pairs * quads) << 7);
  for (let first = 0; first < steps; first += chunk) {
    const count = min(chunk, steps - first);
    let o = out;
    for (let p = 0; p < pairs; p++) {
      for (let q = 0; q < quads; q++) {
        tile(a + <usize>q * quadBytes, aStride, g + <usize>p * (quadBytes << 1), gStride, quadBytes, count, o);
        o += 128;
      }
    }
    a += <usize>count * aStride;
    g += <usize>count * gStride;
  }
}

function tile(a: usize, aStride: usize, g: usize, gStride: usize, quadBytes: usize, steps: i32, o: usize): void {
  let a0 = v128.load(o);
  let a1 = v128.load(o, 16);
  let b0 = v128.load(o, 32);
  let b1 = v128.load(o, 48);
  let c0 = v128.load(o, 64);
  let c1 = v128.load(o, 80);
  let d0 = v128.load(o, 96);
  let d1 = v128.load(o, 112);
  for (; steps > 0; steps--) {
    let g0 = g;
    let g1 = g + quadBytes;
    for (let x = a, end = a + quadBytes; x < end; x += 16) {
      const w0 = v128.load(g0);
      const w1 = v128.load(g1);
      let s = v128.load32_splat(x);
      a0 = Tile.add(a0, s, w0);
      a1 = Tile.add(a1, s, w1);
      s = v128.load32_splat(x, 4);
      b0 = Tile.add(b0, s, w0);
      b1 = Tile.add(b1, s, w1);
      s = v128.load32_splat(x, 8);
      c0 = Tile.add(c0, s, w0);
      c1 = Tile.add(c1, s, w1);
      s = v128.load32_splat(x, 12);
      d0 = Tile.add(d0, s, w0);
      d1 = Tile.add(d1, s, w1);
      g0 += 16;
      g1 += 16;
    }
    a += aStride;
    g += gStride;
  }
  v128.store(o, a0);
  v128.store(o, a1, 16);
  v128.store(o, b0, 32);
  v128.store(o, b1, 48);
  v128.store(o, c0, 64);
  v128.store(o, c1, 80);
  v128.store(o, d0, 96);
  v128.store(o, d1, 112);
}
