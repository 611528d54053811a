/** What an audit says: for each partition and in total. */
import { note, print, table } from '../output.js';
import type { AuditedPartition, AuditedStates } from './audit-partition.js';
import { NOTHING, type Finding, type LedgerCounts } from './outcome-ledger.js';

export interface PartitionReport extends LedgerCounts {
  readonly topic: string;
  readonly partition: number;
  /** Offsets [from, committed) were judged; null: nothing is committed there. */
  readonly from: number | null;
  readonly committed: number | null;
  readonly states: AuditedStates | null;
  readonly notes: readonly string[];
  readonly examples: readonly Finding[];
  readonly ok: boolean;
}

export interface AuditReport {
  readonly ok: boolean;
  readonly total: LedgerCounts & { readonly statesCompared: number; readonly statesDiffering: number };
  readonly partitions: readonly PartitionReport[];
}

type Place = Pick<PartitionReport, 'topic' | 'partition' | 'from' | 'committed'>;

export const skipped = (place: Place, why: string): PartitionReport => ({
  ...place,
  ...NOTHING,
  states: null,
  notes: [why],
  examples: [],
  ok: true,
});

/** `mayRepeat`: at-least-once, where an outcome may come again after a crash. */
export function reportOf(place: Place, audited: AuditedPartition, mayRepeat: boolean): PartitionReport {
  const { ledger, states, notes } = audited;
  const { counts } = ledger;
  const repeats = counts.duplicated + counts.disordered;
  const ok = counts.lost + counts.wrong + counts.stray + amiss(states) + (mayRepeat ? 0 : repeats) === 0;
  return { ...place, ...counts, states: states ?? null, notes, examples: ledger.examples, ok };
}

const amiss = (states: AuditedStates | null | undefined): number =>
  states == null ? 0 : states.differing + states.unknown + states.missing;

export function totalOf(partitions: readonly PartitionReport[]): AuditReport {
  const total = { ...NOTHING, statesCompared: 0, statesDiffering: 0 };
  for (const part of partitions) {
    for (const name of Object.keys(NOTHING) as (keyof LedgerCounts)[]) total[name] += part[name];
    total.statesCompared += part.states?.compared ?? 0;
    total.statesDiffering += amiss(part.states);
  }
  return { ok: partitions.every(({ ok }) => ok), total, partitions };
}

export async function printReport({ partitions, total, ok }: AuditReport): Promise<void> {
  const row = (name: string, c: LedgerCounts, compared: string, differing: number): string[] => [
    name,
    ...[c.records, c.predictions, c.deadLetters, c.lost, c.duplicated, c.disordered, c.wrong, c.stray].map(String),
    compared,
    String(differing),
  ];
  await print(
    table(
      [
        [
          'PARTITION',
          'RECORDS',
          'ANSWERS',
          'REJECTED',
          'LOST',
          'TWICE',
          'DISORDER',
          'WRONG',
          'STRAY',
          'STATES',
          'DIFFER',
        ],
        ...partitions.map((p) =>
          row(`${p.topic}/${p.partition}`, p, p.states === null ? '-' : String(p.states.compared), amiss(p.states)),
        ),
        row('total', total, String(total.statesCompared), total.statesDiffering),
      ],
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    ),
  );
  for (const { topic, partition, notes, examples } of partitions) {
    for (const text of notes) note(`${topic}/${partition}: ${text}`);
    for (const { kind, offset, stream, expected, found } of examples) {
      const place = `${topic}/${partition}${offset === null ? '' : ` offset ${offset}`}${stream === null ? '' : ` stream ${JSON.stringify(stream)}`}`;
      note(
        `${kind}: ${place}${found === undefined ? '' : `\n  found    ${found}`}${expected === undefined ? '' : `\n  expected ${expected}`}`,
      );
    }
  }
  note(ok ? 'nothing is amiss' : 'something is amiss');
}
