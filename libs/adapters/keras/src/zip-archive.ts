/** A zip file whose directory has been checked as a whole before any entry is inflated. Nothing is ever written to disk. */
import { open, type Entry, type ZipFile } from 'yauzl';
import { errorMessage, RiverrunError } from '#domain/errors';
import { MAX_FILE_BYTES, MAX_ZIP_ENTRIES, MAX_ZIP_RATIO, ZIP_RATIO_FREE_BYTES } from './limits.js';
import { invalid, quote } from './refusals.js';

export class ZipArchive {
  private constructor(
    private readonly file: ZipFile,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  static async open(path: string): Promise<ZipArchive> {
    const file = await openZip(path);
    try {
      return new ZipArchive(file, await directory(file));
    } catch (error) {
      file.close();
      throw zipError(error);
    }
  }

  names(): string[] {
    return [...this.entries.keys()];
  }

  /** Undefined if there is no such entry. */
  async read(name: string, maxBytes: number): Promise<Buffer | undefined> {
    const entry = this.entries.get(name);
    if (entry === undefined) return undefined;
    if (entry.uncompressedSize > maxBytes)
      throw invalid(`${quote(name)} in the zip is ${entry.uncompressedSize} bytes, more than the ${maxBytes} allowed`);
    try {
      return await inflate(this.file, entry);
    } catch (error) {
      throw zipError(error);
    }
  }

  close(): void {
    this.file.close();
  }
}

function openZip(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    // strictFileNames refuses absolute paths, `..`, drive letters and backslashes; validateEntrySize an entry that inflates to another size.
    const options = { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySize: true };
    open(path, options, (error, file) => (error === null ? resolve(file) : reject(zipError(error))));
  });
}

async function directory(file: ZipFile): Promise<Map<string, Entry>> {
  if (file.entryCount > MAX_ZIP_ENTRIES) throw invalid(`the zip has ${file.entryCount} entries, a model has a few`);
  const entries = new Map<string, Entry>();
  let packed = 0;
  let unpacked = 0;
  await eachEntry(file, (entry) => {
    const name = entry.fileName;
    if (isTraversal(name)) throw invalid(`${quote(name)} in the zip points outside the archive`);
    if (entries.has(name)) throw invalid(`${quote(name)} stands twice in the zip`);
    if (entry.isEncrypted()) throw invalid(`${quote(name)} in the zip is encrypted; save the model without a password`);
    // The upper half holds Unix' file mode; 0xA000 is a symbolic link.
    if (((entry.externalFileAttributes >>> 16) & 0xf000) === 0xa000)
      throw invalid(`${quote(name)} in the zip is a symbolic link`);
    packed += entry.compressedSize;
    unpacked += entry.uncompressedSize;
    entries.set(name, entry);
  });
  // Entries that overlap in the file share their bytes: another way to build a bomb.
  if (packed > file.fileSize) throw invalid('the zip claims more bytes than the file has');
  if (unpacked > MAX_FILE_BYTES) throw invalid(`the zip unpacks to ${unpacked} bytes, more than ${MAX_FILE_BYTES}`);
  if (unpacked > ZIP_RATIO_FREE_BYTES && unpacked > MAX_ZIP_RATIO * file.fileSize)
    throw invalid(`the zip unpacks to ${Math.round(unpacked / file.fileSize)} times its size: a zip bomb, not a model`);
  return entries;
}

/** By our own reading of the name, whatever the zip library lets through. */
function isTraversal(name: string): boolean {
  return /^[/\\]|^[A-Za-z]:|\\|\0/.test(name) || name.split('/').includes('..');
}

function eachEntry(file: ZipFile, visit: (entry: Entry) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    file.on('error', reject);
    file.on('end', resolve);
    file.on('entry', (entry: Entry) => {
      try {
        visit(entry);
        file.readEntry();
      } catch (error) {
        reject(zipError(error));
      }
    });
    file.readEntry();
  });
}

function inflate(file: ZipFile, entry: Entry): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    file.openReadStream(entry, (error, stream) => {
      if (error !== null) return reject(error);
      // Declared size and content are compared by yauzl while streaming, so this can never outgrow the buffer.
      const bytes = Buffer.allocUnsafe(entry.uncompressedSize);
      let length = 0;
      stream.on('data', (chunk: Buffer) => {
        if (length + chunk.length > bytes.length) {
          stream.destroy(invalid(`${quote(entry.fileName)} in the zip is longer than it says`));
          return;
        }
        length += chunk.copy(bytes, length);
      });
      stream.on('error', reject);
      stream.on('end', () =>
        length === bytes.length
          ? resolve(bytes)
          : reject(invalid(`${quote(entry.fileName)} in the zip is shorter than it says`)),
      );
    });
  });
}

function zipError(error: unknown): RiverrunError {
  return error instanceof RiverrunError ? error : invalid(`broken zip file: ${quote(errorMessage(error))}`, error);
}
