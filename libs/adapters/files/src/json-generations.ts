/** One JSON value as numbered files, the highest number being the value: an update is "create number n + 1, if nobody else did", which the file
 *  system decides atomically. So compare-and-set between processes needs no lock, and a crash leaves nothing to clean up. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { RiverrunError } from '#domain/errors';
import { createExclusive } from './create-exclusive.js';

/** Old numbers kept. An update that slept through so many others is told that it lost. */
const KEPT = 100;

export class JsonGenerations<T> {
  constructor(private readonly folder: string) {}

  read(): { readonly number: number; readonly value: T | undefined } {
    for (;;) {
      const number = this.numbers().at(-1) ?? 0;
      if (number === 0) return { number, value: undefined };
      try {
        return { number, value: JSON.parse(fs.readFileSync(this.path(number), 'utf8')) as T };
      } catch (error) {
        // Removed between the listing and the read: there is a newer one.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
        throw new RiverrunError(
          'DATA_CORRUPT',
          `${this.path(number)} cannot be read: restore it, or remove it to go back to the one before`,
          { cause: error },
        );
      }
    }
  }

  /** Changes the value; `change` runs again on the newer value if another process was quicker. */
  update(change: (value: T | undefined) => T): T {
    fs.mkdirSync(this.folder, { recursive: true });
    for (;;) {
      const { number, value } = this.read();
      const next = change(value);
      if (!createExclusive(this.path(number + 1), JSON.stringify(next, null, 2) + '\n')) continue;
      const numbers = this.numbers();
      if (numbers.at(-1)! > number + KEPT / 2) {
        fs.rmSync(this.path(number + 1), { force: true });
        continue;
      }
      for (const old of numbers) if (old <= number + 1 - KEPT) fs.rmSync(this.path(old), { force: true });
      return next;
    }
  }

  private numbers(): number[] {
    let names: string[];
    try {
      names = fs.readdirSync(this.folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    const numbers = names.map((name) => /^(\d+)\.json$/.exec(name)?.[1]).filter((n) => n !== undefined);
    return numbers.map(Number).sort((a, b) => a - b);
  }

  private path(number: number): string {
    return join(this.folder, `${number}.json`);
  }
}
