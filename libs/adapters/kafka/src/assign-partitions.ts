/** Who reads which partition: balanced to within one partition a member, and as many as possible stay where they were, because their states are hot there. */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface MemberView {
  readonly memberId: string;
  /** What it read in its last generation. */
  readonly owned: readonly TopicPartition[];
  readonly generation: number;
}

export const partitionKey = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/** Depends on its arguments only, not on their order. */
export function assignPartitions(
  members: readonly MemberView[],
  counts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const all = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })));
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const result = new Map<string, TopicPartition[]>(sorted.map(({ memberId }) => [memberId, []]));
  // Of two who claim a partition, the one with the younger generation read it last.
  const owner = new Map<string, string>();
  for (const { memberId, owned } of [...sorted].sort((a, b) => a.generation - b.generation))
    for (const part of owned) owner.set(partitionKey(part), memberId);
  const least = Math.floor(all.length / sorted.length);
  let extra = all.length % sorted.length;
  const free: TopicPartition[] = [];
  for (const part of all) {
    const mine = result.get(owner.get(partitionKey(part)) ?? '');
    if (mine !== undefined && mine.length < least) mine.push(part);
    else if (mine !== undefined && mine.length === least && extra > 0) {
      mine.push(part);
      extra -= 1;
    } else free.push(part);
  }
  for (const { memberId } of sorted) {
    const mine = result.get(memberId)!;
    while (mine.length < least) mine.push(free.shift()!);
  }
  for (const { memberId } of sorted) {
    if (free.length === 0) break;
    const mine = result.get(memberId)!;
    if (mine.length === least) mine.push(free.shift()!);
  }
  return result;
}
