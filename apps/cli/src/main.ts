/** `riverrun`: reads the command line, runs one command, turns whatever goes wrong into one line and an exit code. */
import { run } from './run.js';
import { endQuietlyWhenNobodyReads } from './output.js';

endQuietlyWhenNobodyReads();
const code = await run(process.argv.slice(2));
// `serve` goes on after its command has returned and sets its own code.
if (code !== undefined) process.exitCode = code;
