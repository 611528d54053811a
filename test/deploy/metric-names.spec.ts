import { readFileSync } from 'node:fs';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createMetrics } from '#telemetry/metrics';

/** Named by the dashboard and the alerts before the service counts them. A name moves from here into libs/telemetry/src/definitions.ts. */
const AWAITED: Readonly<Record<string, readonly string[]>> = {
  riverrun_rebalances_total: [],
  riverrun_transactions_total: ['outcome'],
  riverrun_redis_command_duration_seconds: ['command'],
  riverrun_interval_evaluations_total: ['level', 'outcome'],
  riverrun_drift_detections_total: [],
};

/** What others than the service tell Prometheus: itself, and kube-state-metrics. */
const FOREIGN = ['up', 'kube_pod_container_status_ready', 'kube_pod_container_status_restarts_total'];

/** Labels of every scraped series, and those of kube-state-metrics. */
const ANYWHERE = ['job', 'instance', 'namespace', 'pod', 'container'];

const WORDS = new Set(
  'and or unless by without on ignoring group_left group_right bool offset sum min max avg count rate increase deriv changes time histogram_quantile vector label_values'.split(
    ' ',
  ),
);

interface Query {
  readonly where: string;
  readonly text: string;
}

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}
interface Alerts {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

const text = (path: string): string => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), 'utf8');
const dashboard = JSON.parse(text('grafana/riverrun.json')) as Dashboard;
const alerts = (parse(text('prometheus/alerts.yaml')) as Alerts).groups.flatMap(({ rules }) => rules);

const queries: readonly Query[] = [
  ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, text: expr }))),
  ...dashboard.annotations.list.map(({ name, expr }) => ({ where: name, text: expr })),
  ...dashboard.templating.list.flatMap(({ name, definition }) =>
    definition === undefined ? [] : [{ where: name, text: definition }],
  ),
  ...alerts.map(({ alert, expr }) => ({ where: alert, text: expr })),
];

/** Every series the service shows, with its labels: a histogram as the three it becomes. */
function seriesOfTheService(): Map<string, readonly string[]> {
  const registry = new Registry();
  createMetrics(registry, { version: '0.0.0' });
  const series = new Map<string, readonly string[]>();
  const addHistogram = (name: string, labels: readonly string[]): void => {
    series
      .set(`${name}_bucket`, [...labels, 'le'])
      .set(`${name}_sum`, labels)
      .set(`${name}_count`, labels);
  };
  for (const metric of registry.getMetricsAsArray()) {
    const { name, labelNames } = metric as unknown as { name: string; labelNames?: readonly string[] };
    const plain = metric instanceof Counter || metric instanceof Gauge;
    if (plain) series.set(name, labelNames ?? []);
    else addHistogram(name, metric instanceof Histogram ? (labelNames ?? []) : []);
  }
  for (const [name, labels] of Object.entries(AWAITED)) {
    if (registry.getSingleMetric(name) !== undefined) continue;
    if (name.endsWith('_seconds')) addHistogram(name, labels);
    else series.set(name, labels);
  }
  for (const name of FOREIGN) series.set(name, []);
  return series;
}

/** Names of series and of labels in a query: what is left of its words once strings, durations, variables and functions are gone. */
function namesIn(query: string): { series: string[]; labels: string[] } {
  const labels: string[] = [];
  const rest = query
    .replace(/"[^"]*"|\[[^\]]*\]/g, ' ')
    .replace(
      /\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)|\{([^}]*)\}/g,
      (_all, list, matchers) => {
        const parts = String(list ?? matchers).split(',');
        labels.push(...parts.map((part) => part.replace(/[=!~].*/, '').trim()).filter((name) => name !== ''));
        return ' ';
      },
    );
  const words = rest.match(/[A-Za-z_]\w*/g) ?? [];
  return { series: words.filter((word) => !WORDS.has(word)), labels };
}

describe('metrics that the dashboard and the alerts name', () => {
  const known = seriesOfTheService();

  it.each(queries)('$where: $text', ({ text: query }) => {
    const { series, labels } = namesIn(query.replace(/^label_values\((.*), \w+\)$/, '$1'));
    expect(series.length).toBeGreaterThan(0);
    expect(series.filter((name) => !known.has(name))).toEqual([]);
    const carried = new Set([...ANYWHERE, ...series.flatMap((name) => known.get(name) ?? [])]);
    expect(labels.filter((label) => !carried.has(label))).toEqual([]);
  });

  it('cover everything the service counts about itself', () => {
    const named = new Set(queries.flatMap(({ text: query }) => namesIn(query).series));
    const families = [...known.keys()].filter((name) => name.startsWith('riverrun_'));
    const base = (name: string): string => name.replace(/_(bucket|sum|count)$/, '');
    const shown = new Set([...named].map(base));
    expect([...new Set(families.map(base))].filter((name) => !shown.has(name))).toEqual([]);
  });

  it('every alert is explained to operators', () => {
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    expect(alerts.map(({ alert }) => alert).filter((alert) => !page.includes(`\`${alert}\``))).toEqual([]);
  });
});
