/** What the kernel knows of a pass over a batch of sequences: 32-bit words written by src/training-plan.ts in this order (PASS_FIELDS there).
 *  n below is the bytes of one [rows, units] matrix in quads. */
@unmanaged
export class Pass {
  cell: i32;
  steps: i32;
  /** The batch filled up with zeros to a multiple of 4. */
  rows: i32;
  /** Of the inputs with a column of ones behind them (the bias is its weight), and of the units, a multiple of 2. */
  inputQuads: i32;
  unitQuads: i32;
  /** Only the outputs from this step on are seen outside. */
  skip: i32;
  /** [steps + 1]: the inputs' quads, then those of the state before the step. */
  operands: usize;
  /** [steps]: only a GRU; the inputs' quads, then those of r h. */
  resets: usize;
  /** [steps, gates]: activations, which the backward pass turns into gradients of pre-activations. */
  gates: usize;
  /** [steps + 1]: only an LSTM; its cell states. */
  cells: usize;
  weights: usize;
  /** The recurrent kernel transposed. */
  back: usize;
  gradients: usize;
  /** The same of a GRU's candidate, which is multiplied with r h. */
  candidateWeights: usize;
  candidateBack: usize;
  candidateGradients: usize;
  /** The gradient of the state that the step before gets. */
  carry: usize;
  /** Of an LSTM's cell state, or of a GRU's r h. */
  carryTwo: usize;
  /** By read-out its weights, one a unit, and behind them four times its bias. */
  readOut: usize;
  readOutGradients: usize;
  /** [steps - skip, heads, rows]: outputs going out, their gradient coming in. */
  outputs: usize;
  /** Read-outs. */
  heads: i32;

  @inline get quadBytes(): usize {
    return (<usize>this.rows) << 4;
  }
  @inline get n(): usize {
    return <usize>this.unitQuads * this.quadBytes;
  }
  @inline get inputBytes(): usize {
    return <usize>this.inputQuads * this.quadBytes;
  }
  @inline get operandQuads(): i32 {
    return this.inputQuads + this.unitQuads;
  }
  @inline get operandBytes(): usize {
    return this.inputBytes + this.n;
  }
  @inline operand(t: i32): usize {
    return this.operands + <usize>t * this.operandBytes;
  }
  /** The state before step t. */
  @inline state(t: i32): usize {
    return this.operand(t) + this.inputBytes;
  }
  @inline readOutOf(head: i32): usize {
    return this.readOut + ((<usize>(head * (this.unitQuads + 1))) << 4);
  }
  @inline reset(t: i32): usize {
    return this.resets + <usize>t * this.operandBytes;
  }
}

/** outputs = states x read-out + bias. */
export function readOut(pass: Pass): void {
  let out = pass.outputs;
  for (let t = pass.skip; t < pass.steps; t++) {
    for (let head = 0; head < pass.heads; head++) {
      readOutHead(pass, t, pass.readOutOf(head), out);
      out += (<usize>pass.rows) << 2;
    }
  }
}

function readOutHead(pass: Pass, t: i32, weights: usize, out: usize): void {
  const bias = v128.load(weights + ((<usize>pass.unitQuads) << 4));
  const states = pass.state(t + 1);
  for (let b = 0; b < pass.rows; b += 4) {
    let at = states + ((<usize>b) << 4);
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let q = 0; q < pass.unitQuads; q++) {
      const w = v128.load(weights + ((<usize>q) << 4));
      s0 = f32x4.add(s0, f32x4.mul(v128.load(at), w));
      s1 = f32x4.add(s1, f32x4.mul(v128.load(at, 16), w));
      s2 = f32x4.add(s2, f32x4.mul(v128.load(at, 32), w));
      s3 = f32x4.add(s3, f32x4.mul(v128.load(at, 48), w));
      at += pass.quadBytes;
    }
    const s01 = f32x4.add(v128.shuffle<i32>(s0, s1, 0, 4, 1, 5), v128.shuffle<i32>(s0, s1, 2, 6, 3, 7));
    const s23 = f32x4.add(v128.shuffle<i32>(s2, s3, 0, 4, 1, 5), v128.shuffle<i32>(s2, s3, 2, 6, 3, 7));
    const sum = f32x4.add(v128.shuffle<i64>(s01, s23, 0, 2), v128.shuffle<i64>(s01, s23, 1, 3));
    v128.store(out, f32x4.add(sum, bias));
    out += 16;
  }
}

/** Adds what the outputs of step t say to the gradient of the state after it, and to the read-outs'. */
export function readOutBack(pass: Pass, t: i32): void {
  if (t < pass.skip) return;
  for (let head = 0; head < pass.heads; head++) {
    const gradient = pass.outputs + ((<usize>((t - pass.skip) * pass.heads + head) * <usize>pass.rows) << 2);
    readOutHeadBack(
      pass,
      t,
      pass.readOutOf(head),
      pass.readOutGradients + ((<usize>(head * pass.unitQuads)) << 4),
      gradient,
    );
  }
}

function readOutHeadBack(pass: Pass, t: i32, weights: usize, sums: usize, gradient: usize): void {
  const states = pass.state(t + 1);
  for (let q = 0; q < pass.unitQuads; q++) {
    const w = v128.load(weights + ((<usize>q) << 4));
    const sum = sums + ((<usize>q) << 4);
    let dw = v128.load(sum);
    const quad = <usize>q * pass.quadBytes;
    for (let b = 0; b < pass.rows; b++) {
      const at = quad + ((<usize>b) << 4);
      const d = v128.load32_splat(gradient + ((<usize>b) << 2));
      dw = f32x4.add(dw, f32x4.mul(d, v128.load(states + at)));
      v128.store(pass.carry + at, f32x4.add(v128.load(pass.carry + at), f32x4.mul(d, w)));
    }
    v128.store(sum, dw);
  }
}
