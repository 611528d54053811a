// npm run tfjs-node:build: TensorFlow.js' native backend from npm and PyPI alone (docs/adr/0010-native-tensorflow.md).
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const home = import.meta.dirname;
const tfjsNode = join(home, 'node_modules/@tensorflow/tfjs-node');
const stampFile = join(home, 'node_modules/.built');

/** Of all that decides what is built: where one of them changes, it is built anew. */
const stamp = createHash('sha256');
for (const name of ['build.mjs', 'package-lock.json', 'requirements.txt']) stamp.update(readFileSync(join(home, name)));
const digest = stamp.digest('hex');

function fail(message) {
  console.error(`tfjs-node:build: ${message}`);
  process.exit(1);
}

function step(what, command, args, next) {
  console.log(`tfjs-node:build: ${what}`);
  const { status, error } = spawnSync(command, args, { cwd: home, stdio: 'inherit' });
  if (error !== undefined || status !== 0) fail(`${command} failed (${error?.message ?? `exit ${status}`}): ${next}`);
}

/** What an op gives, in a process of its own: a library that does not fit this machine may end it. */
function complaint() {
  const op = `
    const tf = require('@tensorflow/tfjs-node');
    const product = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2])).dataSync();
    if (tf.getBackend() !== 'tensorflow' || product.join() !== '19,22,43,50') throw new Error('wrong product: ' + product);`;
  try {
    execFileSync(process.execPath, ['-e', op], { cwd: home, stdio: ['ignore', 'ignore', 'pipe'] });
    return undefined;
  } catch (error) {
    return String(error.stderr).trim() || error.message;
  }
}

const built = () => {
  try {
    return readFileSync(stampFile, 'utf8') === digest && complaint() === undefined;
  } catch {
    return false;
  }
};

const has = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

const system = `${process.arch} ${process.platform}`;
const glibc = process.platform === 'linux' ? process.report.getReport().header.glibcVersionRuntime : undefined;
if (system !== 'x64 linux' || glibc === undefined)
  fail(
    `can be built on x86_64 Linux with glibc only, this is ${system}${glibc === undefined ? ' without glibc' : ''}; training uses wasm instead`,
  );
if (built()) {
  console.log('tfjs-node:build: built before, and it computes');
  process.exit();
}
if (!has('g++', '--version')) fail('needs g++: apt-get install g++');
if (!has('python3', '-m', 'pip', '--version')) fail('needs Python 3 with pip: apt-get install python3-pip');

const again = 'see above; run npm run tfjs-node:build again once it is mended';
// What was there is gone afterwards. Its install script would fetch the library from a host that is no package registry.
step(
  '1/4 tfjs-node and what it needs, from npm',
  'npm',
  ['ci', '--prefix', home, '--ignore-scripts', '--no-audit', '--no-fund'],
  `is npm's registry reachable? ${again}`,
);

const unpacking = mkdtempSync(join(home, 'node_modules/.wheel-'));
process.once('exit', () => rmSync(unpacking, { recursive: true, force: true }));
const wheelOf = ['--python-version', '3.10', '--platform', 'manylinux2014_x86_64', '--implementation', 'cp'];
step(
  "2/4 TensorFlow's library from PyPI, 187 MB",
  'python3',
  ['-m', 'pip', 'download', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:', ...wheelOf].concat([
    '--abi',
    'cp310',
    '--require-hashes',
    '-r',
    'requirements.txt',
    '-d',
    unpacking,
  ]),
  `is pip's index reachable? ${again}`,
);

const unpack = `
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
headers = tuple('tensorflow/include/tensorflow/' + room for room in ('c/', 'core/platform/', 'tsl/c/', 'tsl/platform/'))
for name in wheel.namelist():
    if name.startswith(headers):
        place = name.removeprefix('tensorflow/')
    elif name in ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'):
        place = name.replace('tensorflow/', 'lib/', 1)
    else:
        continue
    entry = wheel.getinfo(name)
    entry.filename = place
    wheel.extract(entry, sys.argv[2])`;
step(
  '3/4 unpacking it, 560 MB',
  'python3',
  ['-c', unpack, join(unpacking, readdirSync(unpacking)[0]), join(tfjsNode, 'deps')],
  `is the disk full? ${again}`,
);

// As its binding.gyp says; without node-gyp, which asks a host of its own for Node's headers where they are not installed.
mkdirSync(join(tfjsNode, 'lib/napi-v8'), { recursive: true });
step(
  '4/4 compiling the binding',
  'g++',
  [
    ...['-std=c++17', '-O3', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-o', `${tfjsNode}/lib/napi-v8/tfjs_binding.node`],
    ...[`-I${tfjsNode}/..`, `-I${tfjsNode}/deps/include`, `-I${home}/node_modules/node-api-headers/include`],
    ...[`${tfjsNode}/binding/tfjs_backend.cc`, `${tfjsNode}/binding/tfjs_binding.cc`],
    ...[`-L${tfjsNode}/deps/lib`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'],
    '-Wl,-rpath,$ORIGIN/../../deps/lib',
  ],
  `a compiler for C++17 is needed; ${again}`,
);

const wrong = complaint();
if (wrong !== undefined) fail(`it was built, but does not compute; training uses wasm instead:\n${wrong}`);
writeFileSync(stampFile, digest);
console.log('tfjs-node:build: built, and it computes; training uses it from now on');
