/** A model as it is stored and served: what it is made of, where it came from, and its plain weights. */
import type { NetworkSpec } from '#rnn/spec';

export interface ModelReference {
  readonly name: string;
  readonly version: number;
}

export interface ModelManifest {
  readonly format: 1;
  readonly name: string;
  /** 1, 2, 3, … within the name; given by the registry. */
  readonly version: number;
  /** sha256 (hex) over the manifest's content and the weights' bytes: see `digestOf`. */
  readonly digest: string;
  readonly network: NetworkSpec;
  /** Words of an embedding's vocabulary by id, where known; ids always work. */
  readonly vocabulary?: readonly string[];
  /** Whether inputs are normalised per stream before the network and its output brought back to the stream's scale. */
  readonly scaler: 'none' | 'standard';
  /** Under `standard`, what the network is given of each input: its level (in scales from the centre), or the levels of all inputs followed by their changes since the last tick
   *  (in typical changes). Default: level. */
  readonly features?: 'level' | 'level-and-change';
  /** What the network's first output means: the next value, or its difference from the last one. Under `standard` in scales from the centre, or in typical changes. */
  readonly target: 'value' | 'difference';
  /** Present where the network corrects a forecast plan (libs/forecasting): what it is given and asked for comes from there, for as many steps as it has outputs. */
  readonly forecast?: ForecastSpec;
  /** Ticks a stream must have before the model speaks for it; until then the baseline does. 0 for models served raw. */
  readonly warmUp: number;
  readonly origin: 'imported' | 'trained';
  /** A pinned model is never replaced by training. */
  readonly pinned: boolean;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly training?: TrainingRecord;
}

/** What a network is given of values, and asked for: how far they are from their base, in the stream's units or as logarithms of ratios; or where they lie. */
export const TRANSFORMS = ['difference', 'log', 'none'] as const;
export type Transform = (typeof TRANSFORMS)[number];

/** The plan a network was trained on, and serves. */
export interface ForecastSpec {
  /** Steps ahead, 1 or more. */
  readonly horizon: number;
  /** Ticks of a season, 0 for none. */
  readonly season: number;
  /** Whether ticks come at one spacing, so that those left out count in it. Default: no. */
  readonly regular?: boolean | undefined;
  /** IANA zone of calendar features. */
  readonly timeZone: string;
  /** How many inputs are forecast, the first ones; the network's outputs are [targets, horizon]. Default: 1. */
  readonly targets?: number | undefined;
  /** Default: difference. */
  readonly transform?: Transform | undefined;
  /** Whether the network is given how long ago the tick before was. Default: no. */
  readonly gaps?: boolean | undefined;
  /** How large the errors of the streams it was trained on were: intervals of streams that have no truths of their own yet, of each target after the other. */
  readonly calibration?: readonly number[];
  /** The share of truths that its quantiles hold; absent: that of the pipeline that serves. */
  readonly level?: number;
}

export interface TrainingRecord {
  readonly streams: number;
  readonly rows: number;
  readonly epochs: number;
  readonly seed: number;
  readonly seconds: number;
  /** On rows held back, mean absolute errors as far ahead as is forecast, in units of each stream's scale: of what would be served, of the network alone, of
   *  persistence, and of the best baseline. */
  readonly validation: {
    readonly rows: number;
    readonly mae: number;
    readonly networkMae?: number;
    readonly persistenceMae: number;
    readonly baselineMae?: number;
  };
  /** Where the transform was chosen: the error of a network by each, on the same rows, after a short training. */
  readonly transforms?: Partial<Readonly<Record<Transform, number>>>;
}

export interface ModelArtifact {
  readonly manifest: ModelManifest;
  /** As `weightShapes(manifest.network)` lays them out. */
  readonly weights: Float32Array;
}

/** What a registry is given: it adds version and digest. */
export type ModelDraft = Omit<ModelManifest, 'version' | 'digest' | 'format'>;

export const modelLabel = (model: ModelReference): string => `${model.name}@${model.version}`;
