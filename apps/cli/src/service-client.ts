/** Talks to a running service. Its problem+json answers become errors with the same code. */
import { errorMessage, RiverrunError } from '#domain/errors';

const TIMEOUT_MS = 60_000;

export async function getJson<T>(base: string, path: string): Promise<T> {
  return (await answer(base, path)).json() as Promise<T>;
}

export async function postTicks(
  base: string,
  body: string,
  type: 'application/json' | 'application/x-ndjson',
): Promise<string> {
  return (await answer(base, '/ticks', { method: 'POST', body, headers: { 'content-type': type } })).text();
}

/** `token`: where the service asks for one. */
export async function postAdmin<T>(base: string, path: string, token: string | undefined): Promise<T> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return (await answer(base, path, { method: 'POST', headers })).json() as Promise<T>;
}

async function answer(base: string, path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(base + path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const reason = errorMessage((error as Error).cause ?? error) || 'the connection failed';
    throw new RiverrunError(
      'UNREACHABLE',
      `no service answers at ${base} (${reason}): start one with riverrun serve, or give --url`,
      { cause: error },
    );
  }
  if (response.ok) return response;
  throw await problemOf(response, base);
}

async function problemOf(response: Response, base: string): Promise<RiverrunError> {
  const text = await response.text().catch(() => '');
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    if (typeof code === 'string' && typeof detail === 'string') return new RiverrunError(code, detail);
  } catch {
    // Not ours: said below.
  }
  return new RiverrunError(
    'UNREACHABLE',
    `${base} answers with status ${response.status}: is that a riverrun service?`,
  );
}
