/**
 * The part of msgpack that crosses our websockets.
 *
 * Decoding is lenient about integer widths and about `str` against `bin`, and strict about
 * lengths: nothing is allocated that the message itself does not hold, and nesting is bounded.
 */

export type Value = null | boolean | number | bigint | string | Uint8Array | Value[] | ValueMap;
export type ValueMap = Map<string, Value>;

/** Deeper nesting than any message of the protocol has; more is refused. */
export const MAX_DEPTH = 16;

export class MsgpackError extends Error {
  override name = 'MsgpackError';
}

// Text that is not valid UTF-8 gets replacement characters instead of costing the connection.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const utf8Encoder = new TextEncoder();

export class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Reads one value; byte strings are views into the message, not copies. */
  value(depth = 0): Value {
    if (depth > MAX_DEPTH) throw new MsgpackError('nested too deeply');
    const tag = this.take(1).getUint8(0);
    if (tag <= 0x7f) return tag;
    if (tag <= 0x8f) return this.map(tag & 0x0f, depth);
    if (tag <= 0x9f) return this.array(tag & 0x0f, depth);
    if (tag <= 0xbf) return this.text(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.raw(this.length(1));
      case 0xc5:
        return this.raw(this.length(2));
      case 0xc6:
        return this.raw(this.length(4));
      case 0xc7:
        return this.extension(this.length(1));
      case 0xc8:
        return this.extension(this.length(2));
      case 0xc9:
        return this.extension(this.length(4));
      case 0xca:
        return this.take(4).getFloat32(0);
      case 0xcb:
        return this.take(8).getFloat64(0);
      case 0xcc:
        return this.length(1);
      case 0xcd:
        return this.length(2);
      case 0xce:
        return this.length(4);
      case 0xcf:
        return narrow(this.take(8).getBigUint64(0));
      case 0xd0:
        return this.take(1).getInt8(0);
      case 0xd1:
        return this.take(2).getInt16(0);
      case 0xd2:
        return this.take(4).getInt32(0);
      case 0xd3:
        return narrow(this.take(8).getBigInt64(0));
      case 0xd4:
        return this.extension(1);
      case 0xd5:
        return this.extension(2);
      case 0xd6:
        return this.extension(4);
      case 0xd7:
        return this.extension(8);
      case 0xd8:
        return this.extension(16);
      case 0xd9:
        return this.text(this.length(1));
      case 0xda:
        return this.text(this.length(2));
      case 0xdb:
        return this.text(this.length(4));
      case 0xdc:
        return this.array(this.length(2), depth);
      case 0xdd:
        return this.array(this.length(4), depth);
      case 0xde:
        return this.map(this.length(2), depth);
      case 0xdf:
        return this.map(this.length(4), depth);
      default:
        throw new MsgpackError(`unknown tag 0x${tag.toString(16)}`);
    }
  }

  private take(size: number): DataView {
    return this.viewOf(this.advance(size), size);
  }

  private viewOf(from: number, size: number): DataView {
    return new DataView(this.view.buffer, this.view.byteOffset + from, size);
  }

  private advance(size: number): number {
    const from = this.at;
    if (size > this.bytes.length - from) throw new MsgpackError('message ends too early');
    this.at = from + size;
    return from;
  }

  private length(width: 1 | 2 | 4): number {
    const view = this.take(width);
    if (width === 1) return view.getUint8(0);
    return width === 2 ? view.getUint16(0) : view.getUint32(0);
  }

  private raw(size: number): Uint8Array {
    const from = this.advance(size);
    return this.bytes.subarray(from, from + size);
  }

  private text(size: number): string {
    return utf8.decode(this.raw(size));
  }

  /** Extensions carry nothing here: type 0 is how some encoders write "undefined". */
  private extension(size: number): null {
    this.advance(size + 1);
    return null;
  }

  private array(count: number, depth: number): Value[] {
    if (count > this.bytes.length - this.at) throw new MsgpackError('message ends too early');
    const items: Value[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1));
    return items;
  }

  private map(count: number, depth: number): ValueMap {
    if (count > (this.bytes.length - this.at) / 2) throw new MsgpackError('message ends too early');
    const entries: ValueMap = new Map();
    for (let i = 0; i < count; i++) {
      const key = this.value(depth + 1);
      const value = this.value(depth + 1);
      if (typeof key === 'string') entries.set(key, value);
      else if (key instanceof Uint8Array) entries.set(utf8.decode(key), value);
    }
    return entries;
  }
}

function narrow(wide: bigint): number | bigint {
  const number = Number(wide);
  return Number.isSafeInteger(number) ? number : wide;
}

/** One value by itself. */
export function encodeValue(value: Value): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.value(value);
  return out.finish();
}

export class Writer {
  private bytes: Uint8Array<ArrayBuffer>;
  private view: DataView;
  private at = 0;

  constructor(sizeHint = 128) {
    this.bytes = new Uint8Array(sizeHint);
    this.view = new DataView(this.bytes.buffer);
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.at);
  }

  /** Anything a message may hold; integers in the fewest bytes. */
  value(value: Value): void {
    if (value === null) this.byte(0xc0);
    else if (typeof value === 'boolean') this.byte(value ? 0xc3 : 0xc2);
    else if (typeof value === 'string') this.string(value);
    else if (typeof value === 'number') this.integer(value);
    else if (value instanceof Uint8Array) this.binary(value);
    else if (Array.isArray(value)) {
      if (value.length <= 15) this.byte(0x90 | value.length);
      else this.tagged(0xdc, 2, value.length);
      for (const item of value) this.value(item);
    } else if (value instanceof Map) {
      this.mapHeader(value.size);
      for (const [key, item] of value) {
        this.string(key);
        this.value(item);
      }
    } else throw new MsgpackError('an integer this large is not written');
  }

  mapHeader(count: number): void {
    if (count <= 15) this.byte(0x80 | count);
    else this.tagged(0xde, 2, count);
  }

  string(text: string): void {
    const bytes = utf8Encoder.encode(text);
    if (bytes.length <= 31) this.byte(0xa0 | bytes.length);
    else if (bytes.length <= 0xff) this.tagged(0xd9, 1, bytes.length);
    else if (bytes.length <= 0xffff) this.tagged(0xda, 2, bytes.length);
    else this.tagged(0xdb, 4, bytes.length);
    this.copy(bytes);
  }

  binary(bytes: Uint8Array): void {
    if (bytes.length <= 0xff) this.tagged(0xc4, 1, bytes.length);
    else if (bytes.length <= 0xffff) this.tagged(0xc5, 2, bytes.length);
    else this.tagged(0xc6, 4, bytes.length);
    this.copy(bytes);
  }

  /** An unsigned 16-bit integer in its full width, whatever its value. */
  uint16(value: number): void {
    this.tagged(0xcd, 2, value);
  }

  /** A signed 64-bit integer in its full width: some peers know offsets in this form only. */
  int64(value: number): void {
    this.byte(0xd3);
    this.grow(8);
    this.view.setBigInt64(this.at, BigInt(value));
    this.at += 8;
  }

  /** An integer in the fewest bytes. */
  integer(value: number): void {
    if (!Number.isSafeInteger(value)) throw new MsgpackError('not an integer');
    if (value >= 0 && value <= 0x7f) this.byte(value);
    else if (value < 0 && value >= -32) this.byte(value + 0x100);
    else if (value >= 0 && value <= 0xff) this.tagged(0xcc, 1, value);
    else if (value >= 0 && value <= 0xffff) this.tagged(0xcd, 2, value);
    else if (value >= 0 && value <= 0xffffffff) this.tagged(0xce, 4, value);
    else this.int64(value);
  }

  private byte(value: number): void {
    this.grow(1);
    this.bytes[this.at++] = value;
  }

  private tagged(tag: number, width: 1 | 2 | 4, value: number): void {
    this.byte(tag);
    this.grow(width);
    if (width === 1) this.view.setUint8(this.at, value);
    else if (width === 2) this.view.setUint16(this.at, value);
    else this.view.setUint32(this.at, value);
    this.at += width;
  }

  private copy(bytes: Uint8Array): void {
    this.grow(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  private grow(extra: number): void {
    if (this.at + extra <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.at + extra));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}
