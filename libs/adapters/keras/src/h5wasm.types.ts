/** The functions of h5wasm's module that are called here; its own types draw on browser globals. */
export interface H5Metadata {
  readonly type: number;
  readonly size: number;
  readonly total_size: number;
  readonly vlen: boolean;
  readonly shape: number[] | null;
  readonly chunks: number[] | null;
  readonly virtual_sources?: unknown[];
}

export interface H5FileSystem {
  readonly streams: unknown[];
  writeFile(path: string, data: Uint8Array): void;
  readFile(path: string): Uint8Array;
  unlink(path: string): void;
  open(path: string, flags: string): unknown;
  close(stream: unknown): void;
}

export interface H5Module {
  readonly FS: H5FileSystem;
  readonly HEAPU8: Uint8Array;
  readonly H5F_ACC_RDONLY: number;
  readonly H5G_GROUP: number;
  readonly H5G_DATASET: number;
  open(path: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  close_file(file: bigint): number;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_type(file: bigint, path: string): number;
  /** Null unless the path is a soft link. */
  get_symbolic_link(file: bigint, path: string): string | null;
  /** Empty unless the path is a link to another file. */
  get_external_link(file: bigint, path: string): { filename?: string };
  get_dataset_metadata(file: bigint, path: string): H5Metadata;
  get_dataset_filters(file: bigint, path: string): { id: number }[];
  get_dataset_data(file: bigint, path: string, count: null, offset: null, strides: null, pointer: bigint): number;
  get_attribute_names(file: bigint, path: string): string[];
  get_attribute_metadata(file: bigint, path: string, name: string): H5Metadata;
  get_attribute_data(file: bigint, path: string, name: string, pointer: bigint): number;
  reclaim_vlen_memory(file: bigint, path: string, attribute: string, pointer: bigint): number;
  UTF8ToString(pointer: number, maxBytes: number): string;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
}
