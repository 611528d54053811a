/** The constants of sigmoid, tanh and exp, read from memory. Written as literals they would cost three instructions each, in every round of
 *  a loop, in V8's code: half of the time of an activation. */
const TABLE: usize = memory.data<f32>([
  0.693359375, -2.1219444e-4, 1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
  5.0000001201e-1, 1.44269504, 12582912, 87, -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11,
  5.12229709037114e-8, 1.48572235717979e-5, 6.37261928875436e-4, 4.89352455891786e-3, 1.19825839466702e-6,
  1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3, 7.90531111, -7.90531111, 0.0004, 1, -87,
]);

export class Constant {
  /** ln 2 in two parts. */
  @inline static ln2High(): v128 {
    return v128.load32_splat(TABLE);
  }
  @inline static ln2Low(): v128 {
    return v128.load32_splat(TABLE + 4);
  }
  /** Coefficients of e^r. */
  @inline static e7(): v128 {
    return v128.load32_splat(TABLE + 8);
  }
  @inline static e6(): v128 {
    return v128.load32_splat(TABLE + 12);
  }
  @inline static e5(): v128 {
    return v128.load32_splat(TABLE + 16);
  }
  @inline static e4(): v128 {
    return v128.load32_splat(TABLE + 20);
  }
  @inline static e3(): v128 {
    return v128.load32_splat(TABLE + 24);
  }
  @inline static e2(): v128 {
    return v128.load32_splat(TABLE + 28);
  }
  @inline static log2E(): v128 {
    return v128.load32_splat(TABLE + 32);
  }
  @inline static rounder(): v128 {
    return v128.load32_splat(TABLE + 36);
  }
  @inline static sigmoidHigh(): v128 {
    return v128.load32_splat(TABLE + 40);
  }
  /** Coefficients of tanh's numerator and denominator. */
  @inline static p13(): v128 {
    return v128.load32_splat(TABLE + 44);
  }
  @inline static p11(): v128 {
    return v128.load32_splat(TABLE + 48);
  }
  @inline static p9(): v128 {
    return v128.load32_splat(TABLE + 52);
  }
  @inline static p7(): v128 {
    return v128.load32_splat(TABLE + 56);
  }
  @inline static p5(): v128 {
    return v128.load32_splat(TABLE + 60);
  }
  @inline static p3(): v128 {
    return v128.load32_splat(TABLE + 64);
  }
  @inline static p1(): v128 {
    return v128.load32_splat(TABLE + 68);
  }
  @inline static q6(): v128 {
    return v128.load32_splat(TABLE + 72);
  }
  @inline static q4(): v128 {
    return v128.load32_splat(TABLE + 76);
  }
  @inline static q2(): v128 {
    return v128.load32_splat(TABLE + 80);
  }
  @inline static q0(): v128 {
    return v128.load32_splat(TABLE + 84);
  }
  @inline static tanhHigh(): v128 {
    return v128.load32_splat(TABLE + 88);
  }
  @inline static tanhLow(): v128 {
    return v128.load32_splat(TABLE + 92);
  }
  @inline static tiny(): v128 {
    return v128.load32_splat(TABLE + 96);
  }
  @inline static one(): v128 {
    return v128.load32_splat(TABLE + 100);
  }
  @inline static sigmoidLow(): v128 {
    return v128.load32_splat(TABLE + 104);
  }
}
