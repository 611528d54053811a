/** JSON from a stranger: bounded in size and depth, its values asked for by type. */
import { MAX_JSON_BYTES, MAX_JSON_DEPTH } from './limits.js';
import { invalid, quote } from './refusals.js';

export type Json = Record<string, unknown>;

export function parseJson(bytes: Uint8Array, what: string): Json {
  if (bytes.length > MAX_JSON_BYTES)
    throw invalid(`${what} is ${bytes.length} bytes, more than any model's description`);
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalid(`${what} is not UTF-8 text`, error);
  }
  checkDepth(text, what);
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`${what} is not valid JSON`, error);
  }
  if (!isObject(value)) throw invalid(`${what} must be a JSON object`);
  return value;
}

function checkDepth(text: string, what: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > MAX_JSON_DEPTH) throw invalid(`${what} is nested more than ${MAX_JSON_DEPTH} deep`);
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objectAt(json: Json, key: string, where: string): Json {
  const value = own(json, key);
  if (!isObject(value)) throw invalid(`${where}: ${key} must be an object`);
  return value;
}

export function arrayAt(json: Json, key: string, where: string): unknown[] {
  const value = own(json, key);
  if (!Array.isArray(value)) throw invalid(`${where}: ${key} must be a list`);
  return value;
}

export function stringAt(json: Json, key: string, where: string): string {
  const value = own(json, key);
  if (typeof value !== 'string') throw invalid(`${where}: ${key} must be a text`);
  return value;
}

export function booleanAt(json: Json, key: string, otherwise: boolean, where: string): boolean {
  const value = own(json, key) ?? otherwise;
  if (typeof value !== 'boolean') throw invalid(`${where}: ${key} must be true or false, not ${quote(value)}`);
  return value;
}

export function countAt(json: Json, key: string, max: number, where: string): number {
  const value = own(json, key);
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > max)
    throw invalid(`${where}: ${key} must be a whole number from 1 to ${max}, not ${quote(JSON.stringify(value))}`);
  return value;
}

/** Never what stands on Object.prototype. */
export function own(json: Json, key: string): unknown {
  return Object.hasOwn(json, key) ? json[key] : undefined;
}
