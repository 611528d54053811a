/** From the environment and the YAML file to one checked configuration, or to a line that says what to change. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type * as z from 'zod';
import { ConfigError, shown } from './config-error.js';
import { parseConfigFile } from './config-file.js';
import { checkTogether, type Config } from './config.js';
import { didYouMean } from './closest.js';
import { FROM_FILES, KEYS, PEM_OR_PATH, SECRETS, settingsSchema, variableOf } from './settings.js';

export type ReadFile = (path: string) => string;
export type Environment = Readonly<Record<string, string | undefined>>;

/** A value on its way into the schema, and how an error line names the place it came from. */
interface Given {
  readonly value: unknown;
  /** `RIVERRUN_MODE` or `riverrun.yaml: mode` */
  readonly place: string;
  readonly fromEnvironment: boolean;
  /** The value came out of another file, so that it must not be quoted. */
  readonly hidden?: boolean;
}

const CONFIG_FILE = 'RIVERRUN_CONFIG';

/** The one entrance. `env` is the process's own environment unless a test hands one in. */
export function loadConfig(
  env: Environment = process.env,
  readFile: ReadFile = (path) => readFileSync(path, 'utf8'),
): { config: Config; warnings: string[] } {
  const problems: string[] = [];
  const { file, document } = readDocument(env, readFile);
  const given = gather(env, document, file, readFile, problems);

  const parsed = settingsSchema.safeParse(Object.fromEntries([...given].map(([key, { value }]) => [key, value])));
  if (!parsed.success) problems.push(...parsed.error.issues.map((issue) => lineOf(issue, given, file)));
  if (problems.length > 0 || !parsed.success) throw ConfigError.of(problems);

  const place = (key: string): string => given.get(key)?.place ?? variableOf(key);
  const result = checkTogether(parsed.data, place, (key) => given.has(key), file);
  if (result.problems.length > 0) throw ConfigError.of(result.problems);
  return { config: result.config, warnings: [...unknownVariables(env), ...result.warnings] };
}

function readDocument(env: Environment, readFile: ReadFile): { file: string; document: Record<string, unknown> } {
  const path = env[CONFIG_FILE]?.trim();
  if (!path) return { file: '', document: {} };
  const file = shown(basename(path)).slice(1, -1);
  return { file, document: parseConfigFile(file, slurp(path, CONFIG_FILE, readFile)) };
}

function slurp(path: string, place: string, readFile: ReadFile): string {
  try {
    return readFile(path);
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    throw new ConfigError(
      `${place}=${shown(path)}: cannot read the file${typeof code === 'string' ? ` (${code})` : ''}`,
    );
  }
}

function gather(
  env: Environment,
  document: Record<string, unknown>,
  file: string,
  readFile: ReadFile,
  problems: string[],
): Map<string, Given> {
  const given = new Map<string, Given>();
  const attempt = (take: () => void): void => {
    try {
      take();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(error.message);
    }
  };
  const known = new Set<string>([...KEYS, 'pipelines', ...[...FROM_FILES].map((key) => `${key}File`)]);
  for (const key of Object.keys(document)) {
    if (!known.has(key)) problems.push(`${file}: ${shown(key)} is not a setting${didYouMean(key, known)}`);
  }
  const inDocument = (key: string): unknown =>
    Object.hasOwn(document, key) ? (document[key] ?? undefined) : undefined;

  for (const key of KEYS) {
    const variable = variableOf(key);
    const [own, ownFile] = [
      textOf(env, variable, SECRETS.has(key)),
      FROM_FILES.has(key) ? textOf(env, `${variable}_FILE`) : undefined,
    ];
    attempt(() => {
      if (own !== undefined || ownFile !== undefined) {
        take(key, own, ownFile, variable, `${variable}_FILE`, true);
      } else {
        take(
          key,
          inDocument(key),
          FROM_FILES.has(key) ? inDocument(`${key}File`) : undefined,
          `${file}: ${key}`,
          `${file}: ${key}File`,
          false,
        );
      }
    });
  }
  const pipelines = inDocument('pipelines');
  if (pipelines !== undefined)
    given.set('pipelines', { value: pipelines, place: `${file}: pipelines`, fromEnvironment: false });
  return given;

  function take(
    key: string,
    own: unknown,
    path: unknown,
    place: string,
    pathPlace: string,
    fromEnvironment: boolean,
  ): void {
    if (own !== undefined && path !== undefined)
      throw new ConfigError(`${place} and ${pathPlace} are both given: expected one of them`);
    if (path !== undefined) {
      if (typeof path !== 'string') throw new ConfigError(`${pathPlace}: expected the path of a file`);
      // Editors and `kubectl create secret` end a file with a line end that is no part of the secret.
      const text = slurp(path, pathPlace, readFile).replace(/\r?\n$/, '');
      if (text === '') throw new ConfigError(`${pathPlace}=${shown(path)}: the file is empty`);
      given.set(key, { value: text, place: pathPlace, fromEnvironment, hidden: true });
    } else if (typeof own === 'string' && PEM_OR_PATH.has(key) && !own.includes('-----BEGIN')) {
      // A key pasted in the wrong form must not be quoted as a path that cannot be read.
      const value =
        SECRETS.has(key) && /[\r\n]|^.{1024}/.test(own) ? own : slurpHidden(own, place, SECRETS.has(key), readFile);
      given.set(key, { value, place, fromEnvironment, hidden: true });
    } else if (own !== undefined) {
      // One-line stores of variables write the line ends of PEM text as \n.
      const value = typeof own === 'string' && PEM_OR_PATH.has(key) ? own.replaceAll('\\n', '\n') : own;
      given.set(key, { value, place, fromEnvironment });
    }
  }
}

function slurpHidden(path: string, place: string, secret: boolean, readFile: ReadFile): string {
  try {
    return slurp(path, place, readFile);
  } catch (error) {
    if (!secret) throw error;
    throw new ConfigError(`${place}: expected PEM text, or the path of a PEM file that can be read`);
  }
}

/** An empty variable counts as absent: that is how compose files and charts say "not set". */
function textOf(env: Environment, variable: string, exact = false): string | undefined {
  const text = exact ? env[variable] : env[variable]?.trim();
  return text === '' ? undefined : text;
}

function lineOf(issue: z.core.$ZodIssue, given: ReadonlyMap<string, Given>, file: string): string {
  const [key, ...rest] = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const source = given.get(String(key));
  const inside = rest.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  const place = `${source?.place ?? (file === '' ? String(key) : `${file}: ${key}`)}${inside}`;
  if (issue.code === 'unrecognized_keys') {
    return `${place}: ${issue.keys.map((name) => `${shown(name)} is not a setting`).join(', ')}`;
  }
  const value = rest.reduce<unknown>(
    (at, part) => (at as Record<string | number, unknown> | undefined)?.[part],
    source?.value,
  );
  const quotable =
    value !== undefined && source?.hidden !== true && !SECRETS.has(String(key)) && !PEM_OR_PATH.has(String(key));
  const message = issue.code === 'custom' ? issue.message : issue.message.replace(/^Invalid input: /, '');
  return `${place}${quotable ? `${source?.fromEnvironment === true ? '=' : ' '}${shown(value)}` : ''}: ${message}`;
}

function unknownVariables(env: Environment): string[] {
  const known = new Set([
    CONFIG_FILE,
    ...KEYS.map(variableOf),
    ...[...FROM_FILES].map((key) => `${variableOf(key)}_FILE`),
  ]);
  const unknown = Object.keys(env).filter((name) => name.startsWith('RIVERRUN_') && !known.has(name));
  return unknown.sort().map((name) => {
    const injected = /^RIVERRUN_(SERVICE_(HOST|PORT)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$)/.test(name);
    if (injected && (name !== 'RIVERRUN_PORT' || env[name]?.includes('://'))) {
      return `${name} is not a setting: a Kubernetes Service called riverrun injects it (set enableServiceLinks: false)`;
    }
    // A name can hold anything a process was started with; a line of the log cannot.
    return `${shown(name).slice(1, -1)} is not a setting and is ignored${name === 'RIVERRUN_PORT' ? '; did you mean PORT?' : didYouMean(name, known)}`;
  });
}
