/** A tick gives its value now, and it may give those of up to `ahead` ticks after it: so many inputs more, which follow it. */
export interface NamedInput {
  readonly name: string;
  readonly ahead: number;
}

/** The inputs that a pipeline has of them: the value now is called as the input, that of the k-th tick after it `name+k`. */
export const inputsOf = (named: readonly NamedInput[]): string[] =>
  named.flatMap(({ name, ahead }) => [name, ...Array.from({ length: ahead }, (_, k) => `${name}+${k + 1}`)]);

/** How one pipeline reads its records: which topics, where in the JSON the parts of a tick lie, in which unit time is given. */
export interface PipelineSpec {
  readonly name: string;
  readonly topics: readonly string[];
  /** JSON Pointers (RFC 6901). Absent: stream from `/stream` or the record's key; time from `/ts` or the record's timestamp; values from `/value`, `/values` or `/token`. */
  readonly fields: {
    readonly stream?: string | undefined;
    readonly time?: string | undefined;
    /** One for each input that a tick names, in their order. */
    readonly values?: readonly string[] | undefined;
    readonly token?: string | undefined;
  };
  readonly timeUnit: 's' | 'ms' | 'us' | 'ns';
  /** IANA zone for timestamps written without an offset. */
  readonly timeZone: string;
  /** Names of the inputs; their order is the order of the network's features. The first is the one predicted. */
  readonly inputs: readonly string[];
  /** What a tick names, where that is more than a number for each input. Default: `inputs`, each of them now only. */
  readonly named?: readonly NamedInput[] | undefined;
  /** Where several are predicted: the first ones of `inputs`. */
  readonly targets?: readonly string[] | undefined;
  /** Rows of history kept for a stream, for training and for re-warming. */
  readonly window: number;
  /** Steps ahead that are forecast, 1 or more. */
  readonly horizon: number;
  /** Ticks of a season, 0 for none; `auto`: found from the windows when a model is trained. */
  readonly season: number | 'auto';
  /** Whether ticks come at one spacing, so that those left out count; `auto`, the default: as a model's training finds. */
  readonly regular?: boolean | 'auto' | undefined;
  /** Share of truths that prediction intervals hold. */
  readonly level: number;
  /** Quantiles that are forecast beside them, ascending, each between 0 and 1. Default: none. */
  readonly quantiles?: readonly number[] | undefined;
  /** Whether a trained network's forecasts are mixed with the baselines by what each has been worth; else they are served as they are. */
  readonly blend: boolean;
}

/** How many inputs are predicted. */
export const targetCount = ({ targets }: Pick<PipelineSpec, 'targets'>): number => targets?.length ?? 1;

/** Inputs of a pipeline: a stored state counts them in a byte. */
export const MOST_INPUTS = 255;

export const DEFAULT_PIPELINE: PipelineSpec = {
  name: 'default',
  topics: ['ticks'],
  fields: {},
  timeUnit: 'ms',
  timeZone: 'UTC',
  inputs: ['value'],
  window: 512,
  horizon: 1,
  season: 'auto',
  level: 0.9,
  blend: true,
};
