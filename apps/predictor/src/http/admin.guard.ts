import { timingSafeEqual, createHash } from 'node:crypto';
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Config } from '#config/config';
import { RiverrunError } from '#domain/errors';
import { CONFIG } from '../tokens.js';

/** Admin calls: with the token where one is set; without one only from this machine, and only in embedded mode. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const { adminToken, mode } = this.config;
    if (adminToken !== undefined) {
      const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      if (timingSafeEqual(sha256(given), sha256(adminToken))) return true;
      throw new RiverrunError('FORBIDDEN', 'this call needs the admin token: Authorization: Bearer …');
    }
    if (
      mode === 'embedded' &&
      isLoopback(request.socket.remoteAddress) &&
      isLocalName(request) &&
      isSameOrigin(request)
    )
      return true;
    throw new RiverrunError(
      'FORBIDDEN',
      'without RIVERRUN_ADMIN_TOKEN admin calls are taken from this machine only, in embedded mode',
    );
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && /^(::1$|127\.|::ffff:127\.)/.test(address);

/** A page of another site must not call in the name of the user who has it open. */
export function isSameOrigin(request: Request): boolean {
  const { origin, host } = request.headers;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

/** The name the caller knows this machine by: any other than these may be a foreign site's that resolves to 127.0.0.1 (DNS rebinding), or a proxy's. */
function isLocalName({ headers }: Request): boolean {
  if (headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined) return false;
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(headers.host ?? '');
}
