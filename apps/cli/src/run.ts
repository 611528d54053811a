import { Command, CommanderError } from 'commander';
import { ConfigError } from '#config/config-error';
import { errorMessage, RiverrunError } from '#domain/errors';
import { closeConnections } from './connections.js';
import { COMMANDS } from './commands/index.js';
import { EXIT, UsageError } from './exit-codes.js';
import { oneLine, printError } from './output.js';
import { version } from './version.js';

/** The exit code, or undefined where the command goes on in the background. Nothing it throws reaches the user as a stack trace. */
export async function run(args: readonly string[]): Promise<number | undefined> {
  let code: number | undefined;
  const program = createProgram((c) => (code = c));
  try {
    if (args.length === 0) throw new UsageError('no command given; riverrun --help lists them');
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return report(error);
  } finally {
    await closeConnections();
  }
}

function createProgram(done: (code: number | undefined) => void): Command {
  const program = new Command('riverrun')
    .description('Streaming time-series prediction: one recurrent step a tick.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .configureHelp({ showGlobalOptions: false, helpWidth: 110 })
    .exitOverride()
    // Commander's own errors are printed once, in `report`.
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    .addHelpText(
      'after',
      `
Examples:
  $ riverrun serve
  $ riverrun pipe < ticks.ndjson > predictions.ndjson
  $ riverrun replay weather.csv --time-column date --value-column temp --speed 3600
  $ riverrun model import lstm.keras --activate

Exit codes: 0 done, 1 failed, 2 bad argument or setting, 3 done but some ticks were rejected.
Settings come from the environment and from the YAML file in RIVERRUN_CONFIG: riverrun config print`,
    );
  for (const add of COMMANDS) add(program, done);
  return program;
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    // A group named without one of its commands: commander would print its whole help.
    if (error.code === 'commander.help') printError('no command given; see --help');
    else printError(oneLine(error.message.replace(/^error: /, '')));
    return EXIT.usage;
  }
  if (error instanceof UsageError) {
    printError(error.message);
    return EXIT.usage;
  }
  if (error instanceof ConfigError) {
    printError(`${error.code}: ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof RiverrunError) printError(`${error.code}: ${error.message}`);
  // The system's own words name the file: "ENOTDIR: not a directory, scandir '…'".
  else if (error instanceof Error && 'syscall' in error) printError(error.message);
  else printError(`INTERNAL: ${errorMessage(error)}`);
  return EXIT.failed;
}
