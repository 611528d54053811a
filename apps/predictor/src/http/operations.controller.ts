import { Controller, Get, Header, Inject, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Registry } from 'prom-client';
import { RiverrunError } from '#domain/errors';
import type { DeadLetterView, Health } from '../health.js';
import { HEALTH, PROMETHEUS } from '../tokens.js';

@ApiTags('operations')
@Controller()
export class OperationsController {
  constructor(
    @Inject(HEALTH) private readonly health: Health,
    @Inject(PROMETHEUS) private readonly prometheus: Registry,
  ) {}

  @Get('livez')
  @ApiOperation({ summary: '200 while the process is alive' })
  livez(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('readyz')
  @ApiOperation({ summary: '200 while ticks are taken, else 503 with the reasons' })
  readyz(@Res() response: Response): void {
    const reasons = this.health.reasons();
    response
      .status(reasons.length === 0 ? 200 : 503)
      .json({ status: reasons.length === 0 ? 'ok' : 'unavailable', reasons });
  }

  @Get('metrics')
  @ApiOperation({ summary: 'Prometheus metrics' })
  @ApiProduces('text/plain')
  @Header('cache-control', 'no-store')
  async metrics(@Res() response: Response): Promise<void> {
    const text = await this.prometheus.metrics();
    response.set('content-type', this.prometheus.contentType).send(text);
  }

  @Get('dead-letters')
  @ApiOperation({ summary: 'The newest rejected records, with code, reason and their bytes (base64)' })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 } })
  deadLetters(@Query('limit') limit = '100'): { deadLetters: DeadLetterView[] } {
    const count = Number(limit);
    if (!Number.isInteger(count) || count < 1 || count > 1000)
      throw new RiverrunError('ARGUMENT', 'limit is an integer from 1 to 1000');
    return { deadLetters: this.health.deadLetters(count) };
  }
}
