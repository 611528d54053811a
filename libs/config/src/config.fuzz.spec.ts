import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from './config-error.js';
import { loadConfig } from './load-config.js';
import { printConfig } from './print-config.js';
import { FROM_FILES, KEYS, variableOf } from './settings.js';
import { formatBytes, formatDuration, parseBytes, parseDuration } from './values.js';

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const runs = { seed, numRuns: 1000 };
const VARIABLES = [
  'RIVERRUN_CONFIG',
  ...KEYS.map(variableOf),
  ...[...FROM_FILES].map((key) => `${variableOf(key)}_FILE`),
];
const WORDS = [
  'on',
  'off',
  '1',
  '-1',
  '6s',
  '1e9',
  '1GB',
  'a:1,b:2',
  'redis://h',
  'embedded',
  'distributed',
  'cluster',
  'gru',
  '/a',
  '&a',
  '*a',
  '<<',
];
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom(...WORDS));
const scalar = fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.constant(null));
const key = fc.oneof(
  fc.constantFrom(...KEYS, 'pipelines', 'name', 'topics', 'fields', 'inputs', 'model', 'retrain', '__proto__'),
  fc.string(),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ depthSize: 'small' }, scalar, fc.array(tie('tree')), fc.dictionary(key, tie('tree'))),
}));
const document = fc.oneof(
  text,
  fc.dictionary(key, tree).map((value) => JSON.stringify(value)),
  fc.array(fc.dictionary(key, tree)).map((pipelines) => JSON.stringify({ pipelines })),
);

/** Whatever comes in: a configuration that prints, or a ConfigError of one line. */
function holds(env: Record<string, string>, file: string): void {
  try {
    expect(printConfig(loadConfig(env, () => file).config)).toContain('mode: ');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toMatch(/[\r\n\u001b\u2028]/);
  }
}

describe(`random input, SEED=${seed}`, () => {
  it('variables', () => {
    const env = fc.dictionary(
      fc.oneof(
        fc.constantFrom(...VARIABLES),
        fc.string().map((name) => `RIVERRUN_${name}`),
      ),
      text,
    );
    fc.assert(fc.property(env, text, holds), runs);
  });

  it('one variable at a time', () => {
    fc.assert(
      fc.property(fc.constantFrom(...VARIABLES), text, text, (name, value, file) => holds({ [name]: value }, file)),
      runs,
    );
  });

  it('a file with a line end in its name', () => {
    holds({ RIVERRUN_CONFIG: 'a\n\u001b.yaml' }, '- a');
  });

  it('files', () => {
    fc.assert(
      fc.property(document, (file) => holds({ RIVERRUN_CONFIG: 'f.yaml' }, file)),
      runs,
    );
  });

  it('a secret never stands in an error', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9+/=!*&@: ]{8,40}$/).map((s) => `Zq7${s}`);
    fc.assert(
      fc.property(
        secret,
        fc.constantFrom('adminToken', 'kafkaSslKey', 'kafkaSaslPassword', 'redisUrl'),
        (value, name) => {
          for (const env of [{ [variableOf(name)]: value }, { RIVERRUN_CONFIG: 'f.yaml' }]) {
            for (const file of [
              `${name}: ${value}`,
              `${name}: [${value}]`,
              `${name}: {a: ${value}}`,
              `${name}: "${value}`,
            ]) {
              try {
                loadConfig(env, () => file);
              } catch (error) {
                expect((error as ConfigError).problems.join()).not.toContain('Zq7');
              }
            }
          }
        },
      ),
      runs,
    );
  });

  it('durations and sizes read back as printed', () => {
    fc.assert(
      fc.property(fc.nat(), (n) => {
        expect(parseDuration(formatDuration(n))).toBe(n);
        expect(parseBytes(formatBytes(n))).toBe(n);
      }),
      runs,
    );
  });
});
