/** The data folder: created if need be, checked for what could go wrong with it, and held by one process at a time. */
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { RiverrunError, errorMessage } from '#domain/errors';
import { createExclusive } from './create-exclusive.js';
import { FolderLock } from './folder-lock.js';

/** Of the folder as a whole. A change that older programs would misread counts up. */
const LAYOUT = 1;
const FORMAT_FILE = 'riverrun.json';

export class DataDir {
  private constructor(
    readonly path: string,
    private readonly lock: FolderLock,
  ) {}

  /** RiverrunError DATA_DIR, in one line, if the folder cannot be used. */
  static async open(path: string): Promise<DataDir> {
    const folder = resolve(path);
    prepare(folder);
    const lock = await FolderLock.take(folder).catch((error: unknown) => {
      throw unusable(folder, `cannot be written: ${reason(error)}`, error);
    });
    if (lock instanceof FolderLock) return new DataDir(folder, lock);
    throw unusable(
      folder,
      `is in use by another riverrun (process ${lock.identity.pid}${lock.far ? ' of another container or machine' : ''}); stop that one first`,
    );
  }

  /** A folder of its own inside, e.g. for a pipeline's log. */
  folder(...names: string[]): string {
    const path = join(this.path, ...names);
    try {
      fs.mkdirSync(path, { recursive: true });
    } catch (error) {
      throw unusable(path, `cannot be created: ${reason(error)}`, error);
    }
    return path;
  }

  close(): void {
    this.lock.release();
  }
}

function prepare(folder: string): void {
  try {
    fs.mkdirSync(folder, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw unusable(folder, 'is not a folder', error);
    if (code === 'ENOTDIR') throw unusable(folder, 'lies below something that is not a folder', error);
    throw unusable(folder, `cannot be created: ${creationProblem(folder, error)}`, error);
  }
  const format = join(folder, FORMAT_FILE);
  let text: string;
  try {
    // Written even where it exists already: what cannot be written must be known now, not at the first tick.
    const probe = join(folder, `.probe-${process.pid}`);
    fs.writeFileSync(probe, '');
    fs.rmSync(probe);
    createExclusive(format, JSON.stringify({ layout: LAYOUT }) + '\n');
    text = fs.readFileSync(format, 'utf8');
  } catch (error) {
    throw unusable(folder, `cannot be written: ${reason(error)}`, error);
  }
  const layout = layoutOf(text);
  if (layout !== LAYOUT)
    throw unusable(
      folder,
      `has ${layout === undefined ? `a damaged ${FORMAT_FILE}` : `layout ${layout}`}, this version of riverrun reads layout ${LAYOUT}; use another folder or the version that wrote it`,
    );
}

/** A recursive mkdir on a read-only disk only says that the folder is not there: ask again without. */
function creationProblem(folder: string, error: unknown): string {
  try {
    fs.mkdirSync(folder);
  } catch (second) {
    const { code } = second as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EEXIST') return reason(second);
  }
  return reason(error);
}

function layoutOf(text: string): number | undefined {
  try {
    const { layout } = JSON.parse(text) as { layout?: unknown };
    return typeof layout === 'number' ? layout : undefined;
  } catch {
    return undefined;
  }
}

const unusable = (folder: string, what: string, cause?: unknown): RiverrunError =>
  new RiverrunError('DATA_DIR', `RIVERRUN_DATA_DIR: ${folder} ${what}`, { cause });

function reason(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EROFS':
      return 'it is on a read-only file system';
    case 'ENOSPC':
      return 'no space left on the device';
    default:
      return errorMessage(error);
  }
}
