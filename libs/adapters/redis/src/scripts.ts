/** The Lua commands beside this file, each with the digest Redis knows it by. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
}

function script(name: string): Script {
  const lua = readFileSync(new URL(`./commands/${name}.lua`, import.meta.url), 'utf8');
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex') };
}

export const COMMIT_STATES = script('commit-states');
export const CHANGED_STATES = script('changed-states');
export const LOAD_STATES = script('load-states');
export const READ_WINDOWS = script('read-windows');
export const PUBLISH_MODEL = script('publish-model');
export const ACTIVATE_MODEL = script('activate-model');
export const READ_STREAMS = script('read-streams');
export const TAKE_TURN = script('take-turn');
export const RENEW_TURN = script('renew-turn');
export const END_TURN = script('end-turn');
