/** The largest finite float32. */
export const MAX_FLOAT32 = 3.4028234663852886e38;
