/** Turns at work that one instance at a time is to do, and not sooner than another has just done it: a lease that has to be renewed, and a record of the turns
 *  made. A lease is no fence: what the work changes in the end has to go by compare-and-set all the same. */
import { randomBytes } from 'node:crypto';
import { TurnKeys } from './keys.js';
import type { RedisClient } from './redis-client.js';
import { END_TURN, RENEW_TURN, TAKE_TURN } from './scripts.js';

/** How soon others go on after the holder's death. */
const LEASE_MS = 15_000;
const RENEWALS = 3;

export class RedisTurns {
  private readonly keys: TurnKeys;

  constructor(
    private readonly client: RedisClient,
    private readonly options: { readonly app: string; readonly leaseMs?: number },
  ) {
    this.keys = new TurnKeys(options.app);
  }

  /** undefined while another instance has the turn. End it in any case. */
  async take(task: string): Promise<RedisTurn | undefined> {
    const { leaseMs = LEASE_MS } = this.options;
    const token = randomBytes(12).toString('base64url');
    const asked = performance.now();
    const keys = [this.keys.lease(task), this.keys.turns];
    const reply = await this.client.run(TAKE_TURN, keys, [token, String(leaseMs), task]);
    const [taken, ...rest] = reply as [number, ...Buffer[]];
    if (taken === 0) return undefined;
    const [record, seconds, microseconds] = rest.map(String);
    const now = 1000 * Number(seconds) + Number(microseconds) / 1000;
    const [turns, endedAt] = record === '' ? [0, undefined] : record.split(' ').map(Number);
    const before = { turns, sinceLastMs: endedAt === undefined ? undefined : Math.max(0, now - endedAt) };
    return new RedisTurn(this.client, { keys, task, token, leaseMs }, before, asked + leaseMs);
  }
}

export class RedisTurn {
  /** Turns made before this one, by anybody; and how long ago the last one ended, by Redis' own clock. */
  readonly turns: number;
  readonly sinceLastMs: number | undefined;
  private readonly loss = new AbortController();
  private renewal: NodeJS.Timeout | undefined;
  private expiry: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: RedisClient,
    private readonly lease: {
      readonly keys: readonly string[];
      readonly task: string;
      readonly token: string;
      readonly leaseMs: number;
    },
    before: { readonly turns: number; readonly sinceLastMs: number | undefined },
    until: number,
  ) {
    this.turns = before.turns;
    this.sinceLastMs = before.sinceLastMs;
    this.holdUntil(until);
  }

  /** Aborted once the lease has run out or somebody else has it: leave the work. */
  get lost(): AbortSignal {
    return this.loss.signal;
  }

  /** Gives the lease back. `counts`: others are to wait before they do the same again. */
  async end(counts: boolean): Promise<void> {
    this.stop();
    const { keys, task, token } = this.lease;
    await this.client.run(END_TURN, keys, [token, task, counts ? String(this.turns + 1) : '']);
  }

  private async renew(): Promise<void> {
    const { keys, token, leaseMs } = this.lease;
    const asked = performance.now();
    try {
      const ours = await this.client.run(RENEW_TURN, [keys[0]], [token, String(leaseMs)]);
      if (this.expiry === undefined) return;
      if (ours === 1) this.holdUntil(asked + leaseMs);
      else this.lose();
    } catch {
      // Redis is away: asked again until the lease has run out.
      if (this.expiry !== undefined) this.renewLater();
    }
  }

  private holdUntil(until: number): void {
    clearTimeout(this.expiry);
    this.expiry = setTimeout(() => this.lose(), until - performance.now());
    this.renewLater();
  }

  private renewLater(): void {
    this.renewal = setTimeout(() => void this.renew(), this.lease.leaseMs / RENEWALS);
  }

  private lose(): void {
    this.stop();
    this.loss.abort();
  }

  private stop(): void {
    clearTimeout(this.renewal);
    clearTimeout(this.expiry);
    this.expiry = undefined;
  }
}
