/** A piece of a SentencePiece model; types as in its proto: 1 normal, 2 unknown, 3 control, 4 user-defined, 6 byte. */
export interface BuiltPiece {
  readonly text: string;
  readonly score: number;
  readonly type: number;
}

export interface BuiltModel {
  readonly pieces: readonly BuiltPiece[];
  /** 1 Unigram, 2 BPE. */
  readonly kind?: number;
  readonly addDummyPrefix?: boolean;
  readonly removeExtraWhitespaces?: boolean;
  readonly charsmap?: Uint8Array;
}

/** A `tokenizer.model`, written field by field. */
export function buildSentencePiece(model: BuiltModel): Buffer {
  const { kind = 2, addDummyPrefix = true, removeExtraWhitespaces = false, charsmap } = model;
  const pieces = model.pieces.map(({ text, score, type }) => {
    const float = Buffer.alloc(4);
    float.writeFloatLE(score);
    return bytes(
      1,
      Buffer.concat([
        bytes(1, Buffer.from(text)),
        varint((2 << 3) | 5),
        float,
        ...(type === 1 ? [] : [number(3, type)]),
      ]),
    );
  });
  const trainer = Buffer.concat([number(3, kind), number(35, 1), number(40, 0), number(41, 1)]);
  const normalizer = Buffer.concat([
    bytes(1, Buffer.from("identity")),
    ...(charsmap === undefined ? [] : [bytes(2, Buffer.from(charsmap))]),
    number(3, Number(addDummyPrefix)),
    number(4, Number(removeExtraWhitespaces)),
  ]);
  return Buffer.concat([...pieces, bytes(2, trainer), bytes(3, normalizer)]);
}

export function varint(value: number): Buffer {
  const result: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) result.push((rest % 128) | 0x80);
  return Buffer.from([...result, rest]);
}

function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}
