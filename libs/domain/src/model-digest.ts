/** What makes a stored model trustworthy: its content's digest, and a check of everything a hand-made or broken manifest could get wrong. */
import { createHash } from 'node:crypto';
import { outputSize } from '#rnn/spec';
import { validateNetwork } from '#rnn/validate';
import { RiverrunError, errorMessage } from './errors.js';
import { TRANSFORMS, type ForecastSpec, type ModelManifest } from './model.js';

/** Names of models, aliases and pipelines become folder names. */
export const MODEL_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** sha256 (hex) over the manifest without its digest, as JSON with sorted keys, and the weights' bytes. */
export function digestOf(manifest: Omit<ModelManifest, 'digest'>, weights: Float32Array): string {
  const { digest: _, ...content } = manifest as ModelManifest;
  const bytes = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
  return createHash('sha256').update(canonicalJson(content)).update('\n').update(bytes).digest('hex');
}

/** RiverrunError MODEL_INVALID unless the manifest is whole and the weights fit its network. The digest is the registry's business. */
export function validateModel(manifest: Omit<ModelManifest, 'digest'>, weights: Float32Array): void {
  // A manifest may come from a file: nothing about it is taken for granted.
  const given: unknown = manifest;
  if (typeof given !== 'object' || given === null) throw invalid('the manifest is not an object');
  const m = given as Partial<Record<keyof ModelManifest, unknown>>;
  requireThat(m.format === 1, 'format must be 1');
  validateModelName(m.name);
  requireThat(isCount(m.version, 1), 'version must be an integer from 1');
  requireThat(m.scaler === 'none' || m.scaler === 'standard', 'scaler must be none or standard');
  requireThat(m.target === 'value' || m.target === 'difference', 'target must be value or difference');
  requireThat(isCount(m.warmUp, 0), 'warmUp must be an integer from 0');
  validateForecast(m.forecast);
  requireThat(m.origin === 'imported' || m.origin === 'trained', 'origin must be imported or trained');
  requireThat(typeof m.pinned === 'boolean', 'pinned must be true or false');
  requireThat(
    typeof m.createdAt === 'string' && !Number.isNaN(Date.parse(m.createdAt)),
    'createdAt must be a time, ISO 8601',
  );
  requireThat(
    m.vocabulary === undefined ||
      (Array.isArray(m.vocabulary) && m.vocabulary.every((word) => typeof word === 'string')),
    'vocabulary must be a list of words',
  );
  requireThat(
    m.training === undefined || (typeof m.training === 'object' && m.training !== null),
    'training must be an object',
  );
  try {
    requireThat(Array.isArray(manifest.network.layers), 'network.layers must be a list');
    validateNetwork(manifest.network, weights, { capacity: 1, maxWave: 1 });
    requireThat(
      manifest.forecast === undefined ||
        outputSize(manifest.network) === (manifest.forecast.targets ?? 1) * manifest.forecast.horizon,
      'forecast.horizon, times forecast.targets, must be the number of the network’s outputs',
    );
  } catch (error) {
    if (error instanceof RiverrunError) throw error;
    throw invalid(errorMessage(error), error);
  }
}

function validateForecast(forecast: unknown): void {
  if (forecast === undefined) return;
  requireThat(typeof forecast === 'object' && forecast !== null, 'forecast must be an object');
  const given: Partial<Record<keyof ForecastSpec, unknown>> = forecast;
  const { horizon, season, regular, timeZone, targets, transform, gaps, calibration, level } = given;
  requireThat(isCount(horizon, 1), 'forecast.horizon must be an integer from 1');
  requireThat(
    isCount(season, 0) && (season === 0 || (season as number) >= (horizon as number)),
    'forecast.season must be 0 or an integer from the horizon on',
  );
  requireThat(
    typeof timeZone === 'string' && isZone(timeZone),
    'forecast.timeZone must be a time zone such as Europe/Berlin',
  );
  requireThat(targets === undefined || isCount(targets, 1), 'forecast.targets must be an integer from 1');
  requireThat(
    transform === undefined || TRANSFORMS.some((one) => one === transform),
    `forecast.transform must be one of ${TRANSFORMS.join(', ')}`,
  );
  requireThat(regular === undefined || typeof regular === 'boolean', 'forecast.regular must be true or false');
  requireThat(gaps === undefined || typeof gaps === 'boolean', 'forecast.gaps must be true or false');
  requireThat(
    calibration === undefined || (Array.isArray(calibration) && calibration.every(Number.isFinite)),
    'forecast.calibration must be a list of numbers',
  );
  requireThat(
    level === undefined || (typeof level === 'number' && level > 0 && level < 1),
    'forecast.level must be a number between 0 and 1',
  );
}

export function validateModelName(name: unknown): asserts name is string {
  requireThat(
    typeof name === 'string' && MODEL_NAME.test(name),
    'name must be 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit',
  );
}

/** JSON whose text depends on the content only: keys sorted, undefined left out. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Domain knows no library: this is what luxon asks too. */
function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

const isCount = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && (value as number) >= least;

const invalid = (what: string, cause?: unknown): RiverrunError =>
  new RiverrunError('MODEL_INVALID', `model refused: ${what}`, { cause });

function requireThat(condition: boolean, what: string): asserts condition {
  if (!condition) throw invalid(what);
}
