import { randomBytes } from 'node:crypto';

/** A name no other spec or run has, fit for topics, groups, apps and key prefixes. */
export const uniqueName = (prefix: string): string => `${prefix}-${randomBytes(5).toString('hex')}`;
