import { RiverrunError } from '#domain/errors';

/** An int64 as a number: exact up to 2^53. */
export function readInt64(bytes: Buffer, position: number): number {
  return bytes.readInt32BE(position) * 0x1_0000_0000 + bytes.readUInt32BE(position + 4);
}

export function writeInt64(bytes: Buffer, value: number, position: number): void {
  const low = ((value % 0x1_0000_0000) + 0x1_0000_0000) % 0x1_0000_0000;
  bytes.writeInt32BE((value - low) / 0x1_0000_0000, position);
  bytes.writeUInt32BE(low, position + 4);
}

/** Reads a response's fields in order; RiverrunError KAFKA_RESPONSE where the bytes end before the field does. */
export class ProtocolReader {
  private position = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly what: string,
  ) {}

  int16(): number {
    return this.bytes.readInt16BE(this.take(2));
  }
  int32(): number {
    return this.bytes.readInt32BE(this.take(4));
  }
  int64(): number {
    return readInt64(this.bytes, this.take(8));
  }
  bigInt64(): bigint {
    return this.bytes.readBigInt64BE(this.take(8));
  }
  string(): string {
    const length = this.int16();
    if (length < 0) return '';
    const start = this.take(length);
    return this.bytes.toString('utf8', start, start + length);
  }
  /** A view, not a copy; empty for null. */
  view(): Buffer {
    const length = Math.max(0, this.int32());
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }
  /** Empty for null. An element takes a byte or more, so that a false count soon meets the end. */
  array<T>(element: () => T): T[] {
    const count = this.int32();
    const elements: T[] = [];
    for (let i = 0; i < count; i++) elements.push(element());
    return elements;
  }

  private take(length: number): number {
    const start = this.position;
    if (start + length > this.bytes.length) throw this.tooShort();
    this.position = start + length;
    return start;
  }

  private tooShort(): RiverrunError {
    return new RiverrunError(
      'KAFKA_RESPONSE',
      `the ${this.what} response of ${this.bytes.length} bytes ends at byte ${this.position} within a field: ` +
        'is this a Kafka broker of 2.3 or later? Check KAFKA_BROKERS and what stands between',
    );
  }
}

/** Writes a request's fields in order into a buffer that grows. */
export class ProtocolWriter {
  private bytes: Buffer;
  private position: number;

  /** `headroom`: bytes left free before what `finish` returns. */
  constructor(
    sizeHint: number,
    private readonly headroom = 0,
  ) {
    this.bytes = Buffer.allocUnsafe(headroom + Math.max(64, sizeHint));
    this.position = headroom;
  }

  int8(value: number): this {
    const at = this.take(1);
    this.bytes.writeInt8(value, at);
    return this;
  }
  int16(value: number): this {
    const at = this.take(2);
    this.bytes.writeInt16BE(value, at);
    return this;
  }
  int32(value: number): this {
    const at = this.take(4);
    this.bytes.writeInt32BE(value, at);
    return this;
  }
  int64(value: number): this {
    const at = this.take(8);
    writeInt64(this.bytes, value, at);
    return this;
  }
  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const length = Buffer.byteLength(value);
    this.int16(length);
    const at = this.take(length);
    this.bytes.write(value, at, length, 'utf8');
    return this;
  }
  /** Length and bytes. */
  blob(value: Uint8Array): this {
    this.int32(value.length);
    const at = this.take(value.length);
    this.bytes.set(value, at);
    return this;
  }
  array<T>(values: readonly T[], element: (value: T) => void): this {
    this.int32(values.length);
    values.forEach(element);
    return this;
  }
  finish(): Buffer {
    return this.bytes.subarray(this.headroom, this.position);
  }

  private take(length: number): number {
    const start = this.position;
    this.position = start + length;
    if (this.position > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.position, 2 * this.bytes.length));
      this.bytes.copy(grown, 0, 0, start);
      this.bytes = grown;
    }
    return start;
  }
}
