import * as fs from 'node:fs';
import { randomBytes } from 'node:crypto';

/** Creates a file with its whole content at once; false if it exists. Nobody ever sees it half written, whenever the process is killed. */
export function createExclusive(path: string, content: string): boolean {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  fs.writeFileSync(temporary, content, { flush: true });
  try {
    fs.linkSync(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // File systems without hard links: exclusive all the same, though a kill in this very moment leaves the file short.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS' || code === 'EOPNOTSUPP')
      return exclusively(path, content);
    throw error;
  } finally {
    fs.rmSync(temporary, { force: true });
  }
}

function exclusively(path: string, content: string): boolean {
  try {
    fs.writeFileSync(path, content, { flag: 'wx', flush: true });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
