import { ConfigError } from '#config/config-error';
import { loadConfig } from '#config/load-config';
import { maskConfig, printConfig } from '#config/print-config';
import { examples, type AddCommand } from '../arguments.js';
import { EXIT } from '../exit-codes.js';
import { note, print, printError, printJson } from '../output.js';
import { settings } from '../settings.js';

export const addConfig: AddCommand = (parent, done) => {
  const config = parent
    .command('config')
    .description('check or print the settings')
    .addHelpText('after', examples('riverrun config check', 'riverrun config print'));
  config
    .command('check')
    .description('check every setting; all mistakes at once, one a line on stderr')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('RIVERRUN_CONFIG=riverrun.yaml riverrun config check'))
    .action(async ({ json }: { json?: true }) => done(await check(json === true)));
  config
    .command('print')
    .description('print the settings in force, as YAML that RIVERRUN_CONFIG takes; secrets are masked')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('riverrun config print > riverrun.yaml'))
    .action(async ({ json }: { json?: true }) => {
      const inForce = settings();
      await (json === true ? printJson(maskConfig(inForce)) : print(printConfig(inForce).trimEnd()));
      done(EXIT.ok);
    });
};

async function check(json: boolean): Promise<number> {
  try {
    const { warnings } = loadConfig();
    for (const warning of warnings) note(`warning: ${warning}`);
    await (json ? printJson({ ok: true, problems: [], warnings }) : print('the settings are valid'));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) printError(`${error.code}: ${problem}`);
    if (json) await printJson({ ok: false, problems: error.problems, warnings: [] });
    return EXIT.usage;
  }
}
