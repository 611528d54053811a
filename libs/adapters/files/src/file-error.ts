import { RiverrunError, errorMessage } from '#domain/errors';

/** What the operating system said, as an error that says what to do. */
export function fileError(error: unknown, path: string): Error {
  if (error instanceof RiverrunError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new RiverrunError(
      'DATA_FULL',
      `no space left for ${path}: nothing was written and nothing is lost; free space on that disk, or give RIVERRUN_DATA_DIR a larger one`,
      { cause: error },
    );
  return new RiverrunError('DATA_IO', `${path} cannot be used: ${errorMessage(error)}`, { cause: error });
}
