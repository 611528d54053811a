/** Progressive validation of a forecaster over recorded streams: their rows go through the pipeline as ticks, its models are trained as live ones are. Every forecast
 *  waits for its truth, is scored, and only then learnt from. Nothing is known before its row: not the season, not a scale, not a weight. */
import { MemoryModelRegistry } from '#adapters/memory/memory-model-registry';
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import { MemoryTickLog } from '#adapters/memory/memory-tick-log';
import type { Transform } from '#domain/model';
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import { DEFAULT_PIPELINE, type PipelineSpec } from '#domain/pipeline-spec';
import { SEGMENT_ROWS } from '#domain/ports';
import { RecordBatchBuilder } from '#domain/record-batch';
import { ForecastPlan, PREDICTORS } from '#forecasting/forecast-plan';
import { lagError } from '#forecasting/lag-error';
import { addScore, SCORE_FIELDS, scoresOf, type Scores } from '#forecasting/scores';
import { wholeSeason } from '#forecasting/season';
import { Pipeline } from '#pipeline/pipeline';
import { chooseRhythm, type Rhythm } from '#training/choose-rhythm';
import { draftOf, trainedOf } from '#training/draft';
import { train } from '#training/train';
import type { Cell, Loss, Trained } from '#training/train.types';

export interface BacktestOptions {
  /** The first is forecast, the network is given the others too. Default: one. */
  readonly inputs?: readonly string[] | undefined;
  readonly horizon: number;
  readonly season: number | 'auto';
  readonly timeZone: string;
  /** Rows of each stream that a training sees. */
  readonly window: number;
  /** Rows of a stream between trainings; 0: one training only. */
  readonly retrainEvery?: number | undefined;
  /** Rows of a stream before the first that is scored. */
  readonly evaluateFrom: number;
  readonly cell: Cell;
  readonly hidden: number;
  /** As in TrainRequest. */
  readonly transform?: Transform | 'auto' | undefined;
  readonly loss?: Loss | undefined;
  readonly seed: number;
}

/** One forecast and its truth, for the plot. */
export interface Point {
  readonly ts: number;
  readonly truth: number;
  readonly forecast: number;
  /** NaN until the interval is calibrated. */
  readonly lower: number;
  readonly upper: number;
}

export type Block = Omit<Scores, 'n'> & { readonly mase: number };

/** Of the 90 % interval: share of truths within, mean width, and mean Winkler score (width, and 2 / 0.1 times what a truth lies outside). */
export interface IntervalBlock {
  readonly coverage: number;
  readonly meanWidth: number;
  readonly winkler: number;
}

export interface BacktestResult {
  readonly season: number;
  /** Of the newest model; null before there is one. */
  readonly transform: Transform | null;
  readonly rows: number;
  /** Rows the pipeline refused: late ones, and the same once more. */
  readonly refused: number;
  readonly evaluated: number;
  readonly metrics: Record<'persistence' | 'seasonalNaive' | 'statistical', Block> & {
    readonly model: Block & IntervalBlock;
  };
  readonly retrains: number;
  readonly cpuSeconds: number;
}

/** First training: not before so many seasons, nor so many rows. */
const FIRST_SEASONS = 6;
const FIRST_ROWS = 512;
const LEAST_ROWS_BETWEEN = 336;
const MIXED = PREDICTORS.length;
const LEVEL = 0.9;
/** Rows that go through the pipeline together. */
const AT_A_TIME = 1024;
const TOPIC = 'backtest';

interface Stream {
  seen: number;
  /** What the baselines alone would have said, by a plan of their own. */
  baselines: Float64Array;
  /** Values before the first scored one, for MASE. */
  readonly early: number[];
}

export class Backtest {
  private readonly streams = new Map<string, Stream>();
  private readonly sums = new Float64Array((MIXED + 1) * SCORE_FIELDS);
  private readonly widths = { n: 0, covered: 0, width: 0, winkler: 0 };
  private readonly log = new MemoryTickLog();
  private readonly registry = new MemoryModelRegistry();
  private readonly waiting = new RecordBatchBuilder();
  private readonly spec: PipelineSpec;
  private pipeline: Pipeline | undefined;
  private plan: ForecastPlan;
  private champion: Trained | undefined;
  private nextTraining: number;
  /** The longest stream, rows on their way included. */
  private longest = 0;
  private readonly coming = new Map<string, number>();
  rows = 0;
  refused = 0;
  retrains = 0;
  trainingSeconds = 0;

  constructor(
    private readonly options: BacktestOptions,
    private readonly onPoint: (stream: string, point: Point) => void = () => undefined,
  ) {
    const { inputs = DEFAULT_PIPELINE.inputs, horizon, season, timeZone, window } = options;
    const asked = { inputs, horizon, season, timeZone, window, level: LEVEL };
    this.spec = { ...DEFAULT_PIPELINE, name: TOPIC, topics: [TOPIC], ...asked };
    const known = season === 'auto' ? 0 : season;
    this.plan = this.planFor(known);
    this.nextTraining = firstTraining(known);
  }

  /** `values`: one for each input, NaN = missing. */
  async add(id: string, ts: number, values: readonly number[]): Promise<void> {
    this.rows += 1;
    // JSON has no NaN: it becomes null, which is missing.
    const text = JSON.stringify({ stream: id, ts, values });
    this.waiting.add(null, utf8.encode(text), ts);
    const count = (this.coming.get(id) ?? 0) + 1;
    this.coming.set(id, count);
    this.longest = Math.max(this.longest, count);
    if (this.waiting.count >= AT_A_TIME || this.longest >= this.nextTraining) await this.flush();
    if (this.longest >= this.nextTraining) await this.train();
  }

  async result(): Promise<BacktestResult> {
    await this.flush();
    const { season } = this.plan.options;
    const naive = mean([...this.streams.values()].map(({ early }) => lagError(Float64Array.from(early), season || 1)));
    const block = (k: number): Block => {
      const { n: _, ...scores } = scoresOf(this.sums, k * SCORE_FIELDS);
      return { ...scores, mase: scores.mae / naive };
    };
    const { n: scored, covered, width, winkler } = this.widths;
    return {
      season,
      transform: this.champion === undefined ? null : (this.champion.transform ?? 'difference'),
      rows: this.rows,
      refused: this.refused,
      evaluated: scoresOf(this.sums, MIXED * SCORE_FIELDS).n,
      metrics: {
        model: {
          ...block(MIXED),
          coverage: covered / scored,
          meanWidth: width / scored,
          winkler: winkler / scored,
        },
        persistence: block(PREDICTORS.indexOf('persistence')),
        seasonalNaive: block(PREDICTORS.indexOf(season > 0 ? 'seasonalNaive' : 'persistence')),
        statistical: block(PREDICTORS.indexOf('statistical')),
      },
      retrains: this.retrains,
      cpuSeconds: this.trainingSeconds,
    };
  }

  private async flush(): Promise<void> {
    const { count } = this.waiting;
    if (count === 0) return;
    this.pipeline ??= await this.open();
    await this.log.append(this.waiting.build(TOPIC, 0, 0));
    for (let done = 0; done < count;) {
      const { outcomes } = (await this.pipeline.next())!;
      this.take(outcomes);
      done += outcomes.records.count;
    }
  }

  private open(): Promise<Pipeline> {
    const states = new MemoryStateStore({ windowSegments: Math.ceil(this.options.window / SEGMENT_ROWS) });
    const ports = { log: this.log, states, windows: states };
    return Pipeline.open(this.spec, ports, () => Promise.reject(new Error('nothing is ever recovered here')), {
      saveAfterMs: Infinity,
    });
  }

  private take({ columns, kinds, records }: OutcomeBatch): void {
    for (let i = 0; i < records.count; i++) {
      if (kinds[i] !== OutcomeKind.prediction) {
        this.refused += 1;
        continue;
      }
      const id = columns.stream[i]!;
      const stream = this.stream(id);
      const value = columns.value[i];
      this.plan.catchUp(stream.baselines, 0, columns.ts[i]);
      if (stream.seen >= this.options.evaluateFrom)
        this.score(id, stream.baselines, columns.ts[i], value, columns.expected[i], columns.expectedHalf[i]);
      else stream.early.push(value);
      this.plan.absorb(stream.baselines, 0, columns.ts[i], value);
      stream.seen += 1;
    }
  }

  private score(id: string, baselines: Float64Array, ts: number, value: number, forecast: number, half: number): void {
    const said = this.plan.expectedOf(baselines, 0, this.plan.knots.length - 1);
    for (let k = 0; k < MIXED; k++) addScore(this.sums, k * SCORE_FIELDS, said[k], value);
    addScore(this.sums, MIXED * SCORE_FIELDS, forecast, value);
    this.onPoint(id, { ts, truth: value, forecast, lower: forecast - half, upper: forecast + half });
    const outside = Math.abs(value - forecast) - half;
    if (outside !== outside) return;
    this.widths.n += 1;
    this.widths.covered += outside <= 0 ? 1 : 0;
    this.widths.width += 2 * half;
    this.widths.winkler += 2 * half + (2 / (1 - LEVEL)) * Math.max(0, outside);
  }

  private stream(id: string): Stream {
    let stream = this.streams.get(id);
    if (stream === undefined) {
      stream = { seen: 0, baselines: new Float64Array(this.plan.size), early: [] };
      this.plan.reset(stream.baselines);
      this.streams.set(id, stream);
    }
    return stream;
  }

  private planFor(season: number, regular = false): ForecastPlan {
    const { horizon, timeZone } = this.options;
    return new ForecastPlan({ horizon, season: wholeSeason(season, horizon), regular, timeZone });
  }

  private async train(): Promise<void> {
    const { options, pipeline, champion } = this;
    const ids = [...this.streams.keys()];
    const windows: Float64Array[] = [];
    for (const id of ids) windows.push(await pipeline!.window(id));
    const before = process.cpuUsage();
    // Before every training: a longer window shows longer seasons.
    const inputs = this.spec.inputs.length;
    const { season, regular } = chooseRhythm(windows, 1 + inputs, {
      season: options.season,
      regular: 'auto',
      now: champion?.regular,
    });
    if (champion === undefined && this.longest < firstTraining(season)) {
      this.nextTraining = firstTraining(season);
      return;
    }
    const { horizon, timeZone, cell, hidden, transform, loss, seed } = options;
    const plan = { horizon, season, regular, timeZone, level: LEVEL, transform, gaps: 'auto' } as const;
    const result = await train({
      windows,
      inputs,
      ...plan,
      loss,
      cell,
      hidden,
      seed,
      champion,
      budgetSeconds: Infinity,
    });
    const { user, system } = process.cpuUsage(before);
    this.trainingSeconds += (user + system) / 1e6;
    this.retrains += 1;
    const { weights, forecast } = result;
    this.champion = trainedOf(weights, forecast);
    const { options: now } = this.plan;
    if (forecast.season !== now.season || regular !== now.regular) this.replan({ season, regular }, ids, windows);
    const model = await this.registry.publish(draftOf(result, TOPIC, 1, 0), weights);
    await pipeline!.swapModel(await this.registry.load(model));
    const every = options.retrainEvery ?? Math.max(LEAST_ROWS_BETWEEN, forecast.season);
    this.nextTraining = every === 0 ? Infinity : this.longest + every;
  }

  /** The baselines meet another rhythm as the pipeline does: from the windows. */
  private replan({ season, regular }: Rhythm, ids: readonly string[], windows: readonly Float64Array[]): void {
    this.plan = this.planFor(season, regular);
    ids.forEach((id, k) => {
      const baselines = new Float64Array(this.plan.size);
      this.plan.reset(baselines);
      for (let t = 0; t < windows[k].length; t += 1 + this.spec.inputs.length) {
        this.plan.catchUp(baselines, 0, windows[k][t]);
        this.plan.absorb(baselines, 0, windows[k][t], windows[k][t + 1]);
      }
      this.streams.get(id)!.baselines = baselines;
    });
  }
}

const utf8 = new TextEncoder();
const firstTraining = (season: number): number => Math.max(FIRST_ROWS, FIRST_SEASONS * season);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
