/** A steady stream of ticks, explicit in its partitions, with what real feeds bring: late ones, repeated ones, gaps, resets and rubbish. */
import type { Producer } from 'kafkajs';
import { QUICK_RETRY, kafkaClient } from '../support/kafka-clients.js';
import { seeded } from '../support/models.js';

export const PARTITIONS = 4;

export interface TrafficOptions {
  /** Over all partitions. */
  readonly streams?: number;
  readonly perSecond?: number;
  readonly seed?: number;
}

const BEAT_MS = 25;
const START = Date.UTC(2026, 0, 1);

export interface Message {
  readonly partition: number;
  readonly key: string;
  readonly value: string;
}

export class Traffic {
  private readonly producer: Producer;
  private readonly random: () => number;
  private readonly counts: number[];
  private running: Promise<void> = Promise.resolve();
  private stopped = true;
  sent = 0;

  constructor(
    brokers: readonly string[],
    private readonly topic: string,
    private readonly options: TrafficOptions = {},
  ) {
    this.producer = kafkaClient(brokers).producer({ retry: QUICK_RETRY, allowAutoTopicCreation: false });
    this.random = seeded(options.seed ?? 1);
    this.counts = new Array<number>(options.streams ?? 240).fill(0);
  }

  async start(): Promise<this> {
    await this.producer.connect();
    this.go();
    return this;
  }

  /** Goes on after `pause`. */
  go(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.running = this.run();
  }

  /** Resolves once all that was sent is acknowledged. */
  async pause(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  async stop(): Promise<void> {
    await this.pause();
    await this.producer.disconnect();
  }

  /** So many ticks at once, and one more for each partition, so that the last record of each is a plain one. */
  async burst(count: number): Promise<void> {
    await this.send([
      ...Array.from({ length: count }, () => this.tick()),
      ...Array.from({ length: PARTITIONS }, (_, partition) => this.plain(partition)),
    ]);
  }

  private async run(): Promise<void> {
    const perBeat = ((this.options.perSecond ?? 400) * BEAT_MS) / 1000;
    for (let due = 0; !this.stopped; due -= Math.floor(due)) {
      due += perBeat;
      await this.send(Array.from({ length: Math.floor(due) }, () => this.tick()));
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
    }
  }

  /** Again and again while the broker is away: what went through twice is in the log twice, and counts twice. */
  private async send(messages: readonly Message[]): Promise<void> {
    for (;;)
      try {
        await this.producer.send({ topic: this.topic, acks: -1, messages: [...messages] });
        this.sent += messages.length;
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
  }

  private tick(): Message {
    const stream = Math.floor(this.random() * this.counts.length);
    const dice = this.random();
    const partition = stream % PARTITIONS;
    const key = `s${stream}`;
    if (dice < 0.005) return { partition, key, value: '{"stream":' };
    if (dice < 0.01) return { partition, key, value: JSON.stringify({ stream: key, control: 'reset' }) };
    const i = this.counts[stream]++;
    // A tick from the past, and one that comes again.
    const shift = dice < 0.02 ? -2 : dice < 0.03 ? -1 : 0;
    const ts = START + 1000 * (i + shift);
    const value = dice > 0.98 ? null : Math.sin(i / 7 + stream) * 0.8 + (shift === -1 ? 0 : 0.2 * this.random());
    return { partition, key, value: JSON.stringify({ stream: key, ts, value }) };
  }

  private plain(partition: number): Message {
    const i = this.counts[partition]++;
    const key = `s${partition}`;
    return { partition, key, value: JSON.stringify({ stream: key, ts: START + 1000 * i, value: Math.cos(i) }) };
  }
}
