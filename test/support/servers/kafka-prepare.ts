/** What is done once a version and machine, so that brokers start quickly afterwards. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { archiveOf, installKafka, type KafkaVersion } from './kafka-install.js';
import { startKafka } from './kafka.js';

/** Downloads the version and keeps the classes of a first run as the JVM has them loaded (a CDS archive): later starts take about half the time. */
export async function prepareKafka(version: KafkaVersion): Promise<void> {
  const archive = archiveOf(await installKafka(version));
  if (existsSync(archive)) return;
  const part = `${archive}.part-${process.pid}`;
  const kafka = await startKafka({ version, jvm: [`-XX:ArchiveClassesAtExit=${part}`] });
  try {
    // The JVM writes it on its way out. Where it cannot, brokers start as before.
    await kafka.kill('SIGTERM');
    if (existsSync(part)) renameSync(part, archive);
  } finally {
    await kafka.stop();
    rmSync(part, { force: true });
  }
}
