/** What a model file may ask for at most, checked before the memory is taken. */
const MIB = 1024 * 1024;

export const MAX_FILE_BYTES = 2048 * MIB;
/** All weights together, as float32. */
export const MAX_WEIGHT_BYTES = 2000 * MIB;
export const MAX_JSON_BYTES = 64 * MIB;
export const MAX_JSON_DEPTH = 128;
export const MAX_VOCABULARY_BYTES = 256 * MIB;
export const MAX_ZIP_ENTRIES = 4096;
/** Model files hardly compress; a zip that grows more than this (beyond the first 64 MiB) is a bomb. */
export const MAX_ZIP_RATIO = 100;
export const ZIP_RATIO_FREE_BYTES = 64 * MIB;
/** Deflate's best is 1,032 to one. */
export const MAX_DEFLATE_RATIO = 1032;
export const MAX_HDF5_OBJECTS = 50_000;
export const MAX_HDF5_DEPTH = 24;
export const MAX_LAYERS = 512;
export const MAX_UNITS = 65_536;
/** An element-wise layer that cannot be folded becomes a Dense of n x n: only up to here. */
export const MAX_DIAGONAL = 1024;
