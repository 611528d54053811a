/** A frame: 16 bytes of header, a payload, zeros up to a multiple of 8. Frames begin at multiples of 8, so that typed arrays can lie over their payloads.
 *
 *    0  u16  magic "RR"      2  u8  version      3  u8  kind
 *    4  u32  payload bytes   8  u32 CRC-32 of the payload   12  u32 CRC-32 of the 12 bytes before
 *
 *  All numbers are little-endian. */
import { crc32 } from 'node:zlib';

export const FRAME_HEADER = 16;
const MAGIC = 0x5252;
const VERSION = 1;

/** Larger frames do not exist; a larger length is garbage. */
export const MAX_PAYLOAD = 0x7ffffff0;

export interface Frame {
  readonly kind: number;
  /** Lies over a buffer that is used again: copy what is to be kept. Starts at a multiple of 8 in its ArrayBuffer. */
  readonly payload: Uint8Array;
  /** Position of the payload in its file. */
  readonly position: number;
}

export const padded = (length: number): number => (length + 7) & ~7;

/** Bytes a frame takes in its file. */
export const frameBytes = (payloadBytes: number): number => padded(FRAME_HEADER + payloadBytes);

/** Completes a frame whose payload lies in `buffer` from 16 on; returns the bytes to write. The buffer must have room for the padding. */
export function sealFrame(buffer: Uint8Array, kind: number, payloadBytes: number): Uint8Array {
  const end = FRAME_HEADER + payloadBytes;
  const view = new DataView(buffer.buffer, buffer.byteOffset, FRAME_HEADER);
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, VERSION);
  view.setUint8(3, kind);
  view.setUint32(4, payloadBytes, true);
  view.setUint32(8, crc32(buffer.subarray(FRAME_HEADER, end)), true);
  view.setUint32(12, crc32(buffer.subarray(0, 12)), true);
  buffer.fill(0, end, padded(end));
  return buffer.subarray(0, padded(end));
}

/** A frame of its own from a payload that is at hand. */
export function frameOf(kind: number, payload: Uint8Array): Uint8Array {
  const buffer = new Uint8Array(frameBytes(payload.length));
  buffer.set(payload, FRAME_HEADER);
  return sealFrame(buffer, kind, payload.length);
}

export interface FrameHeader {
  readonly kind: number;
  readonly length: number;
  readonly crc: number;
}

/** The header at `at`, or undefined where there is none. */
export function headerAt(buffer: Uint8Array, at: number): FrameHeader | undefined {
  if (at + FRAME_HEADER > buffer.length) return undefined;
  const view = new DataView(buffer.buffer, buffer.byteOffset + at, FRAME_HEADER);
  if (view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== VERSION) return undefined;
  if (view.getUint32(12, true) !== crc32(buffer.subarray(at, at + 12))) return undefined;
  const length = view.getUint32(4, true);
  return length > MAX_PAYLOAD ? undefined : { kind: view.getUint8(3), length, crc: view.getUint32(8, true) };
}

export const payloadIsWhole = (payload: Uint8Array, header: FrameHeader): boolean => crc32(payload) === header.crc;
