/** The one base of every error a user may see: a stable code, a message that says what to do next, the cause. */
export class RiverrunError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'RiverrunError';
  }
}

export const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));
