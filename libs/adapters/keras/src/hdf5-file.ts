/** An HDF5 file held in memory, its whole tree checked before anything in it is read.
 *
 *  The library is h5wasm's browser build: HDF5 as WebAssembly over an in-memory file system, so that nothing a file says can reach a real one.
 *  Its functions are called directly, because the classes around them pass over failed reads and hand out what was in the memory before. */
import { ready } from 'h5wasm';
import { errorMessage, RiverrunError } from '#domain/errors';
import { decodeFloats, FLOAT_BYTES, type FloatFormat } from './floats.js';
import type { H5Metadata, H5Module } from './h5wasm.types.js';
import { MAX_DEFLATE_RATIO, MAX_HDF5_DEPTH, MAX_HDF5_OBJECTS, MAX_JSON_BYTES, MAX_WEIGHT_BYTES } from './limits.js';
import { invalid, quote } from './refusals.js';

/** Deflate, shuffle, fletcher32: what h5py writes. Any other filter may be code that is looked up at run time. */
const FILTERS = new Set([1, 2, 3]);
const INTEGER = 0;
const FLOAT = 1;
const STRING = 3;
const OPAQUE = 5;
const MAX_STRINGS = 100_000;

export interface Dataset {
  readonly path: string;
  readonly shape: readonly number[];
  readonly format: FloatFormat;
}

export class Hdf5File {
  private readonly datasets = new Map<string, H5Metadata>();
  private readonly groups = new Map<string, readonly string[]>();

  private constructor(
    private readonly module: H5Module,
    private readonly file: bigint,
    private readonly size: number,
    private readonly what: string,
  ) {}

  /** Opens, checks, lets `use` read, and removes every trace, however that ends. */
  static async using<T>(bytes: Uint8Array, what: string, use: (file: Hdf5File) => T): Promise<T> {
    const module = await loadLibrary();
    // Not a name a file could have guessed for a link to itself.
    const path = `/${crypto.randomUUID()}`;
    let file = -1n;
    try {
      module.FS.writeFile(path, bytes);
      file = module.open(path, module.H5F_ACC_RDONLY, false, -1, -1);
      if (file < 0n) throw invalid(`${what} is not a whole HDF5 file (cut short or damaged)`);
      const opened = new Hdf5File(module, file, bytes.length, what);
      opened.walk('/', 0);
      return use(opened);
    } catch (error) {
      if (error instanceof RiverrunError) throw error;
      throw invalid(`${what} is a damaged HDF5 file: ${quote(errorMessage(error))}`, error);
    } finally {
      if (file >= 0n) quietly(() => module.close_file(file));
      quietly(() => module.FS.unlink(path));
    }
  }

  hasGroup(path: string): boolean {
    return this.groups.has(path);
  }

  /** Names in a group; none if there is no such group. */
  keys(path: string): readonly string[] {
    return this.groups.get(path) ?? [];
  }

  /** Undefined if there is no dataset there. */
  dataset(path: string): Dataset | undefined {
    const metadata = this.datasets.get(path);
    if (metadata === undefined) return undefined;
    const { shape } = metadata;
    if (shape === null) throw invalid(`${this.what}: ${quote(path)} is empty`);
    return { path, shape, format: this.floatFormat(path, metadata) };
  }

  /** The caller has compared `dataset.shape` with what it expects: that bounds the memory taken here. */
  read(dataset: Dataset): Float32Array {
    const metadata = this.datasets.get(dataset.path)!;
    this.checkStorage(dataset, metadata);
    const bytes = this.fetch(metadata.total_size * metadata.size, dataset.path, (pointer) =>
      this.module.get_dataset_data(this.file, dataset.path, null, null, null, pointer),
    );
    return decodeFloats(bytes, dataset.format);
  }

  /** Undefined if the object has no such attribute. */
  text(path: string, name: string): string | undefined {
    return this.texts(path, name)?.[0];
  }

  /** An attribute of texts, also where h5py had to split it into name0, name1, … */
  texts(path: string, name: string): string[] | undefined {
    const names = this.module.get_attribute_names(this.file, path);
    if (names.includes(name)) return this.attribute(path, name);
    if (!names.includes(`${name}0`)) return undefined;
    const parts: string[] = [];
    for (let i = 0; names.includes(`${name}${i}`); i++) parts.push(...this.attribute(path, `${name}${i}`));
    return parts;
  }

  private walk(path: string, depth: number): void {
    if (depth > MAX_HDF5_DEPTH)
      throw invalid(`${this.what}: groups more than ${MAX_HDF5_DEPTH} deep, or a group inside itself`);
    const { module, file } = this;
    const names = module.get_names(file, path, false);
    this.groups.set(path, names);
    for (const name of names) {
      // h5wasm takes paths: such a name would lead elsewhere.
      if (name === '' || name === '.' || name === '..' || name.includes('/'))
        throw invalid(`${this.what}: a group has a member called ${quote(name)}`);
      const child = path === '/' ? `/${name}` : `${path}/${name}`;
      if (this.groups.size + this.datasets.size > MAX_HDF5_OBJECTS)
        throw invalid(`${this.what}: more than ${MAX_HDF5_OBJECTS} objects, or a group inside itself`);
      if (module.get_external_link(file, child).filename !== undefined)
        throw invalid(`${this.what}: ${quote(child)} is a link to another file; Keras never writes one`);
      if (module.get_symbolic_link(file, child) !== null)
        throw invalid(`${this.what}: ${quote(child)} is a soft link; Keras never writes one`);
      const type = module.get_type(file, child);
      if (type === module.H5G_GROUP) this.walk(child, depth + 1);
      else if (type === module.H5G_DATASET) this.datasets.set(child, this.checkedMetadata(child));
      else throw invalid(`${this.what}: ${quote(child)} is neither a group nor an array`);
    }
  }

  private checkedMetadata(path: string): H5Metadata {
    const metadata = this.module.get_dataset_metadata(this.file, path);
    if (metadata.virtual_sources !== undefined)
      throw invalid(`${this.what}: ${quote(path)} is a virtual dataset, whose numbers lie in other files`);
    for (const filter of this.module.get_dataset_filters(this.file, path))
      if (!FILTERS.has(filter.id))
        throw invalid(`${this.what}: ${quote(path)} is packed with an unknown filter (${filter.id})`);
    return metadata;
  }

  private floatFormat(path: string, metadata: H5Metadata): FloatFormat {
    const { type, size } = metadata;
    if (!metadata.vlen) {
      // Keras stores bfloat16 as opaque pairs of bytes and says so beside them.
      if (
        (type === OPAQUE || type === INTEGER || type === FLOAT) &&
        size === 2 &&
        this.text(path, 'dtype') === 'bfloat16'
      )
        return 'bfloat16';
      if (type === FLOAT && size === 4) return 'float32';
      if (type === FLOAT && size === 8) return 'float64';
      if (type === FLOAT && size === 2) return 'float16';
    }
    if (type === INTEGER && size === 1)
      throw new RiverrunError(
        'MODEL_UNSUPPORTED',
        `${quote(path)}: its weights are quantised to 8 bits; save the model before quantising`,
      );
    throw invalid(`${this.what}: ${quote(path)} does not hold plain floating-point numbers`);
  }

  /** Numbers that the file does not really hold: a few bytes that claim to be gigabytes. */
  private checkStorage(dataset: Dataset, metadata: H5Metadata): void {
    const bytes = dataset.shape.reduce((a, b) => a * b, FLOAT_BYTES[dataset.format]);
    if (bytes > MAX_WEIGHT_BYTES || metadata.total_size * metadata.size !== bytes)
      throw invalid(`${this.what}: ${quote(dataset.path)} claims ${bytes} bytes`);
    const packed = this.module.get_dataset_filters(this.file, dataset.path).length > 0;
    if (bytes > this.size * (packed ? MAX_DEFLATE_RATIO : 1))
      throw invalid(`${this.what}: ${quote(dataset.path)} claims ${bytes} bytes, more than the file can hold`);
    const chunk = (metadata.chunks ?? []).reduce((a, b) => a * b, FLOAT_BYTES[dataset.format]);
    if (metadata.chunks !== null && chunk > 4 * bytes + 65_536)
      throw invalid(`${this.what}: ${quote(dataset.path)} lies in blocks of ${chunk} bytes`);
  }

  private attribute(path: string, name: string): string[] {
    const metadata = this.module.get_attribute_metadata(this.file, path, name);
    const bytes = metadata.total_size * metadata.size;
    // h5py writes an empty list of names as an empty list of numbers.
    if (metadata.total_size === 0) return [];
    if (metadata.type !== STRING || metadata.total_size > MAX_STRINGS || bytes > MAX_JSON_BYTES)
      throw invalid(`${this.what}: the attribute ${quote(name)} does not hold texts`);
    const read = (pointer: bigint): number => this.module.get_attribute_data(this.file, path, name, pointer);
    if (!metadata.vlen) return fixedTexts(this.fetch(bytes, name, read), metadata.size);
    return this.fetchWith(bytes, name, read, (start) => {
      const pointers = new Uint32Array(this.module.HEAPU8.buffer, start, metadata.total_size);
      const texts = Array.from(pointers, (pointer) =>
        pointer === 0 ? '' : this.module.UTF8ToString(pointer, MAX_JSON_BYTES),
      );
      this.module.reclaim_vlen_memory(this.file, path, name, BigInt(start));
      return texts;
    });
  }

  private fetch(bytes: number, name: string, read: (pointer: bigint) => number): Uint8Array {
    return this.fetchWith(bytes, name, read, (start) => this.module.HEAPU8.slice(start, start + bytes));
  }

  private fetchWith<T>(bytes: number, name: string, read: (pointer: bigint) => number, use: (start: number) => T): T {
    const start = this.module._malloc(bytes);
    if (start === 0) throw invalid(`${this.what}: no memory for the ${bytes} bytes of ${quote(name)}`);
    try {
      if (read(BigInt(start)) < 0)
        throw invalid(`${this.what}: ${quote(name)} cannot be read (damaged, or kept in another file)`);
      return use(start);
    } finally {
      this.module._free(start);
    }
  }
}

function fixedTexts(bytes: Uint8Array, size: number): string[] {
  const decoder = new TextDecoder();
  return Array.from({ length: bytes.length / size }, (_, i) => {
    const text = bytes.subarray(i * size, (i + 1) * size);
    const end = text.indexOf(0);
    return decoder.decode(end < 0 ? text : text.subarray(0, end));
  });
}

let library: Promise<H5Module> | undefined;

function loadLibrary(): Promise<H5Module> {
  library ??= ready.then((loaded) => {
    const module = loaded as unknown as H5Module;
    const { FS } = module;
    // HDF5 prints every error it meets; ours are thrown. The stream takes the lowest free number, which is stderr's.
    FS.close(FS.streams[2]);
    FS.open('/dev/null', 'w');
    // Devices that a file could name as the place of its numbers.
    for (const device of ['null', 'random', 'urandom', 'stdin', 'tty', 'tty1'])
      quietly(() => FS.unlink(`/dev/${device}`));
    return module;
  });
  return library;
}

function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // What cannot be tidied away (after a crash inside the library) changes nothing for the caller, who has an error already.
  }
}
