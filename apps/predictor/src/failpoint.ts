/** RIVERRUN_FAILPOINT: the process kills itself at a step of the protocol, for the fault tests. */
import { writeSync } from 'node:fs';
import { RiverrunError } from '#domain/errors';
import { STEPS, type OnStep, type Step } from '#domain/step';

/** `name` or `name:count`: SIGKILL at the count-th passing. undefined without a setting; RiverrunError FAILPOINT for an unknown step. */
export function createFailpoint(
  setting: string | undefined,
  kill: () => void = () => process.kill(process.pid, 'SIGKILL'),
): OnStep | undefined {
  if (setting === undefined) return undefined;
  const [name, count = '1'] = setting.split(':');
  if (!STEPS.includes(name as Step))
    throw new RiverrunError('FAILPOINT', `RIVERRUN_FAILPOINT=${setting}: the steps are ${STEPS.join(', ')}`);
  let left = Number(count);
  return (step) => {
    if (step !== name || --left !== 0) return;
    writeSync(2, `failpoint ${setting}\n`);
    kill();
  };
}
