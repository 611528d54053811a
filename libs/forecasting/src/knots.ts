/** Steps of a forecast that learn from truths of their own. Errors a long way ahead hardly differ from one step to the next, and what is kept of a stream grows with
 *  the sum of these steps: all up to 4, then ever fewer, and the last. */
export function knotsOf(horizon: number): number[] {
  const knots: number[] = [];
  for (let h = 1; h < horizon; h = h < 4 ? h + 1 : h % 3 === 0 ? (h * 4) / 3 : (h * 3) / 2) knots.push(h);
  knots.push(horizon);
  return knots;
}
