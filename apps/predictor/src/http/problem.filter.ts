/** Errors as RFC 9457 problem+json. */
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { RiverrunError } from '#domain/errors';
import type { Logger } from '#domain/ports';

const STATUS: Readonly<Record<string, number>> = {
  EMPTY: 400,
  MALFORMED: 400,
  ARGUMENT: 400,
  CURSOR: 400,
  FORBIDDEN: 403,
  MODEL_NOT_FOUND: 404,
  STREAM_NOT_FOUND: 404,
  TOPIC_NOT_FOUND: 404,
  ALIAS_CHANGED: 409,
  MODEL_MISMATCH: 409,
  TOO_LARGE: 413,
  MODEL_INVALID: 422,
  STOPPING: 503,
  UNANSWERED: 503,
  UNAVAILABLE: 503,
  DATA_FULL: 507,
};

@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const response = http.getResponse<Response>();
    const request = http.getRequest<Request>();
    const { status, code, detail } = describe(error);
    if (status >= 500)
      this.logger.error('request failed', { method: request.method, path: request.path, status, error });
    if (response.headersSent) {
      response.end();
      return;
    }
    sendProblem(response, status, code, detail);
  }
}

export function sendProblem(response: Response, status: number, code: string, detail: string): void {
  response
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title: code, status, detail, code }));
}

function describe(error: unknown): { status: number; code: string; detail: string } {
  if (error instanceof RiverrunError)
    return { status: STATUS[error.code] ?? 500, code: error.code, detail: error.message };
  if (error instanceof HttpException) return { status: error.getStatus(), code: error.name, detail: error.message };
  const status = bodyParserStatus(error);
  if (status === 413)
    return { status, code: 'TOO_LARGE', detail: 'the body is larger than this service takes at once' };
  if (status !== undefined) return { status, code: 'BAD_REQUEST', detail: (error as Error).message };
  return { status: 500, code: 'INTERNAL', detail: 'an unexpected error; the log has the details' };
}

/** Body readers throw errors with a `status` of their own. */
function bodyParserStatus(error: unknown): number | undefined {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
