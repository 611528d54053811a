/** What a stream's plan looks like: one's floats say nothing to another. */
export interface PlanShape {
  readonly targets: number;
  readonly horizon: number;
  readonly season: number;
  /** Whether ticks left out are counted. */
  readonly regular: boolean;
  /** Floats of a target, `wide` of them float64. */
  readonly wide: number;
  readonly size: number;
}

export const haveSameShape = (one: PlanShape, other: PlanShape): boolean =>
  one.targets === other.targets &&
  one.horizon === other.horizon &&
  one.season === other.season &&
  one.regular === other.regular &&
  one.wide === other.wide &&
  one.size === other.size;
