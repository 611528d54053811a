/** Seeded noise for the room's specs and benchmarks: a failure comes back. */
export type Draw = () => number;

/** Uniform on (0, 1): mulberry32. */
export function uniform(seed: number): Draw {
  let s = seed | 0;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let z = Math.imul(s ^ (s >>> 15), 1 | s);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return (((z ^ (z >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

export const normal = (random: Draw): number => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
export const laplace = (random: Draw): number => {
  const u = random() - 0.5;
  return -Math.sign(u) * Math.log(1 - 2 * Math.abs(u));
};
/** Three degrees of freedom: a finite variance, no more. */
export const studentT3 = (random: Draw): number =>
  normal(random) / Math.sqrt((normal(random) ** 2 + normal(random) ** 2 + normal(random) ** 2) / 3);

export const laws = { normal, laplace, studentT3 };
export type Law = keyof typeof laws;

/** An AR(1) process driven by a law. */
export function autoregressive(random: Draw, law: Law, coefficient: number): Draw {
  let x = 0;
  return () => (x = coefficient * x + laws[law](random));
}

/** Absolute errors of two models on the same truths: they share the part rho of their variance, both persist as AR(1), and are equal in law. */
export function pairedLosses(seed: number, law: Law, rho: number, coefficient: number): (target: number[]) => void {
  const random = uniform(seed);
  const [common, one, two] = [0, 1, 2].map(() => autoregressive(random, law, coefficient));
  const shared = Math.sqrt(rho);
  const own = Math.sqrt(1 - rho);
  for (let i = 0; i < 50; i++) for (const draw of [common, one, two]) draw();
  return (target) => {
    const c = shared * common();
    target[0] = Math.abs(c + own * one());
    target[1] = Math.abs(c + own * two());
  };
}
