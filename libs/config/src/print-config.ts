/** The configuration in force, for `riverrun config print`: YAML that RIVERRUN_CONFIG takes, but for the secrets. */
import { stringify } from 'yaml';
import type { Config } from './config.js';
import { DURATIONS, SECRETS, SIZES } from './settings.js';
import { formatBytes, formatDuration } from './values.js';

const MASK = '***';

/** As printConfig, as plain data for `--json`. */
export function maskConfig(config: Config): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, SECRETS.has(key) ? masked(key, value) : readable(key, value)]),
  );
}

export const printConfig = (config: Config): string =>
  stringify(maskConfig(config), { lineWidth: 0, aliasDuplicateObjects: false });

function readable(key: string, value: unknown): unknown {
  if (key === 'pipelines') {
    return (value as Config['pipelines']).map(({ retrainInterval, named, ...rest }) => ({
      ...rest,
      inputs: named?.map(({ name }) => name) ?? rest.inputs,
      retrain: readable('retrainInterval', retrainInterval),
    }));
  }
  if (DURATIONS.has(key)) return value === null ? 'off' : formatDuration(value as number);
  if (SIZES.has(key)) return formatBytes(value as number);
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  // An empty list is what leaving the key out means, and not what the file may say.
  return Array.isArray(value) && value.length === 0 ? undefined : value;
}

/** A URL stays useful without its credentials. */
function masked(key: string, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (key !== 'redisUrl') return MASK;
  const url = new URL(value as string);
  // Some put the password where the user belongs: a lone user is masked too.
  const user = url.password === '' ? '' : url.username;
  const credentials = url.username === '' && url.password === '' ? '' : `${user === '' ? '' : `${user}:`}${MASK}@`;
  return `${url.protocol}//${credentials}${url.host}${url.pathname}${url.search === '' ? '' : `?${MASK}`}`;
}
