/** A log on Kafka whose ticks came in transactions: offsets have gaps where transactions end and where they were aborted. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createTopic, kafkaClient, QUICK_RETRY } from '../support/kafka-clients.js';
import { describeWithServers, kafkaBrokers, uniqueName } from '../support/servers/use.js';
import { join, leave, TOPIC, type Joined } from './kafka-logs.js';
import { outcomesFor, plain } from './records.js';

const RUNS = 4;

type Step =
  | { readonly send: readonly { readonly count: number; readonly aborted: boolean }[] }
  | { readonly read: number }
  | { readonly restart: boolean };

const transaction = fc.record({ count: fc.integer({ min: 1, max: 5 }), aborted: fc.boolean() });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ send: fc.array(transaction, { minLength: 1, maxLength: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ restart: fc.constant(true) }) },
);

/** Ends with what has no outcome, and restarts behind it. */
const EXAMPLE: Step[] = [
  {
    send: [
      { count: 3, aborted: false },
      { count: 2, aborted: true },
    ],
  },
  { read: 5 },
  { restart: true },
];

await describeWithServers(['kafka'], 'ticks in transactions', () => {
  it.each(['fast', 'stock'] as const)(
    'have outcomes each, at their own offsets; what was aborted and markers have none, and are no lag (%s codec)',
    async (codec) => {
      const brokers = await kafkaBrokers();
      const run = async (steps: readonly Step[]): Promise<void> => {
        const app = uniqueName('gaps');
        await createTopic(brokers, app, 1, TOPIC);
        const options = { transactionalId: app, idempotent: true, maxInFlightRequests: 1, retry: QUICK_RETRY };
        const producer = kafkaClient(brokers).producer(options);
        await producer.connect();
        let joined: Joined = await join(brokers, app, codec);
        try {
          const sent: { offset: number; value: string }[] = [];
          let done = 0;
          let end = 0;
          await joined.log.open();
          const readSome = async (most: number): Promise<void> => {
            const batch = (await joined.log.read(most, end))!;
            const got = plain(batch).map(({ offset, value }) => ({ offset, value }));
            expect(got).toEqual(sent.slice(done, done + got.length));
            expect(got.length > 0).toBe(done < sent.length);
            await joined.log.publish(outcomesFor(batch));
            done += got.length;
            const { committed } = await joined.log.open();
            expect(committed).toBe(done === 0 ? 0 : sent[done - 1].offset + 1);
          };
          for (const s of steps)
            if ('send' in s)
              for (const { count, aborted } of s.send) {
                const messages = Array.from({ length: count }, (_, i) => ({
                  key: 's',
                  value: `${end}+${i}`,
                  partition: 0,
                }));
                const open = await producer.transaction();
                const [{ baseOffset }] = await open.send({ topic: app, messages });
                await (aborted ? open.abort() : open.commit());
                expect(Number(baseOffset)).toBe(end);
                if (!aborted) sent.push(...messages.map(({ value }, i) => ({ value, offset: end + i })));
                end += count + 1;
              }
            else if ('read' in s) await readSome(s.read);
            else {
              await leave(joined);
              joined = await join(brokers, app, codec);
              await joined.log.open();
            }
          while (done < sent.length) await readSome(100);
          await readSome(1);
          await expect.poll(() => joined.log.lag).toBe(0);
          expect(await joined.log.open()).toMatchObject({ start: 0, end });
        } finally {
          await leave(joined);
          await producer.disconnect();
        }
      };
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 8 }), run), {
        numRuns: RUNS,
        examples: [[EXAMPLE]],
        endOnFailure: true,
      });
    },
    120_000,
  );
});
