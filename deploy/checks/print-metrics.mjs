// Every metric of the service as text, for promtool.
import { Registry } from 'prom-client';
import { createMetrics } from '../../dist/libs/telemetry/src/metrics.js';

const registry = new Registry();
createMetrics(registry, { version: '0.0.0', defaults: false });
process.stdout.write(`${await registry.metrics()}\n`);
