/** What commands that ask a running service have in common. */
import type { Command } from 'commander';
import { examples, url } from '../arguments.js';
import { serviceUrl, settings } from '../settings.js';

export function service(command: Command, ...lines: string[]): Command {
  return command
    .option('--url <url>', 'ask this service (default: as the settings say; in distributed mode Kafka and Redis)', url)
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples(...lines.map((line) => `riverrun state ${line}`)));
}

export const base = (options: { url?: string }): string => options.url ?? serviceUrl(settings());
