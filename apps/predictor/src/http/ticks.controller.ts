import { Controller, HttpCode, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { RiverrunError } from '#domain/errors';
import type { Services } from '../services.js';
import { splitBody, toRecords } from '../split-body.js';
import type { Answer } from '../submissions.js';
import { SERVICES } from '../tokens.js';
import { isSameOrigin } from './admin.guard.js';
import { sendProblem } from './problem.filter.js';

const tick = {
  type: 'object',
  properties: {
    stream: { type: 'string', example: 's12', description: 'stream id, 1 to 256 bytes of UTF-8' },
    ts: { type: 'number', example: 1700000000000, description: 'ms since 1970; absent: now' },
    value: { type: 'number', nullable: true, example: 0.1234 },
    values: { description: 'several inputs: an object by name, or an array in the order of the inputs' },
    token: { description: "a word of the model's vocabulary, or an integer id" },
    control: { type: 'string', enum: ['reset'] },
  },
};

@ApiTags('ticks')
@Controller('ticks')
export class TicksController {
  constructor(@Inject(SERVICES) private readonly services: Services) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Publish ticks and get their outcomes',
    description:
      'One tick, a JSON array of ticks, or one tick a line (content type application/x-ndjson). Answers after the commit: one tick with its prediction (or 422 problem+json with the dead letter’s code), several with a list in the same order.',
  })
  @ApiConsumes('application/json', 'application/x-ndjson')
  @ApiQuery({ name: 'topic', required: false, description: 'input topic; default: the first' })
  @ApiBody({ schema: { oneOf: [tick, { type: 'array', items: tick }] } })
  @ApiResponse({
    status: 200,
    description: 'the prediction; or {accepted, rejected, outcomes}; or NDJSON outcomes for NDJSON ticks',
  })
  @ApiResponse({ status: 422, description: 'the one tick was dead-lettered: problem+json with its code' })
  async publish(@Req() request: Request, @Res() response: Response, @Query('topic') topic?: string): Promise<void> {
    if (!isSameOrigin(request)) throw new RiverrunError('FORBIDDEN', 'ticks are not taken from pages of other sites');
    const service = this.services.all.find((s) => topic === undefined || s.pipeline.spec.topics.includes(topic));
    if (service === undefined)
      throw new RiverrunError('TOPIC_NOT_FOUND', `no pipeline here reads topic ${topic ?? ''}`);
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const { kind, ranges } = splitBody(body, request.is('application/x-ndjson') !== false);
    const records = toRecords(body, ranges, topic ?? service.pipeline.spec.topics[0], Date.now());
    const answers = ranges.length === 0 ? [] : await service.submit(records);
    if (kind === 'one') return sendOne(response, answers[0]);
    const outcomes = answers.map((answer) => ('json' in answer ? answer.json : JSON.stringify(answer)));
    if (kind === 'ndjson') {
      response.type('application/x-ndjson').send(outcomes.map((line) => `${line}\n`).join(''));
      return;
    }
    const rejected = answers.filter((answer) => !('json' in answer)).length;
    response
      .type('application/json')
      .send(`{"accepted":${answers.length - rejected},"rejected":${rejected},"outcomes":[${outcomes.join(',')}]}`);
  }
}

function sendOne(response: Response, answer: Answer): void {
  if ('json' in answer) response.type('application/json').send(answer.json);
  else sendProblem(response, 422, answer.code, answer.message);
}
