/** bias + v W for one stream or four at once. Weights lie in panels of 8 columns: panel after panel, row after row, so that a pass reads
 *  them as one stretch. A result's sum always starts at the bias and takes the rows ascending, whichever tile computes it.
 *
 *  Results lie panel by panel, in each panel stream by stream: element k of stream s of S at ((k / 8 * S + s) * 8 + k % 8). */

/** Rows of four vectors (streams), so that row i holds element i of each: pack[i * 4 + s]. */
export function pack4(a: usize, b: usize, c: usize, d: usize, size: i32, to: usize): void {
  const last = to + ((<usize>(size & ~3)) << 4);
  const end = to + ((<usize>size) << 4);
  for (; to < last; to += 64) {
    const va = v128.load(a);
    const vb = v128.load(b);
    const vc = v128.load(c);
    const vd = v128.load(d);
    const ab0 = v128.shuffle<i32>(va, vb, 0, 4, 1, 5);
    const ab1 = v128.shuffle<i32>(va, vb, 2, 6, 3, 7);
    const cd0 = v128.shuffle<i32>(vc, vd, 0, 4, 1, 5);
    const cd1 = v128.shuffle<i32>(vc, vd, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(ab0, cd0, 0, 2));
    v128.store(to, v128.shuffle<i64>(ab0, cd0, 1, 3), 16);
    v128.store(to, v128.shuffle<i64>(ab1, cd1, 0, 2), 32);
    v128.store(to, v128.shuffle<i64>(ab1, cd1, 1, 3), 48);
    a += 16;
    b += 16;
    c += 16;
    d += 16;
  }
  for (; to < end; to += 16) {
    store<f32>(to, load<f32>(a));
    store<f32>(to, load<f32>(b), 4);
    store<f32>(to, load<f32>(c), 8);
    store<f32>(to, load<f32>(d), 12);
    a += 4;
    b += 4;
    c += 4;
    d += 4;
  }
}

/** Four streams, one panel at a time: 8 sums in registers, every weight read once for all four. */
export function affine4(w: usize, bias: usize, panels: i32, pack: usize, rows: i32, out: usize): void {
  const packEnd = pack + ((<usize>rows) << 4);
  const lastPair = pack + ((<usize>(rows & ~1)) << 4);
  for (let p = 0; p < panels; p++) {
    let a0 = v128.load(bias);
    let a1 = v128.load(bias, 16);
    let b0 = a0;
    let b1 = a1;
    let c0 = a0;
    let c1 = a1;
    let d0 = a0;
    let d1 = a1;
    for (let v = pack; v < packEnd; v += 16) {
      const w0 = v128.load(w);
      const w1 = v128.load(w, 16);
      let x = v128.load32_splat(v);
      a0 = f32x4.add(a0, f32x4.mul(x, w0));
      a1 = f32x4.add(a1, f32x4.mul(x, w1));
      x = v128.load32_splat(v, 4);
      b0 = f32x4.add(b0, f32x4.mul(x, w0));
      b1 = f32x4.add(b1, f32x4.mul(x, w1));
      x = v128.load32_splat(v, 8);
      c0 = f32x4.add(c0, f32x4.mul(x, w0));
      c1 = f32x4.add(c1, f32x4.mul(x, w1));
      x = v128.load32_splat(v, 12);
      d0 = f32x4.add(d0, f32x4.mul(x, w0));
      d1 = f32x4.add(d1, f32x4.mul(x, w1));
      w += 32;
    }
    v128.store(out, a0);
    v128.store(out, a1, 16);
    v128.store(out, b0, 32);
    v128.store(out, b1, 48);
    v128.store(out, c0, 64);
    v128.store(out, c1, 80);
    v128.store(out, d0, 96);
    v128.store(out, d1, 112);
    out += 128;
    bias += 32;
  }
}

/** One stream, three panels at a time: 6 sums hide the latency of the additions, and with 8 the registers would not do. */
export function affine1(w: usize, bias: usize, panels: i32, pack: usize, rows: i32, out: usize): void {
  const packEnd = pack + ((<usize>rows) << 2);
  const panelBytes = (<usize>rows) << 5;
  // Four are better done as two and two than as three and one.
  for (; panels >= 3 && panels != 4; panels -= 3) {
    let a0 = v128.load(bias);
    let a1 = v128.load(bias, 16);
    let b0 = v128.load(bias, 32);
    let b1 = v128.load(bias, 48);
    let c0 = v128.load(bias, 64);
    let c1 = v128.load(bias, 80);
    let wb = w + panelBytes;
    let wc = wb + panelBytes;
    for (let v = pack; v < packEnd; v += 4) {
      const x = v128.load32_splat(v);
      a0 = f32x4.add(a0, f32x4.mul(x, v128.load(w)));
      a1 = f32x4.add(a1, f32x4.mul(x, v128.load(w, 16)));
      b0 = f32x4.add(b0, f32x4.mul(x, v128.load(wb)));
      b1 = f32x4.add(b1, f32x4.mul(x, v128.load(wb, 16)));
      c0 = f32x4.add(c0, f32x4.mul(x, v128.load(wc)));
      c1 = f32x4.add(c1, f32x4.mul(x, v128.load(wc, 16)));
      w += 32;
      wb += 32;
      wc += 32;
    }
    v128.store(out, a0);
    v128.store(out, a1, 16);
    v128.store(out, b0, 32);
    v128.store(out, b1, 48);
    v128.store(out, c0, 64);
    v128.store(out, c1, 80);
    w = wc;
    out += 96;
    bias += 96;
  }
  for (; panels >= 2; panels -= 2) {
    let a0 = v128.load(bias);
    let a1 = v128.load(bias, 16);
    let b0 = v128.load(bias, 32);
    let b1 = v128.load(bias, 48);
    let wb = w + panelBytes;
    for (let v = pack; v < packEnd; v += 4) {
      const x = v128.load32_splat(v);
      a0 = f32x4.add(a0, f32x4.mul(x, v128.load(w)));
      a1 = f32x4.add(a1, f32x4.mul(x, v128.load(w, 16)));
      b0 = f32x4.add(b0, f32x4.mul(x, v128.load(wb)));
      b1 = f32x4.add(b1, f32x4.mul(x, v128.load(wb, 16)));
      w += 32;
      wb += 32;
    }
    v128.store(out, a0);
    v128.store(out, a1, 16);
    v128.store(out, b0, 32);
    v128.store(out, b1, 48);
    w = wb;
    out += 64;
    bias += 64;
  }
  if (panels == 0) return;
  let a0 = v128.load(bias);
  let a1 = v128.load(bias, 16);
  for (let v = pack; v < packEnd; v += 4) {
    const x = v128.load32_splat(v);
    a0 = f32x4.add(a0, f32x4.mul(x, v128.load(w)));
    a1 = f32x4.add(a1, f32x4.mul(x, v128.load(w, 16)));
    w += 32;
  }
  v128.store(out, a0);
  v128.store(out, a1, 16);
}
