/** An instance that is killed and started again with its data folder, on real servers. */
import { afterEach, expect, it } from 'vitest';
import { createTopic, produce, readCommitted } from '../support/kafka-clients.js';
import { describeWithServers, kafkaBrokers, redisUrl } from '../support/servers/use.js';
import { deployment } from '../support/deployment.js';
import { Service } from '../support/service.js';

/** Long enough that nobody waits it out by accident, on however busy a machine. */
const SESSION_TIMEOUT_MS = 30_000;

await describeWithServers(['kafka', 'redis'], 'an instance that is killed and started again', () => {
  const services: Service[] = [];
  afterEach(() => Promise.all(services.splice(0).map((service) => service.end())));

  it("does not wait for its former self's session to time out", { timeout: 90_000 }, async () => {
    const brokers = await kafkaBrokers();
    const {
      inputs: [ticks],
      predictions,
      env,
    } = deployment(1, 'restart');
    for (const topic of [ticks, predictions]) await createTopic(brokers, topic, 2);
    const service = new Service({
      ...env,
      KAFKA_BROKERS: brokers.join(','),
      REDIS_URL: await redisUrl(),
      RIVERRUN_SESSION_TIMEOUT: `${SESSION_TIMEOUT_MS / 1000}s`,
    });
    services.push(service);
    const publish = (ts: number): Promise<void> =>
      produce(
        brokers,
        ticks,
        [0, 1].map((partition) => ({
          partition,
          key: `s${partition}`,
          value: JSON.stringify({ stream: `s${partition}`, ts, value: ts }),
        })),
      );
    await service.start();
    await publish(1);
    await readCommitted(brokers, predictions, { until: 2 });
    await service.kill('SIGKILL');
    await publish(2);
    await service.start();
    const began = performance.now();
    const records = await readCommitted(brokers, predictions, { until: 4 });
    // About a second; without the former member's leave it would be the whole session.
    expect(performance.now() - began).toBeLessThan(SESSION_TIMEOUT_MS / 3);
    expect(
      records.map(({ partition, value }) => [partition, (JSON.parse(String(value)) as { ts: number }).ts]),
    ).toEqual([
      [0, 1],
      [0, 2],
      [1, 1],
      [1, 2],
    ]);
    console.info(`predictions again after ${Math.round(performance.now() - began)} ms`);
  });
});
