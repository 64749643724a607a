import { expect, test } from 'vitest';
import { decode, encode, message, Proto } from '../src/protocol/message.ts';
import { MsgpackError, Reader, Writer } from '../src/protocol/msgpack.ts';

function written(write: (out: Writer) => void): Uint8Array {
  const out = new Writer(1);
  write(out);
  return out.finish();
}

test.each([
  0, 1, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, -1, -32, -33, -70_000,
])('integer %i survives', (value) => {
  expect(new Reader(written((out) => out.integer(value))).value()).toBe(value);
  expect(new Reader(written((out) => out.int64(value))).value()).toBe(value);
});

test.each([0, 31, 32, 255, 256, 65_535, 65_536])(
  'text and bytes of length %i survive',
  (length) => {
    const text = 'ä'.repeat(length / 2) + (length % 2 ? 'x' : '');
    expect(new Reader(written((out) => out.string(text))).value()).toBe(text);
    const bytes = new Uint8Array(length).fill(7);
    expect(new Reader(written((out) => out.binary(bytes))).value()).toEqual(bytes);
  },
);

test('an integer too large for a number stays exact', () => {
  expect(
    new Reader(Uint8Array.of(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)).value(),
  ).toBe(0xffffffffffffffffn);
});

test('bytes are views of the message, not copies', () => {
  const bytes = encode(message(Proto.shell, 'shell', { body: Uint8Array.of(1, 2, 3) }));
  expect(decode(bytes).body.buffer).toBe(bytes.buffer);
});

test('a key called __proto__ is only a key', () => {
  const props = new Map([['__proto__', 1]]);
  const read = decode(encode(message(Proto.shell, 'new', { props })));
  expect(read.props.get('__proto__')).toBe(1);
});

test('every cut of a message is refused, none of them hangs or fails otherwise', () => {
  const whole = encode(
    message(Proto.shell, 'shell', {
      sid: 'some-session',
      props: new Map([['offset', 99]]),
      body: new Uint8Array(300),
    }),
  );
  for (let length = 0; length < whole.length; length++) {
    expect(() => decode(whole.subarray(0, length)), `${length} bytes`).toThrow(MsgpackError);
  }
});

test('arbitrary bytes give a message or the one error, quickly', () => {
  // A fixed sequence, so that a failure can be seen again.
  let seed = 0x2545f491;
  const next = () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed & 0xff;
  };
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: 1 + (next() % 48) }, next);
    try {
      decode(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(MsgpackError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(19_000);
});
