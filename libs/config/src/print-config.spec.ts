import { describe, expect, it } from 'vitest';
import { loadConfig } from './load-config.js';
import { maskConfig, printConfig } from './print-config.js';
import { FROM_FILES, SECRETS, settingsShape, variableOf } from './settings.js';

const PEM = (what: string): string => `-----BEGIN ${what}-----\nhunter22\n-----END ${what}-----`;
const SECRET_VALUES = {
  RIVERRUN_ADMIN_TOKEN: 'hunter22',
  KAFKA_SASL_USERNAME: 'me',
  KAFKA_SASL_PASSWORD: 'hunter22',
  KAFKA_SSL_CERT: PEM('CERTIFICATE').replace('hunter22', 'public'),
  KAFKA_SSL_KEY: PEM('PRIVATE KEY'),
  REDIS_URL: 'rediss://app:hunter22@redis:6380/1?password=hunter22',
};

describe('printConfig', () => {
  it('masks every secret', () => {
    const { config } = loadConfig(SECRET_VALUES);
    const text = printConfig(config);
    expect(text).not.toContain('hunter22');
    expect(JSON.stringify(maskConfig(config))).not.toContain('hunter22');
    expect(maskConfig(config)).toMatchObject({
      adminToken: '***',
      kafkaSslKey: '***',
      kafkaSaslPassword: '***',
      redisUrl: 'rediss://app:***@redis:6380/1?***',
      kafkaSaslUsername: 'me',
    });
  });

  it('masks a lone user of a URL, where some put the password', () => {
    expect(maskConfig(loadConfig({ REDIS_URL: 'redis://hunter22@r' }).config).redisUrl).toBe('redis://***@r');
    expect(maskConfig(loadConfig({ REDIS_URL: 'redis://:hunter22@r' }).config).redisUrl).toBe('redis://***@r');
    expect(maskConfig(loadConfig({ REDIS_URL: 'redis://r:6379' }).config).redisUrl).toBe('redis://r:6379');
  });

  it('prints what RIVERRUN_CONFIG reads back as the same', () => {
    const { config } = loadConfig(
      {
        RIVERRUN_CONFIG: 'r.yaml',
        RIVERRUN_HOT_BYTES: '1.5GB',
        RIVERRUN_SESSION_TIMEOUT: '90s',
        KAFKA_BROKERS: 'a:1,b:2',
      },
      () =>
        'pipelines: [{name: a, topics: [t], retrain: off, season: 24}, {name: b, fields: {values: [/x, /y]}}, {name: c, topics: c, inputs: [x, y], known: y}]',
    );
    const printed = printConfig(config);
    expect(printed).toContain('sessionTimeout: 90s');
    expect(loadConfig({ RIVERRUN_CONFIG: 'r.yaml' }, () => printed).config).toEqual(config);
  });
});

describe('names', () => {
  it('follow from the keys', () => {
    expect(['ticksTopic', 'port', 'logLevel', 'kafkaSslCa', 'redisUrl', 'app'].map(variableOf)).toEqual([
      'RIVERRUN_TICKS_TOPIC',
      'PORT',
      'LOG_LEVEL',
      'KAFKA_SSL_CA',
      'REDIS_URL',
      'RIVERRUN_APP',
    ]);
  });

  it('whatever sounds like a secret is one, and comes from files too', () => {
    const secret = Object.keys(settingsShape).filter((key) => /token$|password$|(ssl|tls)key$|url$/i.test(key));
    expect(secret.sort()).toEqual([...SECRETS].sort());
    expect(secret.every((key) => FROM_FILES.has(key))).toBe(true);
  });
});
