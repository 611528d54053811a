/** Remembers in the data folder which member of the consumer group this instance is, for the one that is started after it has died. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { FolderLock } from '#adapters/files/folder-lock';
import { errorMessage } from '#domain/errors';
import type { Logger } from '#domain/ports';

/** A holder on another machine, or in another container, cannot be looked up: its silence takes as long to tell as the session's time-out. */
const LOOK_UP_MS = 500;
const FILE = 'member';

export class MemberFile {
  private lock: FolderLock | undefined;
  private memberId: string | undefined;

  private constructor(
    private readonly folder: string,
    private readonly logger: Logger,
  ) {}

  /** One instance at a time has a folder's file. Another one, or one that cannot write there, does without: nothing but the time-out is lost. */
  static async open(dataDir: string, app: string, logger: Logger): Promise<MemberFile> {
    const file = new MemberFile(join(dataDir, `member-${app}`), logger);
    const taken = file.take();
    await Promise.race([taken, new Promise((resolve) => setTimeout(resolve, LOOK_UP_MS))]);
    return file;
  }

  /** The member that the dead instance before this one was. */
  former(): string | undefined {
    if (this.lock === undefined) return undefined;
    try {
      return fs.readFileSync(join(this.folder, FILE), 'utf8').trim() || undefined;
    } catch {
      return undefined;
    }
  }

  write(memberId: string): void {
    this.memberId = memberId;
    if (this.lock === undefined) return;
    try {
      const path = join(this.folder, FILE);
      // Flushed: a file that is renamed first and filled later would be found empty.
      fs.writeFileSync(`${path}.tmp`, memberId, { flush: true });
      fs.renameSync(`${path}.tmp`, path);
    } catch (error) {
      this.goWithout(error);
    }
  }

  /** After the member has left. The file stays: leaving once more does no harm, and this time it may not have come through. */
  close(): void {
    this.lock?.release();
    this.lock = undefined;
  }

  private async take(): Promise<void> {
    try {
      fs.mkdirSync(this.folder, { recursive: true });
      const lock = await FolderLock.take(this.folder);
      if (!(lock instanceof FolderLock)) {
        this.goWithout(`process ${lock.identity.pid} has it`);
        return;
      }
      this.lock = lock;
      if (this.memberId !== undefined) this.write(this.memberId);
    } catch (error) {
      this.goWithout(error);
    }
  }

  private goWithout(reason: unknown): void {
    this.logger.info('the data folder will not tell the next start which member of the group this was', {
      folder: this.folder,
      reason: errorMessage(reason),
    });
  }
}
