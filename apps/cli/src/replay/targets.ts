/** Where a replay's ticks go. */
import type { KafkaPublisher } from '#adapters/kafka/kafka-publisher';
import { RiverrunError } from '#domain/errors';
import { postTicks } from '../service-client.js';

export interface ReplayedTick {
  readonly stream: string;
  /** The tick as its message. */
  readonly json: string;
}

/** A prediction, or with a code a dead letter. */
export interface Answer {
  readonly code?: string;
  readonly message?: string;
}

export interface ReplayTarget {
  /** Whether it says what became of each tick. */
  readonly answers: boolean;
  /** Resolves once they are safe; with an answer to each, where it answers. */
  publish(ticks: readonly ReplayedTick[]): Promise<readonly Answer[] | undefined>;
}

/** A service in embedded mode, over HTTP. */
export const serviceTarget = (url: string): ReplayTarget => ({
  answers: true,
  async publish(ticks) {
    const body = ticks.map(({ json }) => `${json}\n`).join('');
    const answers = (await postTicks(url, body, 'application/x-ndjson')).trimEnd().split('\n');
    if (answers.length !== ticks.length)
      throw new RiverrunError(
        'ANSWER',
        `${url} gave ${answers.length} outcomes for ${ticks.length} ticks: is that a riverrun service?`,
      );
    return answers.map((answer) => parse(answer, url));
  },
});

/** A topic. What becomes of the ticks stands in the topics of predictions and dead letters. */
export const kafkaTarget = (publisher: KafkaPublisher): ReplayTarget => ({
  answers: false,
  async publish(ticks) {
    await publisher.send(ticks.map(({ stream, json }) => ({ key: stream, value: json })));
    return undefined;
  },
});

function parse(answer: string, url: string): Answer {
  try {
    return JSON.parse(answer) as Answer;
  } catch {
    throw new RiverrunError(
      'ANSWER',
      `${url} answered ${JSON.stringify(answer.slice(0, 60))}: is that a riverrun service?`,
    );
  }
}
