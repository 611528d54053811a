/** How often a fault is tried: once in `npm test`, many times in `npm run test:faults` (RIVERRUN_FAULTS=long; FAULT_ROUNDS sets the number itself). */
export function rounds(short: number, long: number): number {
  if (process.env.RIVERRUN_FAULTS !== 'long') return short;
  return process.env.FAULT_ROUNDS === undefined ? long : Math.max(short, Number(process.env.FAULT_ROUNDS));
}
