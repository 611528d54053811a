/** One entry of `pipelines:`: what a topic's records look like and how they are predicted. The result fits libs/domain's PipelineSpec. */
import * as z from 'zod';
import * as kinds from './values.js';

const DEFAULT_WINDOW = 512;
const MOST_WINDOW = 65_536;
/** Seasons in the window where it is not given. */
const SEASONS_KEPT = 12;
/** So that four seasons, the least a forecast goes by, fit into the largest window. */
const MOST_SEASON = MOST_WINDOW / 4;

/** That a stored state can count. */
const MOST_INPUTS = 255;

const name = kinds.matching(/^[A-Za-z0-9._-]{1,64}$/, 'a name of letters, digits, . _ -, at most 64');
const inputName = kinds.verbatim(/^[^\p{Cc}]{1,128}$/u, 'a name of at most 128 characters');

const oneOrMore = <T extends string | number>(item: z.ZodType<T>, expected: string): z.ZodType<T[]> =>
  z.unknown().transform((value, context): T[] => {
    const parts: unknown[] = [value].flat();
    const read = parts.map((part) => item.safeParse(part));
    const items = read.flatMap((result) => (result.success ? [result.data] : []));
    if (items.length === parts.length && items.length > 0 && new Set(items).size === items.length) return items;
    context.addIssue({ code: 'custom', message: `expected ${expected}` });
    return z.NEVER;
  });

const fields = z.strictObject({
  stream: kinds.jsonPointer().optional(),
  time: kinds.jsonPointer().optional(),
  value: kinds.jsonPointer().optional(),
  values: oneOrMore(kinds.jsonPointer(), 'JSON Pointers such as [/temp, /load], each once').optional(),
  token: kinds.jsonPointer().optional(),
});

const autoOr = <T extends number | boolean>(kind: z.ZodType<T>, expected: string): z.ZodType<T | 'auto'> =>
  z.unknown().transform((value, context): T | 'auto' => {
    if (value === 'auto') return value;
    const read = kind.safeParse(value);
    if (read.success) return read.data;
    context.addIssue({ code: 'custom', message: `expected auto, ${expected}` });
    return z.NEVER;
  });

const season = autoOr(
  kinds.integer(0, MOST_SEASON),
  `0 for no season, or the number of ticks in a season, at most ${MOST_SEASON}`,
);

/** `off` = never, `on` = as RIVERRUN_RETRAIN_INTERVAL says, or an interval of its own. */
const retrain = z.unknown().transform((value, context): number | null | 'on' => {
  const interval = kinds.durationOrOff(1_000).safeParse(value);
  if (interval.success) return interval.data;
  const on = kinds.flag().safeParse(value);
  if (on.success) return 'on';
  context.addIssue({ code: 'custom', message: 'expected on, off or an interval of at least 1s, such as 15m' });
  return z.NEVER;
});

export const pipelineSchema = z
  .strictObject({
    name,
    topics: oneOrMore(kinds.topic(), 'topic names (letters, digits, . _ -), each once').optional(),
    fields: fields.default({}),
    timeUnit: kinds.choice('s', 'ms', 'us', 'ns').default('ms'),
    timeZone: kinds.timeZone().default('UTC'),
    inputs: oneOrMore(inputName, 'names of inputs, each once').optional(),
    targets: oneOrMore(inputName, 'names of inputs that are forecast, each once').optional(),
    known: oneOrMore(inputName, 'names of inputs that are known ahead, each once').optional(),
    horizon: kinds.integer(1, 1_000).default(1),
    season: season.default('auto'),
    regular: autoOr(kinds.flag(), 'on or off').default('auto'),
    window: kinds.integer(16, MOST_WINDOW).optional(),
    level: kinds.fraction(0.5, 0.999).default(0.9),
    quantiles: oneOrMore(kinds.fraction(0.001, 0.999), 'numbers from 0.001 to 0.999, each once')
      .transform((levels) => [...levels].sort((a, b) => a - b))
      .optional(),
    blend: kinds.flag().default(true),
    model: z
      .strictObject({
        cell: kinds.choice('simple-rnn', 'gru', 'lstm').optional(),
        hidden: kinds.integer(1, 512).optional(),
        transform: kinds.choice('auto', 'difference', 'log', 'none').default('auto'),
        gaps: autoOr(kinds.flag(), 'on or off').default('auto'),
        loss: kinds.choice('mae', 'huber').default('mae'),
      })
      .prefault({}),
    retrain: retrain.default('on'),
  })
  .transform((pipeline, context) => {
    const complain = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
    const { value, ...pointers } = pipeline.fields;
    if (value !== undefined && pointers.values !== undefined)
      complain(['fields', 'values'], 'expected either value or values');
    const values = pointers.values ?? (value === undefined ? undefined : [value]);
    if (values !== undefined && pointers.token !== undefined) {
      complain(['fields', 'token'], 'expected either token or values: a stream has tokens or numbers');
    }
    const { targets } = pipeline;
    const names = pipeline.inputs ?? (values === undefined ? targets : undefined) ?? inputsOf(values);
    if (values !== undefined && values.length !== names.length) {
      complain(['inputs'], `expected ${values.length}: one for each of fields.values, in that order`);
    }
    if (targets?.some((target, k) => target !== names[k]) === true)
      complain(['targets'], `expected the first of the inputs, in their order: ${names.join(', ')}`);
    const { horizon, known = [] } = pipeline;
    const others = names.slice(targets?.length ?? 1);
    if (known.some((one) => !others.includes(one)))
      complain(['known'], `expected inputs that are not forecast: ${others.join(', ') || 'there are none'}`);
    const named =
      known.length === 0 ? undefined : names.map((one) => ({ name: one, ahead: known.includes(one) ? horizon : 0 }));
    const inputs = named?.flatMap(columnsOf) ?? names;
    if (new Set(inputs).size < inputs.length) complain(['inputs'], 'expected none called as another some ticks ahead');
    if (targets !== undefined && pointers.token !== undefined)
      complain(['targets'], 'expected none: what comes after a token is no number');
    if (inputs.length > MOST_INPUTS)
      complain(['inputs'], `expected at most ${MOST_INPUTS}, what is known ahead counted ${horizon + 1} times`);
    if (pointers.token !== undefined && names.length > 1)
      complain(['inputs'], 'expected one: tokens are a single input');
    // A training has to see a season several times.
    const seasons = pipeline.season === 'auto' ? 0 : SEASONS_KEPT * pipeline.season;
    const window = pipeline.window ?? Math.min(Math.max(DEFAULT_WINDOW, seasons), MOST_WINDOW);
    return { ...pipeline, window, inputs, named, fields: { ...pointers, ...(values === undefined ? {} : { values }) } };
  });

/** What a tick says of an input: its value now, and after so many ticks each. */
const columnsOf = ({ name: one, ahead }: { name: string; ahead: number }): string[] => [
  one,
  ...Array.from({ length: ahead }, (_, k) => `${one}+${k + 1}`),
];

/** Without names of their own, several inputs are called as the last parts of their pointers where those differ. */
function inputsOf(values: string[] | undefined): string[] {
  if (values === undefined || values.length < 2) return ['value'];
  const names = values.map((pointer) =>
    pointer
      .slice(pointer.lastIndexOf('/') + 1)
      .replace(/~1/g, '/')
      .replace(/~0/g, '~'),
  );
  const distinct = new Set(names).size === names.length && !names.includes('');
  return distinct ? names : values;
}
