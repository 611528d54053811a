/** Thrown where bytes are no record; its caller knows the topic, partition and offset to name. */
export class MalformedRecords extends Error {}

/** Reads the zigzag varints of a record (up to 32 bits, or up to 64 as the nearest double) from bytes [position, end). */
export class VarintReader {
  constructor(
    private readonly bytes: Uint8Array,
    public position: number,
    private readonly end: number,
  ) {}

  int(): number {
    // Past the end of `bytes` this reads undefined, which is no small byte either.
    const byte = this.bytes[this.position];
    if (byte < 128) {
      this.position++;
      return (byte >>> 1) ^ -(byte & 1);
    }
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const more = this.byte();
      value |= (more & 127) << shift;
      if (more < 128) return (value >>> 1) ^ -(value & 1);
    }
    throw new MalformedRecords('a varint of more than 5 bytes');
  }

  /** Exact within 2^52. */
  long(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
    throw new MalformedRecords('a varlong of more than 10 bytes');
  }

  private byte(): number {
    if (this.position >= this.end) throw new MalformedRecords('a number that runs past the end');
    return this.bytes[this.position++];
  }
}
