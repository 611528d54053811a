/** Who may import whom: docs/architecture.md says why. */
const room = (name) => `^libs/${name}/`;
const only = (name, from, allowed, pathNot = ['\\.spec\\.ts$', '/testing/']) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot },
  to: { pathNot: [from, ...allowed] },
});
const NODE =
  '^(node:)?(fs|path|url|os|crypto|zlib|util|stream|events|worker_threads|perf_hooks|timers|readline|child_process|http|module|buffer|net|tls|fs/promises|timers/promises|readline/promises|stream/promises)(/|$)';
const npm = (...names) => `node_modules/(${names.join('|')})/`;

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    only('rnn-imports-nothing', room('rnn'), [], ['\\.spec\\.ts$', '/testing/', '^libs/rnn/build-kernel\\.mjs$']),
    only('domain-imports-rnn', room('domain'), [room('rnn'), '^crypto$']),
    only('pipeline-is-pure', room('pipeline'), [
      room('rnn'),
      room('domain'),
      room('forecasting'),
      npm('luxon', '@types/luxon'),
    ]),
    only('forecasting-is-pure', room('forecasting'), [room('rnn'), room('domain'), npm('luxon', '@types/luxon')]),
    only(
      'training-is-the-tfjs-room',
      room('training'),
      [
        room('rnn'),
        room('domain'),
        room('forecasting'),
        npm('@tensorflow/[^/]+'),
        '^(module|os|path|url|util|perf_hooks|child_process)$',
      ],
      ['\\.spec\\.ts$', '/testing/', '^libs/training/native/build\\.mjs$'],
    ),
    only('default-model-is-made-by-training', room('default-model'), [
      room('rnn'),
      room('domain'),
      room('forecasting'),
      room('training'),
      room('adapters/files'),
      '^(fs|path|url)$',
    ]),
    only('config-imports-nothing', room('config'), [npm('zod', 'yaml'), '^(fs|path)$']),
    only('telemetry-imports-domain', room('telemetry'), [room('domain'), npm('prom-client')]),
    ...['memory', 'files', 'kafka', 'redis', 'keras', 'vitals', 'csv'].map((a) =>
      only(`adapter-${a}-stands-alone`, room(`adapters/${a}`), [
        room('rnn'),
        room('domain'),
        NODE,
        npm('kafkajs', 'fzstd', 'ioredis', 'h5wasm', 'yauzl', '@types/yauzl', 'luxon', '@types/luxon', '@types/node'),
      ]),
    ),
    {
      name: 'libs-never-import-apps',
      severity: 'error',
      from: { path: '^libs/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(apps|test)/' },
    },
    {
      name: 'apps-never-import-apps',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'nest-in-apps-only',
      severity: 'error',
      from: { path: '^(libs|test)/' },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'tfjs-in-training-only',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/training/', '\\.spec\\.ts$'] },
      to: { path: 'node_modules/@tensorflow/' },
    },
    {
      name: 'clients-in-their-adapters-only',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/adapters/' },
      to: { path: 'node_modules/(kafkajs|fzstd|ioredis|h5wasm|yauzl)/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/', 'apps/dashboard', 'libs/rnn/src/generated'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'require', 'node', 'default', 'types'],
    },
  },
};
