/** Holds the page's codec to the same bytes as the Rust crate. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decode, encode } from '../src/protocol/message.ts';
import { MsgpackError } from '../src/protocol/msgpack.ts';

interface Golden {
  name: string;
  direction: string;
  receiver: string;
  hex: string;
  message: {
    proto: number;
    typ: string;
    sid: string;
    props: Record<string, number | string>;
    body: string;
  };
  canonical?: string;
}

function load<T>(file: string): T[] {
  const url = new URL(`../../crates/protocol/tests/golden/${file}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8'));
}

const unhex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe.each([
  ['shell', 25],
  ['others', 10],
  ['tolerated', 10],
])('golden messages of %s', (file, atLeast) => {
  const entries = load<Golden>(file);
  test('are there', () => expect(entries.length).toBeGreaterThanOrEqual(atLeast));

  const prefix = file === 'tolerated' ? 'item_15 ' : '';
  test.each(entries)(`${prefix}$name is read`, ({ hex: bytes, message }) => {
    const read = decode(unhex(bytes));
    expect(read.proto).toBe(message.proto);
    expect(read.type).toBe(message.typ);
    expect(read.sid).toBe(message.sid);
    expect(Object.fromEntries(read.props)).toEqual(message.props);
    expect(hex(read.body)).toBe(message.body);
  });

  // A page writes for its server only; what others write for users has another form of integers.
  const ours = entries.filter((entry) => entry.direction === 'user-to-server');
  test.each(ours)(`${prefix}$name is written in the canonical form`, (entry) => {
    expect(hex(encode(decode(unhex(entry.hex))))).toBe(entry.canonical ?? entry.hex);
  });
});

describe('what is no message', () => {
  test.each(load<{ name: string; hex: string }>('rejected'))(
    '$name is refused',
    ({ hex: bytes }) => {
      expect(() => decode(unhex(bytes))).toThrow(MsgpackError);
    },
  );
});
