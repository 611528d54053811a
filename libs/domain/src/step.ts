/** Named steps of the protocol, between which the fault tests kill the process (RIVERRUN_FAILPOINT). Off, a step costs a look at an absent callback. */
export const STEPS = [
  'after-load',
  'after-step',
  'before-transaction',
  'after-add-partitions',
  'after-produce',
  'after-offsets',
  'before-end',
  /** The commit is known. */
  'after-end',
  'before-save',
  'after-save',
  'after-claim',
  'mid-replay',
] as const;

export type Step = (typeof STEPS)[number];
export type OnStep = (step: Step) => void;
