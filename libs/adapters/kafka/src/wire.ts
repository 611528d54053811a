/** Kafka's flexible message format (KIP-482) for the few requests that kafkajs does not have. */

export class WireWriter {
  private bytes = Buffer.allocUnsafe(256);
  private length = 0;

  int16(value: number): this {
    this.length = this.room(2).writeInt16BE(value, this.length);
    return this;
  }
  int32(value: number): this {
    this.length = this.room(4).writeInt32BE(value, this.length);
    return this;
  }
  int64(value: bigint): this {
    this.length = this.room(8).writeBigInt64BE(value, this.length);
    return this;
  }
  boolean(value: boolean): this {
    this.length = this.room(1).writeUInt8(value ? 1 : 0, this.length);
    return this;
  }
  varint(value: number): this {
    this.room(5);
    for (; value > 127; value >>>= 7) this.bytes[this.length++] = (value & 127) | 128;
    this.bytes[this.length++] = value;
    return this;
  }
  /** Compact, nullable. */
  string(value: string | null): this {
    if (value === null) return this.varint(0);
    const size = Buffer.byteLength(value);
    this.varint(size + 1);
    this.room(size);
    this.length += this.bytes.write(value, this.length);
    return this;
  }
  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.varint(items.length + 1);
    items.forEach(write);
    return this;
  }
  noTags(): this {
    return this.varint(0);
  }
  done(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  private room(more: number): Buffer {
    if (this.length + more > this.bytes.length) {
      const grown = Buffer.allocUnsafe(2 * (this.length + more));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    return this.bytes;
  }
}

/** Throws RangeError (Node's own) behind the end of the payload. */
export class WireReader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  int16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }
  int32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }
  int64(): bigint {
    this.at += 8;
    return this.bytes.readBigInt64BE(this.at - 8);
  }
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes.readUInt8(this.at++);
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new RangeError('varint too long');
  }
  string(): string | null {
    const size = this.varint() - 1;
    if (size < 0) return null;
    this.at += size;
    if (this.at > this.bytes.length) throw new RangeError('string behind the end');
    return this.bytes.toString('utf8', this.at - size, this.at);
  }
  array<T>(read: () => T): T[] {
    const count = this.varint() - 1;
    return Array.from({ length: Math.max(0, count) }, read);
  }
  skipTags(): void {
    for (let tags = this.varint(); tags > 0; tags--) {
      this.varint();
      this.at += this.varint();
    }
  }
}
