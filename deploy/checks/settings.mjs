// Whether the service takes the settings that a rendered chart gives its pods, without a warning: node settings.mjs RENDERED.yaml
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../dist/libs/config/src/load-config.js';

const SECRETS = { REDIS_URL: 'rediss://:secret@redis:6380' };
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

const objects = parseAllDocuments(readFileSync(process.argv[2], 'utf8')).map((document) => document.toJS());
let problems = 0;
for (const { metadata, spec } of objects.filter((object) => object?.kind === 'Deployment')) {
  const [{ env, envFrom }] = spec.template.spec.containers;
  const { data } = objects.find(
    ({ kind, metadata: { name } }) => kind === 'ConfigMap' && name === envFrom[0].configMapRef.name,
  );
  const { 'riverrun.yaml': file, ...shared } = data;
  const given = { ...shared, ...Object.fromEntries(env.map(({ name, value }) => [name, value])) };
  const readFile = (path) => {
    if (path === given.RIVERRUN_CONFIG) return file;
    const variable = Object.keys(given).find((name) => name.endsWith('_FILE') && given[name] === path);
    if (variable === undefined) throw new Error(`nothing is mounted at ${path}`);
    const setting = variable.slice(0, -'_FILE'.length);
    return SECRETS[setting] ?? (/_(CA|CERT|KEY)$/.test(setting) ? PEM : 'secret');
  };
  try {
    const { warnings } = loadConfig(given, readFile);
    for (const warning of warnings) {
      problems++;
      console.log(`${metadata.name}: ${warning}`);
    }
  } catch (error) {
    problems++;
    console.log(`${metadata.name}: ${error.message}`);
  }
}
process.exit(problems === 0 ? 0 : 1);
