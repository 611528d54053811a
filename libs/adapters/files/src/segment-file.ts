/** Append-only files of frames, one after the other: `<number>.<suffix>`. Appends go to the newest. What was appended survives the kill of the process
 *  (it lies in the system's page cache); it survives a power cut once it is synced, which happens in the background, by default within a second. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RiverrunError, errorMessage } from '#domain/errors';
import type { Logger } from '#domain/ports';
import { fileError } from './file-error.js';
import { FrameReader } from './frame-reader.js';
import type { Frame } from './frame.js';

export interface SegmentFilesOptions {
  /** A file this long is followed by a new one. Default 64 MiB. */
  readonly fileBytes?: number;
  /** Appended bytes are synced to disk after so many ms at the latest. 0: within each append. Default 1,000. */
  readonly syncMs?: number;
  readonly logger?: Logger;
}

/** The file-system calls an append makes: a seam for injecting failures. */
export const fileSystem = { write: fs.writeSync, truncate: fs.ftruncateSync };

export interface SegmentFile {
  readonly number: number;
  readonly path: string;
  readonly fd: number;
  bytes: number;
}

export class SegmentFiles {
  readonly files: SegmentFile[] = [];
  readonly fileBytes: number;
  private readonly syncMs: number;
  private timer: NodeJS.Timeout | undefined;
  private readonly unsynced = new Set<SegmentFile>();
  private syncing: Promise<void> = Promise.resolve();
  private syncFailure: Error | undefined;
  private folderFd = -1;
  private folderUnsynced = false;
  /** Set while the newest file may have bytes behind `bytes`. */
  private ragged = false;

  constructor(
    private readonly folder: string,
    private readonly suffix: string,
    private readonly options: SegmentFilesOptions = {},
  ) {
    this.fileBytes = options.fileBytes ?? 64 * 1024 ** 2;
    this.syncMs = options.syncMs ?? 1000;
  }

  /** Opens all files. `visit` sees every frame in order. With `lastWhole`, frames at the very end that no frame of that kind follows are cut off
   *  before anything is visited: an atomic group that was not finished never happened. */
  async open(visit: (file: SegmentFile, frame: Frame) => void, lastWhole?: number): Promise<void> {
    fs.mkdirSync(this.folder, { recursive: true });
    this.folderFd = fs.openSync(this.folder, 'r');
    const numbers = fs
      .readdirSync(this.folder)
      .map((name) => (name.endsWith(`.${this.suffix}`) ? Number(name.slice(0, -this.suffix.length - 1)) : NaN))
      .filter((n) => Number.isSafeInteger(n))
      .sort((a, b) => a - b);
    for (const number of numbers) {
      const path = this.pathOf(number);
      const fd = fs.openSync(path, 'r+');
      this.files.push({ number, path, fd, bytes: fs.fstatSync(fd).size });
    }
    try {
      this.cutTornTail(lastWhole);
      await this.visitAll(visit);
    } catch (error) {
      for (const file of this.files.splice(0)) fs.closeSync(file.fd);
      fs.closeSync(this.folderFd);
      throw error;
    }
  }

  private async visitAll(visit: (file: SegmentFile, frame: Frame) => void): Promise<void> {
    for (const file of this.files) {
      const reader = new FrameReader(file.fd, 0, file.bytes);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) visit(file, frame);
      if (reader.position < file.bytes) throw this.corrupt(file, reader.position);
      // A gigabyte takes a second or two: let the rest of the process breathe between files.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  get newest(): SegmentFile | undefined {
    return this.files.at(-1);
  }
  get totalBytes(): number {
    return this.files.reduce((sum, file) => sum + file.bytes, 0);
  }

  /** Whether the next append should go to a new file. */
  get rollIsDue(): boolean {
    return this.newest === undefined || this.newest.bytes >= this.fileBytes;
  }

  /** Starts a new file with these frames. */
  roll(frames: Uint8Array): void {
    if (this.ragged) this.cut(this.newest!, this.newest!.bytes);
    const number = (this.newest?.number ?? 0) + 1;
    const path = this.pathOf(number);
    let fd: number;
    try {
      fd = fs.openSync(path, 'wx+');
    } catch (error) {
      throw fileError(error, path);
    }
    this.files.push({ number, path, fd, bytes: 0 });
    try {
      if (frames.length > 0) this.append(frames);
      if (this.syncMs === 0) fs.fsyncSync(this.folderFd);
      else this.folderUnsynced = true;
    } catch (error) {
      this.files.pop();
      this.ragged = false;
      fs.closeSync(fd);
      fs.rmSync(path, { force: true });
      throw error;
    }
  }

  /** Appends to the newest file; returns the position there. All or nothing: after an error the file is as it was. */
  append(bytes: Uint8Array): number {
    if (this.syncFailure !== undefined) throw this.syncFailure;
    const file = this.newest!;
    const start = file.bytes;
    if (this.ragged) this.cut(file, start);
    let written = 0;
    try {
      // One call in all but exotic cases: a kill tears a write at most, it never reorders.
      while (written < bytes.length)
        written += fileSystem.write(file.fd, bytes, written, bytes.length - written, start + written);
      if (this.syncMs === 0) fs.fdatasyncSync(file.fd);
    } catch (error) {
      this.cut(file, start, false);
      throw fileError(error, file.path);
    }
    file.bytes = start + written;
    if (this.syncMs > 0) this.syncSoon(file);
    return start;
  }

  /** Takes back everything behind `position` of the newest file. */
  rewind(position: number): void {
    this.newest!.bytes = position;
    this.cut(this.newest!, position, false);
  }

  /** In the background: giving a large file's blocks back takes the system a while. */
  removeOldest(): void {
    const [file] = this.files.splice(0, 1);
    this.unsynced.delete(file);
    this.syncing = this.syncing.then(async () => {
      try {
        await unlink(file.path);
      } catch (error) {
        this.options.logger?.warn('an old file cannot be removed', { file: file.path, error: errorMessage(error) });
      }
      await closeFile(file.fd);
    });
  }

  get syncFailed(): boolean {
    return this.syncFailure !== undefined;
  }

  /** Resolves when everything appended so far is on the disk itself, or `syncFailed`. */
  sync(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const files = [...this.unsynced];
    this.unsynced.clear();
    this.syncing = this.syncing.then(async () => {
      if (this.folderUnsynced) {
        this.folderUnsynced = false;
        await this.syncOne(this.folderFd, this.folder);
      }
      for (const file of files) if (this.files.includes(file)) await this.syncOne(file.fd, file.path);
    });
    return this.syncing;
  }

  async close(): Promise<void> {
    await this.sync();
    // What ran just now may have left more to do, such as a file to remove.
    for (let last; last !== this.syncing;) await (last = this.syncing);
    for (const file of this.files.splice(0)) fs.closeSync(file.fd);
    fs.closeSync(this.folderFd);
  }

  private pathOf(number: number): string {
    return join(this.folder, `${String(number).padStart(12, '0')}.${this.suffix}`);
  }

  /** A write that was cut off leaves part of a frame, or of a group, at the end of the newest file. */
  private cutTornTail(lastWhole: number | undefined): void {
    for (let file = this.newest; file !== undefined; file = this.newest) {
      const reader = new FrameReader(file.fd, 0, file.bytes);
      let end = 0;
      for (let frame = reader.next(); frame !== undefined; frame = reader.next())
        if (lastWhole === undefined || frame.kind === lastWhole) end = reader.position;
      if (reader.position < file.bytes && reader.framesFollow()) throw this.corrupt(file, reader.position);
      if (end < file.bytes) {
        this.options.logger?.warn('the last write was cut off: taken back', {
          file: file.path,
          position: end,
          bytes: file.bytes - end,
        });
        file.bytes = end;
        this.cut(file, end);
      }
      if (end > 0 || this.files.length === 1) return;
      // Killed while it began a new file: go on with the one before.
      this.files.pop();
      fs.closeSync(file.fd);
      fs.rmSync(file.path);
    }
  }

  private corrupt(file: SegmentFile, position: number): RiverrunError {
    return new RiverrunError(
      'DATA_CORRUPT',
      `${file.path} is damaged at position ${position}: what lies there is not what was written; restore the data folder from a copy, or start with an empty one`,
    );
  }

  private cut(file: SegmentFile, position: number, must = true): void {
    try {
      fileSystem.truncate(file.fd, position);
      this.ragged = false;
    } catch (error) {
      this.ragged = true;
      if (must) throw fileError(error, file.path);
    }
  }

  private syncSoon(file: SegmentFile): void {
    this.unsynced.add(file);
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => void this.sync(), this.syncMs);
    this.timer.unref();
  }

  private async syncOne(fd: number, path: string): Promise<void> {
    try {
      await sync(fd);
    } catch (error) {
      // After a failed sync nobody knows what is on the disk: refuse to go on rather than promise it.
      this.syncFailure = fileError(error, path);
      this.options.logger?.error('data cannot be synced to disk', { file: path, error: errorMessage(error) });
    }
  }
}

const unlink = promisify(fs.unlink);
const closeFile = promisify(fs.close);
const sync = promisify(fs.fdatasync);
