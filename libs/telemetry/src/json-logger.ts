/** Log lines: one JSON document each, or for a terminal one line a person reads. Logging never throws. */
import type { Logger } from '#domain/ports';
import { flatten, type Flat } from './flatten.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LoggerOptions {
  /** Lines below it are dropped; default info. */
  readonly level?: LogLevel | undefined;
  /** Takes whole lines, their end included; default stderr, because stdout is for results. */
  readonly write?: ((line: string) => void) | undefined;
  readonly now?: (() => number) | undefined;
  readonly format?: 'json' | 'pretty' | undefined;
  /** In every line, such as the pipeline. */
  readonly fields?: Record<string, unknown> | undefined;
}

const SEVERITY: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createJsonLogger(options: LoggerOptions = {}): Logger {
  const { level = 'info', now = Date.now, format = 'json', fields: common } = options;
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const render = format === 'json' ? jsonLine : prettyLine;
  const log =
    (severity: LogLevel) =>
    (message: string, fields?: Record<string, unknown>): void => {
      if (SEVERITY[severity] < SEVERITY[level]) return;
      try {
        write(`${render(now(), severity, String(message), flatten({ ...common, ...fields }))}\n`);
      } catch {
        // A full disk or a closed pipe must not stop the service; neither may a field nobody can read.
      }
    };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

function jsonLine(now: number, level: LogLevel, message: string, fields: Flat): string {
  const line: Flat = { time: new Date(now).toISOString(), level, message };
  for (const [name, value] of Object.entries(fields))
    line[Object.hasOwn(line, name) || name === '__proto__' ? `fields.${name}` : name] = value;
  return JSON.stringify(line);
}

const COLOURS: Record<LogLevel, string> = {
  debug: '\u001b[90m',
  info: '\u001b[36m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
};
const PLAIN = '\u001b[0m';

/** `12:00:01.250 info  message key=value`; a stack follows on lines of its own. */
function prettyLine(now: number, level: LogLevel, message: string, fields: Flat): string {
  const stacks: string[] = [];
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (name.endsWith('.stack') && typeof value === 'string')
      stacks.push(
        ...value
          .split('\n')
          .slice(1)
          .map((at) => `\n  ${harmless(at.trim())}`),
      );
    else if (!name.endsWith('.name')) pairs.push(` ${harmless(name)}=${harmless(shown(value))}`);
  }
  const time = new Date(now).toISOString().slice(11, 23);
  return `\u001b[90m${time}${PLAIN} ${COLOURS[level]}${level.padEnd(5)}${PLAIN} ${harmless(message)}${pairs.join('')}${stacks.join('')}`;
}

const shown = (value: Flat[string]): string =>
  typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);

/** What came from outside must not steer the terminal, nor make lines of its own. */
const harmless = (text: string): string =>
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
