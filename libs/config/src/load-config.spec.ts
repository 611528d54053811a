import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_PIPELINE, MOST_INPUTS, type PipelineSpec } from '#domain/pipeline-spec';
import { ConfigError } from './config-error.js';
import { loadConfig, type Environment } from './load-config.js';

const files = (contents: Record<string, string>) => (path: string) => {
  if (Object.hasOwn(contents, path)) return contents[path];
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
};
const load = (env: Environment, contents: Record<string, string> = {}) => loadConfig(env, files(contents));
const yaml = (text: string, env: Environment = {}) =>
  load({ RIVERRUN_CONFIG: '/etc/riverrun.yaml', ...env }, { '/etc/riverrun.yaml': text });
const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).code).toBe('CONFIG');
    expect((error as ConfigError).message).not.toContain('\n');
    return (error as ConfigError).message;
  }
  throw new Error('was not refused');
};
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';

describe('defaults', () => {
  it('runs the demo only where nobody named pipelines of their own, unless asked to', () => {
    const own = (): string => 'pipelines: [{name: mine}]';
    expect(loadConfig({ RIVERRUN_CONFIG: 'riverrun.yaml' }, own).config.demo).toBe(false);
    expect(loadConfig({ RIVERRUN_CONFIG: 'riverrun.yaml', RIVERRUN_DEMO: 'on' }, own).config.demo).toBe(true);
    expect(loadConfig({}).config.demo).toBe(true);
  });

  it('needs nothing', () => {
    const { config, warnings } = load({ HOME: '/root', KAFKA_HOME: '/opt' });
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      mode: 'embedded',
      role: 'all',
      host: '127.0.0.1',
      port: 3000,
      app: 'riverrun',
      logLevel: 'info',
      dataDir: resolve('.riverrun'),
      predictionsTopic: 'predictions',
      deadLetterTopic: 'ticks-dlt',
      checkpointTopic: 'riverrun-state-changelog',
      delivery: 'exactly-once',
      from: 'latest',
      sessionTimeout: 6000,
      retrainInterval: 120_000,
      maxRecordBytes: 1_048_576,
      hotBytes: 536_870_912,
      demo: true,
      defaultModel: true,
      kafkaBrokers: [],
      kafkaSsl: false,
      redisMode: 'standalone',
    });
    const pipeline: PipelineSpec = config.pipelines[0];
    expect(pipeline).toMatchObject(DEFAULT_PIPELINE);
  });

  it('counts an empty variable as absent', () => {
    expect(load({ RIVERRUN_MODE: '', PORT: ' ', RIVERRUN_ADMIN_TOKEN: '' }).config).toMatchObject({
      mode: 'embedded',
      port: 3000,
    });
  });

  it('derives the changelog topic from the app', () => {
    expect(load({ RIVERRUN_APP: 'grid' }).config.checkpointTopic).toBe('grid-state-changelog');
  });
});

describe('a bad value', () => {
  it.each([
    [{ RIVERRUN_MODE: 'cloud' }, 'RIVERRUN_MODE="cloud": expected embedded or distributed'],
    [{ PORT: '70000' }, 'PORT="70000": expected a whole number from 0 to 65535'],
    [{ PORT: '0x10' }, 'PORT="0x10": expected a whole number from 0 to 65535'],
    [{ RIVERRUN_SESSION_TIMEOUT: '6' }, 'RIVERRUN_SESSION_TIMEOUT="6": expected a duration'],
    [{ RIVERRUN_RETRAIN_INTERVAL: '30d' }, 'RIVERRUN_RETRAIN_INTERVAL="30d": expected off or a duration'],
    [{ RIVERRUN_TICKS_TOPIC: 'a,,b' }, 'RIVERRUN_TICKS_TOPIC="a,,b": expected topic names'],
    [{ RIVERRUN_TICKS_TOPIC: 'a,a' }, 'each once'],
    [{ RIVERRUN_HOT_BYTES: 'lots' }, 'RIVERRUN_HOT_BYTES="lots": expected a size'],
    [{ LOG_LEVEL: 'loud\n\u001b[31m' }, 'LOG_LEVEL="loud\\n\\u001b[31m": expected debug, info, warn or error'],
    [{ KAFKA_BROKERS: 'broker' }, 'KAFKA_BROKERS="broker": expected host:port'],
    [{ KAFKA_SASL_MECHANISM: 'OAUTHBEARER' }, 'not supported yet'],
    [{ KAFKA_SASL_USERNAME: 'me' }, 'KAFKA_SASL_USERNAME is given without KAFKA_SASL_PASSWORD'],
    [{ KAFKA_SSL_CERT: PEM }, 'KAFKA_SSL_CERT is given without KAFKA_SSL_KEY'],
    [{ KAFKA_SSL_CA: PEM, KAFKA_SSL: 'off' }, 'KAFKA_SSL is off although KAFKA_SSL_CA is given'],
    [{ RIVERRUN_MODE: 'distributed', REDIS_URL: 'redis://r' }, 'KAFKA_BROKERS is missing'],
    [{ RIVERRUN_MODE: 'distributed', KAFKA_BROKERS: 'k:9092' }, 'REDIS_URL is missing'],
    [{ REDIS_MODE: 'cluster', REDIS_URL: 'redis://r' }, 'REDIS_NODES is missing'],
    [
      { RIVERRUN_TICKS_TOPIC: 'predictions' },
      'RIVERRUN_TICKS_TOPIC: predictions is already the topic of the predictions',
    ],
    [{ RIVERRUN_DEAD_LETTER_TOPIC: 'predictions' }, 'three different ones'],
    [{ RIVERRUN_CONFIG: '/nowhere.yaml' }, 'RIVERRUN_CONFIG="/nowhere.yaml": cannot read the file (ENOENT)'],
    [{ RIVERRUN_DEMO: 'maybe', PORT: 'x' }, '(and 1 more)'],
  ])('%j names the variable and what is expected', (env, message) => {
    expect(refusal(() => load(env))).toContain(message);
  });
});

describe('secrets', () => {
  it('come from files, without the last line end', () => {
    const { config } = load(
      { RIVERRUN_ADMIN_TOKEN_FILE: '/run/token', KAFKA_SSL_CA_FILE: '/run/ca', REDIS_URL_FILE: '/run/redis' },
      { '/run/token': 'hunter22\n', '/run/ca': PEM, '/run/redis': 'rediss://:pw@host:6380/2\r\n' },
    );
    expect(config).toMatchObject({
      adminToken: 'hunter22',
      kafkaSslCa: PEM,
      kafkaSsl: true,
      redisUrl: 'rediss://:pw@host:6380/2',
    });
  });

  it('PEM settings take the text, the text with \\n, or a path', () => {
    expect(load({ KAFKA_SSL_CA: PEM.replaceAll('\n', '\\n') }).config.kafkaSslCa).toBe(PEM);
    expect(load({ KAFKA_SSL_CA: '/ca.pem' }, { '/ca.pem': PEM }).config.kafkaSslCa).toBe(PEM);
    expect(refusal(() => load({ KAFKA_SSL_CA: '/no.pem' }))).toBe(
      'KAFKA_SSL_CA="/no.pem": cannot read the file (ENOENT)',
    );
  });

  it.each([
    [
      { RIVERRUN_ADMIN_TOKEN: 'hunter22', RIVERRUN_ADMIN_TOKEN_FILE: '/t' },
      'RIVERRUN_ADMIN_TOKEN and RIVERRUN_ADMIN_TOKEN_FILE are both given',
    ],
    [{ KAFKA_SASL_PASSWORD_FILE: '/gone' }, 'KAFKA_SASL_PASSWORD_FILE="/gone": cannot read the file (ENOENT)'],
    [{ REDIS_URL_FILE: '/empty' }, 'REDIS_URL_FILE="/empty": the file is empty'],
    [{ RIVERRUN_ADMIN_TOKEN: 'hunter22 with spaces' }, 'RIVERRUN_ADMIN_TOKEN: expected'],
    [{ REDIS_URL: 'http://:hunter22@h' }, 'REDIS_URL: expected redis://'],
    [{ REDIS_URL_FILE: '/bad' }, 'REDIS_URL_FILE: expected redis://'],
    [{ KAFKA_SSL_KEY: 'hunter22' }, 'KAFKA_SSL_KEY: expected PEM text'],
  ])('%j is refused without quoting the secret', (env, message) => {
    const line = refusal(() => load(env, { '/t': 'hunter22', '/empty': '\n', '/bad': 'hunter22' }));
    expect(line).toContain(message);
    expect(line).not.toContain('hunter22');
  });
});

describe('unknown variables', () => {
  it('are warnings with the name that was meant', () => {
    const { warnings } = load({
      RIVERRUN_MODDE: 'x',
      RIVERRUN_TICK_TOPIC: 'x',
      RIVERRUN_ZZZZZZ: 'hunter22',
      OTEL_X: '1',
    });
    expect(warnings).toEqual([
      'RIVERRUN_MODDE is not a setting and is ignored; did you mean RIVERRUN_MODE?',
      'RIVERRUN_TICK_TOPIC is not a setting and is ignored; did you mean RIVERRUN_TICKS_TOPIC?',
      'RIVERRUN_ZZZZZZ is not a setting and is ignored',
    ]);
  });

  it('what Kubernetes injects is only a warning', () => {
    const { config, warnings } = load({
      RIVERRUN_PORT: 'tcp://10.0.0.1:3000',
      RIVERRUN_PORT_3000_TCP_ADDR: '10.0.0.1',
      RIVERRUN_SERVICE_HOST: 'x',
    });
    expect(config.port).toBe(3000);
    expect(warnings).toHaveLength(3);
    expect(warnings.join()).toContain('enableServiceLinks');
    expect(load({ RIVERRUN_PORT: '8080' }).warnings[0]).toContain('did you mean PORT?');
  });
});

describe('the YAML file', () => {
  it('is overridden by the environment', () => {
    const text = 'port: 4000\nlogLevel: debug\nkafkaBrokers: [a:1, b:2]\nretrainInterval: off\nadminToken: abc\n';
    const { config } = yaml(text, { PORT: '5000' });
    expect(config).toMatchObject({
      port: 5000,
      logLevel: 'debug',
      kafkaBrokers: ['a:1', 'b:2'],
      retrainInterval: null,
      adminToken: 'abc',
    });
  });

  it('describes pipelines', () => {
    const { config } = yaml(`
retrainInterval: 5m
pipelines:
  - name: grid
    topics: [grid-a, grid-b]
    fields: { stream: /meter/id, time: /at, values: [/load, /weather/temp] }
    timeUnit: s
    timeZone: Europe/Berlin
    season: 24
    regular: on
    level: 0.8
    quantiles: [0.9, 0.1]
    model: { cell: lstm, hidden: 32, transform: log, gaps: on }
    retrain: off
  - name: words
    topics: clicks
    fields: { token: /page }
  - { name: rooms, topics: rooms, targets: [heat, power] }
  - { name: plant, topics: plant, inputs: [heat, power, load], targets: [heat, power] }
  - { name: shop, topics: shop, inputs: [sales, holiday, price], known: holiday, horizon: 2 }
`);
    expect(config.pipelines[0]).toMatchObject({
      inputs: ['load', 'temp'],
      quantiles: [0.1, 0.9],
      horizon: 1,
      season: 24,
      regular: true,
      retrainInterval: null,
      window: 512,
      model: { cell: 'lstm', hidden: 32, transform: 'log', gaps: true },
    });
    expect(config.pipelines[1]).toMatchObject({
      regular: 'auto',
      model: { transform: 'auto', gaps: 'auto', loss: 'mae' },
      topics: ['clicks'],
      inputs: ['value'],
      retrainInterval: 300_000,
      fields: { token: '/page' },
    });
    expect(config.pipelines[2]).toMatchObject({ inputs: ['heat', 'power'], targets: ['heat', 'power'] });
    expect(config.pipelines[3]).toMatchObject({ inputs: ['heat', 'power', 'load'], targets: ['heat', 'power'] });
    expect(config.pipelines[4]).toMatchObject({
      inputs: ['sales', 'holiday', 'holiday+1', 'holiday+2', 'price'],
      named: [
        { name: 'sales', ahead: 0 },
        { name: 'holiday', ahead: 2 },
        { name: 'price', ahead: 0 },
      ],
    });
    const specs: readonly PipelineSpec[] = config.pipelines;
    expect(specs[0].fields.values).toEqual(['/load', '/weather/temp']);
  });

  it('takes as many inputs as the domain does', () => {
    const withInputs = (count: number): unknown =>
      yaml(`pipelines: [{name: a, inputs: [${Array.from({ length: count }, (_, k) => `x${k}`).join(', ')}]}]`);
    expect(() => withInputs(MOST_INPUTS)).not.toThrow();
    expect(() => withInputs(MOST_INPUTS + 1)).toThrow(`at most ${MOST_INPUTS}`);
  });

  it.each([
    ['port: 99999', 'riverrun.yaml: port 99999: expected'],
    ['prot: 1', 'riverrun.yaml: "prot" is not a setting; did you mean port?'],
    ['mode: {a: 1}', 'riverrun.yaml: mode {"a":1}: expected embedded or distributed'],
    ['- a', 'riverrun.yaml: expected settings as'],
    ['a: &x [1]\nb: *x', 'riverrun.yaml:2:4: aliases'],
    ['port: 1\nport: 2', 'riverrun.yaml:2:1: a key stands here for the second time'],
    ['adminToken: !hunter22 x', 'tags (!name) are not supported'],
    ['adminToken: *hunter22', 'aliases (*name) are not supported'],
    ['adminToken: 0123', 'riverrun.yaml: adminToken: expected'],
    ['a: [1', 'riverrun.yaml:1:'],
    ['---\na: 1\n---\nb: 1', 'riverrun.yaml:'],
    ['? [a]\n: 1', 'keys have to be plain words'],
    ['pipelines: x', 'riverrun.yaml: pipelines "x": expected array'],
    ['pipelines: []', 'expected at least one pipeline'],
    ['pipelines: [{topics: [a]}]', 'riverrun.yaml: pipelines[0].name: expected a name'],
    ['pipelines: [{name: a, horizon: 0}]', 'riverrun.yaml: pipelines[0].horizon 0: expected'],
    [
      'pipelines: [{name: a, timeZone: Mars/Olympus}]',
      'pipelines[0].timeZone "Mars/Olympus": expected an IANA time zone',
    ],
    ['pipelines: [{name: a, timeZone: "+02:00"}]', 'expected an IANA time zone'],
    ['pipelines: [{name: a, fields: {time: at}}]', 'pipelines[0].fields.time "at": expected a JSON Pointer'],
    ['pipelines: [{name: a, fields: {time: /a~2}}]', 'expected a JSON Pointer'],
    ['pipelines: [{name: a, fields: {tiem: /a}}]', 'pipelines[0].fields: "tiem" is not a setting'],
    [
      'pipelines: [{name: a, inputs: [x, y], fields: {value: /a}}]',
      'pipelines[0].inputs ["x","y"]: expected 1: one for each',
    ],
    [
      'pipelines: [{name: a, inputs: [x, y], targets: [y]}]',
      'pipelines[0].targets ["y"]: expected the first of the inputs, in their order: x, y',
    ],
    [
      'pipelines: [{name: a, inputs: [x, y], known: [x]}]',
      'pipelines[0].known ["x"]: expected inputs that are not forecast: y',
    ],
    [
      'pipelines: [{name: a, known: [x]}]',
      'pipelines[0].known ["x"]: expected inputs that are not forecast: there are none',
    ],
    ['pipelines: [{name: a, inputs: [x, y, "y+1"], known: [y]}]', 'expected none called as another some ticks ahead'],
    [
      'pipelines: [{name: a, inputs: [x, y], known: [y], horizon: 254}]',
      'at most 255, what is known ahead counted 255 times',
    ],
    ['pipelines: [{name: a, targets: [x], fields: {token: /t}}]', 'expected none: what comes after a token'],
    ['pipelines: [{name: a, targets: [x, x]}]', 'pipelines[0].targets ["x","x"]: expected names of inputs that'],
    ['pipelines: [{name: a, fields: {value: /a, values: [/b]}}]', 'expected either value or values'],
    [
      'pipelines: [{name: a, topics: [t]}, {name: b, topics: [t]}]',
      'pipelines[1].topics: t is already the topic of pipeline a',
    ],
    ['pipelines: [{name: a, topics: [t]}, {name: a, topics: [u]}]', 'pipelines[1].name: a is already'],
    [
      'pipelines: [{name: a, topics: [predictions]}]',
      'pipelines[0].topics: predictions is already the topic of the predictions',
    ],
    [
      'pipelines: [{name: a, model: {transform: sqrt}}]',
      'riverrun.yaml: pipelines[0].model.transform "sqrt": expected auto, difference, log or none',
    ],
    ['pipelines: [{name: a, quantiles: [0.5, 0.5]}]', 'pipelines[0].quantiles [0.5,0.5]: expected numbers from 0.001'],
    ['pipelines: [{name: a, quantiles: [0.1, 1]}]', 'pipelines[0].quantiles [0.1,1]: expected numbers from 0.001'],
    ['pipelines: [{name: a, level: 90}]', 'pipelines[0].level 90: expected a fraction'],
  ])('%s is refused by its place', (text, message) => {
    const line = refusal(() => yaml(text));
    expect(line).toContain(message);
    expect(line).not.toContain('hunter22');
  });

  it('an alias bomb is refused at once', () => {
    const levels = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`).join('\n');
    const started = performance.now();
    expect(refusal(() => yaml(`a0: &a0 x\n${levels}`))).toContain('aliases');
    expect(performance.now() - started).toBeLessThan(500);
  });

  it('endless nesting is refused', () => {
    expect(refusal(() => yaml('['.repeat(100_000)))).toContain('riverrun.yaml');
  });

  it('an empty file says nothing', () => {
    expect(yaml('# nothing\n').config.port).toBe(3000);
  });
});
