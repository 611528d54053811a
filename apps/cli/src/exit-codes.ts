/** What a script may rely on. */
export const EXIT = {
  ok: 0,
  /** Something that was asked for could not be done. */
  failed: 1,
  /** The command line or a setting is wrong. */
  usage: 2,
  /** Done, but some ticks were rejected; stderr says which. */
  rejected: 3,
} as const;

/** A command line that cannot be carried out as it stands. */
export class UsageError extends Error {}
