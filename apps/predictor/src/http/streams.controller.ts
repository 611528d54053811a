import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import { RiverrunError } from '#domain/errors';
import type { StreamView, Trace } from '#pipeline/pipeline';
import type { PipelineService } from '../pipeline-service.js';
import type { Services } from '../services.js';
import { SERVICES } from '../tokens.js';

interface StreamJson {
  id: string;
  pipeline: string;
  ticks: number;
  ts: number;
  offset: number;
  value: number | null;
  values: Record<string, number | null>;
  prediction: number | null;
  targetTs: number | null;
  source: string;
  maeModel: number | null;
  maePersistence: number | null;
  forecast?: StreamView['forecast'];
  scores?: StreamView['scores'];
  targets?: StreamView['targets'];
}

@ApiTags('streams')
@Controller('streams')
export class StreamsController {
  constructor(@Inject(SERVICES) private readonly services: Services) {}

  @Get()
  @ApiOperation({
    summary: 'Streams, page by page',
    description: 'In a stable order; hand `cursor` back for the next page, until it is null.',
  })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 } })
  @ApiQuery({ name: 'cursor', required: false })
  @ApiQuery({ name: 'pipeline', required: false })
  async list(
    @Query('limit') limit = '100',
    @Query('cursor') cursor?: string,
    @Query('pipeline') pipeline?: string,
  ): Promise<{ streams: StreamJson[]; cursor: string | null }> {
    const services = this.servicesOf(pipeline ?? this.services.all[0]?.name);
    // Partition after partition: the cursor says which, and where in it.
    const [, place = '0', within] = /^(\d+)\.(.*)$/s.exec(cursor ?? '') ?? [];
    const service = services[Number(place)];
    if (service === undefined) return { streams: [], cursor: null };
    const page = await service.pipeline.list(within === '' ? undefined : within, integer('limit', limit, 1, 1000));
    const next = page.cursor === undefined ? `${Number(place) + 1}.` : `${place}.${page.cursor}`;
    const more = page.cursor !== undefined || Number(place) + 1 < services.length;
    return { streams: page.streams.map((view) => toJson(view, service)), cursor: more ? next : null };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One stream as it stands' })
  @ApiParam({ name: 'id' })
  @ApiQuery({ name: 'pipeline', required: false })
  async show(@Param('id') id: string, @Query('pipeline') pipeline?: string): Promise<StreamJson> {
    return this.first(id, pipeline, async (service) => {
      const view = await service.pipeline.view(id);
      return view === undefined ? undefined : toJson(view, service);
    });
  }

  @Get(':id/trace')
  @ApiOperation({
    summary: "A stream's last steps: Step, Input, Memory, Output",
    description: '`exact`: replaying the stored window ended in the very bits of the live hidden state.',
  })
  @ApiParam({ name: 'id' })
  @ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 1000, default: 20 } })
  @ApiQuery({ name: 'pipeline', required: false })
  async trace(
    @Param('id') id: string,
    @Query('limit') limit = '20',
    @Query('pipeline') pipeline?: string,
  ): Promise<Trace> {
    const rows = integer('limit', limit, 1, 1000);
    return this.first(id, pipeline, (service) => service.pipeline.trace(id, rows));
  }

  /** What `read` finds in the named pipeline, or in the first that has the stream. */
  private async first<T>(
    id: string,
    pipeline: string | undefined,
    read: (service: PipelineService) => Promise<T | undefined>,
  ): Promise<T> {
    for (const service of this.servicesOf(pipeline)) {
      const result = await read(service);
      if (result !== undefined) return result;
    }
    throw new RiverrunError('STREAM_NOT_FOUND', `there is no stream ${JSON.stringify(id)}`);
  }

  private servicesOf(name: string | undefined): readonly PipelineService[] {
    const services = this.services.named(name);
    if (services.length === 0)
      throw new RiverrunError('STREAM_NOT_FOUND', `there is no pipeline ${name ?? ''} here at present`);
    return services;
  }
}

function integer(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RiverrunError(
      'ARGUMENT',
      `${name} is ${JSON.stringify(text)}: an integer from ${min} to ${max} is needed`,
    );
  return value;
}

function toJson(view: StreamView, service: PipelineService): StreamJson {
  const { values, ...rest } = view;
  const orNull = (x: number): number | null => (Number.isFinite(x) ? x : null);
  return {
    ...rest,
    pipeline: service.name,
    value: orNull(values[0]),
    values: Object.fromEntries(service.pipeline.spec.inputs.map((name, k) => [name, orNull(values[k])])),
  };
}
