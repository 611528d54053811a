import type { AddCommand } from '../arguments.js';
import { leaveOutputAlone } from '../output.js';

/** apps never import each other: the predictor is started the way `npm start` starts it, by the path of its entry. In this very process, so
 *  that signals, exit code and output are its own. */
const PREDICTOR = new URL('../../../predictor/src/main.js', import.meta.url);

export const addServe: AddCommand = (parent, done) => {
  parent
    .command('serve')
    .description('run the service: predictor and trainer, as the settings say')
    .addHelpText(
      'after',
      `
Examples:
  $ riverrun serve
  $ PORT=4000 RIVERRUN_DATA_DIR=/var/lib/riverrun riverrun serve

Settings come from the environment: riverrun config print shows them.`,
    )
    .action(async () => {
      leaveOutputAlone();
      await import(PREDICTOR.href);
      done(undefined);
    });
};
