import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { describeWithServers, redisUrl, uniqueName } from '../../../../test/support/servers/use.js';
import { TurnKeys } from './keys.js';
import { connectRedis, type RedisClient } from './redis-client.js';
import { RedisTurns, type RedisTurn } from './redis-turns.js';

await describeWithServers(['redis'], 'turns in Redis', () => {
  const app = uniqueName('turns');
  const keys = new TurnKeys(app);
  let client: RedisClient;
  beforeAll(async () => {
    client = await connectRedis({ url: await redisUrl() });
  });
  afterAll(async () => {
    await client.call('UNLINK', [keys.turns]);
    await client.close();
  });
  const turns = (leaseMs: number): RedisTurns => new RedisTurns(client, { app, leaseMs });

  it('gives a task to one of many at a time, and tells the next of those before', async () => {
    const task = uniqueName('task');
    const taken = await Promise.all(Array.from({ length: 8 }, () => turns(10_000).take(task)));
    const [turn, ...others] = taken.filter((t) => t !== undefined);
    expect(others).toEqual([]);
    expect(turn).toMatchObject({ turns: 0, sinceLastMs: undefined });
    expect(await turns(10_000).take(uniqueName('other'))).toBeDefined();
    await turn.end(true);
    const second = (await turns(10_000).take(task))!;
    expect(second.turns).toBe(1);
    expect(second.sinceLastMs).toBeGreaterThanOrEqual(0);
    expect(second.sinceLastMs).toBeLessThan(10_000);
    await second.end(false);
    const third = (await turns(10_000).take(task))!;
    expect(third.turns).toBe(1);
    await third.end(false);
  });

  it('holds the lease for as long as the work takes', async () => {
    const task = uniqueName('task');
    const turn = (await turns(600).take(task))!;
    await sleep(1500);
    expect(turn.lost.aborted).toBe(false);
    expect(await turns(600).take(task)).toBeUndefined();
    await turn.end(true);
    const next = (await turns(600).take(task))!;
    await next.end(false);
  });

  it('passes on from a holder that died, who then cannot end the turn of another', async () => {
    const task = uniqueName('task');
    const dead = (await turns(400).take(task))!;
    // As a stopped process: nothing of its own runs any more.
    (dead as unknown as { stop(): void }).stop();
    let next: RedisTurn | undefined;
    await vi.waitFor(async () => {
      next = await turns(5000).take(task);
      expect(next).toBeDefined();
    });
    await dead.end(true);
    expect(await turns(5000).take(task)).toBeUndefined();
    expect(next!.turns).toBe(0);
    await next!.end(false);
  });

  it('says that it has lost the lease when another has it, and when Redis is away for too long', async () => {
    const task = uniqueName('task');
    const robbed = (await turns(600).take(task))!;
    await client.call('SET', [keys.lease(task), 'somebody else']);
    await vi.waitFor(() => expect(robbed.lost.aborted).toBe(true), 2000);
    await client.call('UNLINK', [keys.lease(task)]);

    const own = await connectRedis({ url: await redisUrl() });
    const cut = (await new RedisTurns(own, { app, leaseMs: 600 }).take(task))!;
    await own.close();
    expect(cut.lost.aborted).toBe(false);
    await vi.waitFor(() => expect(cut.lost.aborted).toBe(true), 2000);
  });
});
