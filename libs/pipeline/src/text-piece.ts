/** A fixed piece of text between the numbers of an outcome. It is written eight bytes at a time, as float64s (no UTF-8 text is a NaN): a loop over its bytes
 *  takes as long as writing the numbers. */
export interface TextPiece {
  readonly bytes: number;
  readonly eights: Float64Array;
}

/** Bytes that `writePiece` may write behind a piece: what follows lies over them. */
export const PIECE_OVERRUN = 7;

export function pieceOf(text: string): TextPiece {
  const utf8 = new TextEncoder().encode(text);
  const padded = new Uint8Array((utf8.length + PIECE_OVERRUN) & -8);
  padded.set(utf8);
  const view = new DataView(padded.buffer);
  return {
    bytes: utf8.length,
    eights: Float64Array.from({ length: padded.length / 8 }, (_, k) => view.getFloat64(8 * k, true)),
  };
}

/** Returns the position behind it. */
export function writePiece(target: DataView, at: number, { bytes, eights }: TextPiece): number {
  for (let k = 0; k < eights.length; k++) target.setFloat64(at + 8 * k, eights[k], true);
  return at + bytes;
}
