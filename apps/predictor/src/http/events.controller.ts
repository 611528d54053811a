import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { OutcomeKind } from '#domain/outcome';
import type { LiveFeed } from '../live-feed.js';
import type { Services } from '../services.js';
import { LIVE_FEED, SERVICES } from '../tokens.js';
import { EventStream } from './server-sent-events.js';

@ApiTags('predictions')
@Controller()
export class EventsController {
  constructor(
    @Inject(SERVICES) private readonly services: Services,
    @Inject(LIVE_FEED) private readonly feed: LiveFeed,
  ) {}

  @Get('predictions')
  @ApiOperation({
    summary: 'Predictions as they are made (server-sent events)',
    description: 'Event `prediction`, its id the offset of the tick.',
  })
  @ApiQuery({ name: 'stream', required: false, description: 'only this stream' })
  @ApiProduces('text/event-stream')
  predictions(@Req() request: Request, @Res() response: Response, @Query('stream') stream?: string): void {
    const stop = this.services.onOutcomes(({ outcomes }) => {
      let text = '';
      for (let i = 0; i < outcomes.records.count; i++) {
        if (outcomes.kinds[i] !== OutcomeKind.prediction) continue;
        if (stream !== undefined && outcomes.columns.stream[i] !== stream) continue;
        const json = Buffer.from(
          outcomes.bytes.buffer,
          outcomes.bytes.byteOffset + outcomes.start[i],
          outcomes.end[i] - outcomes.start[i],
        );
        text += `id: ${outcomes.records.offsets[i]}\nevent: prediction\ndata: ${json.toString()}\n\n`;
      }
      if (text !== '') events.send(text);
    });
    const events = new EventStream(request, response, stop);
  }

  @Get('live')
  @ApiOperation({
    summary: "The page's feed (server-sent events)",
    description: 'Event `frame`, four a second: figures, and the new points of the streams on show.',
  })
  @ApiProduces('text/event-stream')
  async live(@Req() request: Request, @Res() response: Response): Promise<void> {
    const first = await this.feed.firstFrame();
    // Gone meanwhile: its `close` has been, and nobody would ever stop the feed.
    if (response.destroyed || request.socket.destroyed) return;
    let stop = (): void => undefined;
    const events = new EventStream(request, response, () => stop());
    const send = (frame: string): void => events.send(`event: frame\ndata: ${frame}\n\n`);
    send(first);
    stop = this.feed.subscribe(send);
  }
}
