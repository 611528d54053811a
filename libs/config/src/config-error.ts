/** A setting that stops the start. Same shape as the RiverrunError of libs/domain (this room imports none of ours): a stable code and a line that says what to change. */
export class ConfigError extends Error {
  readonly code = 'CONFIG';

  constructor(
    message: string,
    /** Every problem found, one line each; the message is the first and how many more there are. */
    readonly problems: readonly string[] = [message],
  ) {
    super(message);
    this.name = 'ConfigError';
  }

  static of(problems: readonly string[]): ConfigError {
    const more = problems.length - 1;
    return new ConfigError(more > 0 ? `${problems[0]} (and ${more} more)` : problems[0], problems);
  }
}

const LONGEST_SHOWN = 80;

/** A value as it may stand in a line of the log: quoted, on one line, not too long. */
export function shown(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    text = undefined;
  }
  text ??= String(value);
  // JSON leaves DEL, the C1 controls and the Unicode line ends as they are; a terminal does not.
  text = text.replace(/[\u007f-\u009f\u2028\u2029]/g, '?');
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}
