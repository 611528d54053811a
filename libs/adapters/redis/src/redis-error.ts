/** What can go wrong with Redis, in one line that says what to do. Values of keys and passwords are never in it. */
import { RiverrunError, errorMessage } from '#domain/errors';

const WRONG_CREDENTIALS = /^(WRONGPASS|NOAUTH|ERR invalid password|ERR AUTH |ERR Client sent AUTH)/;
/** The server is there but cannot serve at the moment; it may be all right again soon. */
const NOT_NOW = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|NOREPLICAS|MISCONF|UNBLOCKED)\b/;
const NO_MEMORY = /^OOM\b/;
const NOT_PERMITTED = /^NOPERM\b/;

export function redisError(error: unknown, address: string): RiverrunError {
  if (error instanceof RiverrunError) return error;
  const message = rootMessage(error);
  const made = (code: string, text: string): RiverrunError => new RiverrunError(code, text, { cause: error });
  if (WRONG_CREDENTIALS.test(message))
    return made(
      'REDIS_AUTH',
      `Redis at ${address} refuses the user or password of REDIS_URL (${message.split(' ')[0]})`,
    );
  if (NOT_PERMITTED.test(message))
    return made('REDIS_AUTH', `the user of REDIS_URL lacks a permission on Redis at ${address}: ${message}`);
  if (NO_MEMORY.test(message))
    return made('REDIS_MEMORY', `Redis at ${address} is full: raise its maxmemory; nothing was written`);
  if (isReply(error) && !NOT_NOW.test(message))
    return made('REDIS_COMMAND', `Redis at ${address} refused a command: ${message}`);
  return made('REDIS_UNREACHABLE', `Redis at ${address} cannot be reached: ${message}; see that it runs there`);
}

/** A cluster's error names the node's only as its `lastNodeError`; one of several addresses of a host has a code but no message. */
function rootMessage(error: unknown): string {
  const { lastNodeError, code } = (error ?? {}) as { lastNodeError?: unknown; code?: string };
  return (lastNodeError instanceof Error ? lastNodeError.message : errorMessage(error)) || (code ?? 'unknown error');
}

const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError';
