/** Kafka's jars from Maven Central, once a version and machine. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, sep } from 'node:path';
import { isOnPath, run } from './programs.js';

export const KAFKA_VERSIONS = ['4.1.0', '3.9.1'] as const;
export type KafkaVersion = (typeof KAFKA_VERSIONS)[number];

const DOWNLOAD_TIMEOUT = 300_000;
// The pom stays beside the source when this file runs from the build.
const POM = join(import.meta.dirname.replace(`${sep}dist${sep}test${sep}`, `${sep}test${sep}`), 'pom.xml');

const folderOf = (version: KafkaVersion): string =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'riverrun', `kafka-${version}`);

/** Where `prepareKafka` puts the loaded classes of the broker in that folder. */
export const archiveOf = (folder: string): string => `${folder}.jsa`;

/** Why Kafka cannot run here as a process of our own; undefined where it can. */
export async function missingForKafka(version: KafkaVersion = '4.1.0'): Promise<string | undefined> {
  const printed = isOnPath('java') ? await run('java', ['-version']).catch(String) : '';
  const java = Number(/version "(\d+)/.exec(printed)?.[1] ?? 0);
  if (java < 17) return 'no Java 17 (apt-get install openjdk-17-jre-headless)';
  if (!existsSync(folderOf(version)) && !isOnPath('mvn')) return 'no Maven to fetch Kafka with (apt-get install maven)';
  return undefined;
}

/** The folder with the broker's jars; downloads them (about 46 MB) the first time. */
export async function installKafka(version: KafkaVersion = '4.1.0'): Promise<string> {
  const folder = folderOf(version);
  if (existsSync(folder)) return folder;
  const part = `${folder}.part-${process.pid}`;
  try {
    const goal = ['dependency:copy-dependencies', `-Dkafka.version=${version}`, `-DoutputDirectory=${part}`];
    await run('mvn', ['-q', '-B', '-f', POM, ...goal], { timeout: DOWNLOAD_TIMEOUT });
    // Another worker may have been faster; its copy is as good.
    if (!existsSync(folder)) renameSync(part, folder);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return folder;
}
