import { Controller, Get, HttpCode, Inject, Param, Post, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Config } from '#config/config';
import { RiverrunError } from '#domain/errors';
import { modelLabel, type ModelArtifact, type ModelManifest } from '#domain/model';
import type { ModelRegistry } from '#domain/ports';
import type { Tally } from '#forecasting/forecaster';
import { checkFit } from '#pipeline/model-slot';
import { shareStreams } from '#pipeline/share-streams';
import type { Services } from '../services.js';
import { CONFIG, REGISTRY, SERVICES, TRAINER } from '../tokens.js';
import type { TrainerScheduler, TrainingStatus } from '../trainer-scheduler.js';
import { AdminGuard } from './admin.guard.js';

/** By pipeline, or by its share: the challenger serves once `evidence` (1 at first) passes `threshold`. */
interface TrialJson {
  challenger: string;
  evidence: number;
  threshold: number;
  compared: number;
}

/** By pipeline, or by its share. Skill: 1 - error over that of the best baseline, of the canary's streams and of the champion's since this instance began to serve it; null before any
 *  truth. */
interface CanaryJson {
  canary: string;
  share: number;
  truths: number;
  skill: number | null;
  championSkill: number | null;
}

@ApiTags('models')
@Controller('models')
export class ModelsController {
  constructor(
    @Inject(REGISTRY) private readonly registry: ModelRegistry,
    @Inject(SERVICES) private readonly services: Services,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(TRAINER) private readonly trainer: TrainerScheduler,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Models of the registry, and which one each pipeline serves' })
  async list(): Promise<{
    models: Omit<ModelManifest, 'vocabulary'>[];
    serving: Record<string, string | null>;
    trials: Record<string, TrialJson>;
    canaries: Record<string, CanaryJson>;
    training: Record<string, TrainingStatus>;
    notices: string[];
  }> {
    const models = await this.registry.list();
    return {
      models: models.map(({ vocabulary: _, ...manifest }) => manifest),
      serving: Object.fromEntries(
        await Promise.all(this.config.pipelines.map(async ({ name }) => [name, await this.servingOf(name)] as const)),
      ),
      trials: Object.fromEntries(
        this.services.all.flatMap(({ label, trials }) => {
          const { view, threshold } = trials;
          if (view === undefined) return [];
          const { challenger, evidence, compared } = view;
          return [[label, { challenger: modelLabel(challenger), evidence, threshold, compared }]];
        }),
      ),
      canaries: Object.fromEntries(
        this.services.all.flatMap(({ label, pipeline: { canary } }) => {
          if (canary === undefined) return [];
          const { model, share, tally, championTally } = canary;
          const { truths } = tally;
          const [skill, championSkill] = [skillOf(tally), skillOf(championTally)];
          return [[label, { canary: modelLabel(model), share, truths, skill, championSkill }]];
        }),
      ),
      training: Object.fromEntries(this.config.pipelines.map(({ name }) => [name, this.trainer.status(name)])),
      // A champion that cannot be served, while the one before it goes on.
      notices: this.services.all.flatMap(({ label, notice }) => (notice === undefined ? [] : [`${label}: ${notice}`])),
    };
  }

  /** Where none of the pipeline runs here, its champion. */
  private async servingOf(pipeline: string): Promise<string | null> {
    const [service] = this.services.named(pipeline);
    if (service !== undefined) return service.pipeline.model?.label ?? null;
    const { champion } = await this.registry.aliases(pipeline);
    return champion === undefined ? null : modelLabel(champion);
  }

  @Post('train')
  @HttpCode(202)
  @UseGuards(AdminGuard)
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'Train now',
    description: 'Admin. From the windows as they are; `training` of GET /models says how far it is.',
  })
  @ApiQuery({ name: 'pipeline', required: false })
  train(@Query('pipeline') pipeline?: string): { pipeline: string; training: TrainingStatus } {
    const { name } = this.pipelineOf(pipeline);
    if (!this.trainer.wake(name, 'asked'))
      throw new RiverrunError('UNAVAILABLE', `pipeline ${name}: ${this.trainer.status(name).detail}`);
    return { pipeline: name, training: this.trainer.status(name) };
  }

  @Post(':name/activate')
  @HttpCode(200)
  @UseGuards(AdminGuard)
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'Serve a model from the next tick on',
    description: 'Admin. `promote` is the same for a version that ran beside the champion.',
  })
  @ApiParam({ name: 'name' })
  @ApiQuery({ name: 'version', required: false, description: 'default: the newest' })
  @ApiQuery({ name: 'pipeline', required: false })
  activate(
    @Param('name') name: string,
    @Query('version') version?: string,
    @Query('pipeline') pipeline?: string,
  ): Promise<{ serving: string | null }> {
    return this.serve(pipeline, name, version);
  }

  @Post(':name/promote')
  @HttpCode(200)
  @UseGuards(AdminGuard)
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Make a version the champion' })
  @ApiParam({ name: 'name' })
  @ApiQuery({ name: 'version', required: false })
  @ApiQuery({ name: 'pipeline', required: false })
  promote(
    @Param('name') name: string,
    @Query('version') version?: string,
    @Query('pipeline') pipeline?: string,
  ): Promise<{ serving: string | null }> {
    return this.serve(pipeline, name, version);
  }

  @Post(':name/canary')
  @HttpCode(200)
  @UseGuards(AdminGuard)
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'Serve a share of the streams with a model, the others with the champion',
    description:
      'Admin. Which streams, their ids decide. `promote` gives it all of them, `activate` of the champion, or a share of 0, none.',
  })
  @ApiParam({ name: 'name' })
  @ApiQuery({ name: 'share', description: 'above 0 and below 1; 0 ends it' })
  @ApiQuery({ name: 'version', required: false, description: 'default: the newest' })
  @ApiQuery({ name: 'pipeline', required: false })
  async canary(
    @Param('name') name: string,
    @Query('share') share: string,
    @Query('version') version?: string,
    @Query('pipeline') pipeline?: string,
  ): Promise<{ serving: string | null }> {
    const spec = this.pipelineOf(pipeline);
    const { manifest } = await this.find(name, version);
    const given = /^[0-9.]+$/.test(share) ? Number(share) : NaN;
    const { champion } = await shareStreams(this.registry, spec, manifest, given);
    return this.follow(spec.name, modelLabel(champion!));
  }

  @Post(':name/rollback')
  @HttpCode(200)
  @UseGuards(AdminGuard)
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Go back to the champion before this one' })
  @ApiParam({ name: 'name' })
  @ApiQuery({ name: 'pipeline', required: false })
  async rollback(
    @Param('name') name: string,
    @Query('pipeline') pipeline?: string,
  ): Promise<{ serving: string | null }> {
    const { name: served } = this.pipelineOf(pipeline);
    const { champion, previous } = await this.registry.aliases(served);
    if (champion?.name !== name || previous === undefined)
      throw new RiverrunError(
        'MODEL_NOT_FOUND',
        `pipeline ${served} serves ${champion === undefined ? 'no model' : modelLabel(champion)} and has no former champion of ${name} to go back to; name the model that serves now`,
      );
    await this.registry.activate(served, previous, champion);
    return this.follow(served, modelLabel(previous));
  }

  private async serve(
    pipeline: string | undefined,
    name: string,
    version: string | undefined,
  ): Promise<{ serving: string | null }> {
    const spec = this.pipelineOf(pipeline);
    const { manifest } = await this.find(name, version);
    checkFit(manifest, spec);
    await this.registry.activate(spec.name, { name: manifest.name, version: manifest.version });
    return this.follow(spec.name, modelLabel(manifest));
  }

  private find(name: string, version: string | undefined): Promise<ModelArtifact> {
    if (version !== undefined && !/^[1-9]\d{0,8}$/.test(version))
      throw new RiverrunError('ARGUMENT', `version is ${JSON.stringify(version)}: a positive integer is needed`);
    return this.registry.load({ name, version: version === undefined ? undefined : Number(version) });
  }

  /** What is served here from now on; other instances follow within a second. */
  private async follow(pipeline: string, label: string): Promise<{ serving: string | null }> {
    const services = this.services.named(pipeline);
    await Promise.all(services.map((service) => service.followRegistry()));
    return { serving: services[0]?.pipeline.model?.label ?? label };
  }

  private pipelineOf(name: string | undefined): Config['pipelines'][number] {
    const { pipelines } = this.config;
    const pipeline = name === undefined ? pipelines[0] : pipelines.find((p) => p.name === name);
    if (pipeline === undefined) throw new RiverrunError('ARGUMENT', `there is no pipeline ${name}`);
    return pipeline;
  }
}

function skillOf({ truths, mixed, persistence, seasonalNaive, statistical }: Tally): number | null {
  // Raw models are held against persistence only.
  const best = Math.min(...[persistence, seasonalNaive, statistical].filter((error) => error > 0));
  return truths === 0 || !Number.isFinite(best) ? null : 1 - mixed / best;
}
