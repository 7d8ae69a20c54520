import type { NibbleError } from "../errors.js";
import { formatError } from "./byte-source.js";
import { protobufFields, type ProtobufField } from "./protobuf.js";

/** SentencePiece's numbers for what a piece is. */
export const pieceType = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

export interface Piece {
  readonly text: string;
  readonly score: number;
  /** One of `pieceType`. */
  readonly type: number;
}

/** What Nibble needs of a SentencePiece `tokenizer.model`. */
export interface SentencePieceModel {
  readonly path: string;
  /** By id. */
  readonly pieces: readonly Piece[];
  readonly kind: "unigram" | "bpe" | "word" | "char";
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  /** Compiled rules of the normalizer; empty where there are none. */
  readonly precompiledCharsmap: Uint8Array;
  /** Ids that the training was told; undefined for none. */
  readonly ids: Readonly<Record<"unk" | "bos" | "eos" | "pad", number | undefined>>;
}

/** Fields of sentencepiece_model.proto, by message. */
const model = { pieces: 1, trainer: 2, normalizer: 3 } as const;
const piece = { text: 1, score: 2, type: 3 } as const;
const trainer = { kind: 3, unk: 40, bos: 41, eos: 42, pad: 43 } as const;
const normalizer = { charsmap: 2, addDummyPrefix: 3, removeExtraWhitespaces: 4 } as const;

const kinds = [undefined, "unigram", "bpe", "word", "char"] as const;

/**
 * Reads a SentencePiece model (a protobuf message, `ModelProto`).
 *
 * @param bytes the whole file.
 * @throws NibbleError ERR_FORMAT where it is damaged, or holds what SentencePiece itself would refuse.
 */
export function parseSentencePiece(path: string, bytes: Buffer): SentencePieceModel {
  const pieces: Piece[] = [];
  let training: Training = { kind: "unigram", ids: { unk: 0, bos: 1, eos: 2, pad: undefined } };
  let normalization = {
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    precompiledCharsmap: new Uint8Array(),
  };
  for (const field of protobufFields(bytes, { path, field: "model", offset: 0 })) {
    if (field.number === model.pieces) pieces.push(readPiece(path, field, pieces.length));
    else if (field.number === model.trainer) training = readTraining(path, field, training);
    else if (field.number === model.normalizer) {
      normalization = readNormalization(path, field, normalization);
    }
  }
  if (pieces.length === 0) throw formatError(path, "pieces", "are missing");
  const unknown = pieces.filter(({ type }) => type === pieceType.unknown).length;
  if (unknown !== 1) {
    throw formatError(path, "pieces", `have ${unknown} unknown tokens, and one is needed`);
  }
  return { path, pieces, ...training, ...normalization };
}

type Training = Pick<SentencePieceModel, "kind" | "ids">;
type Normalization = Pick<SentencePieceModel, "addDummyPrefix" | "removeExtraWhitespaces"> & {
  readonly precompiledCharsmap: Uint8Array<ArrayBuffer>;
};

function readPiece(path: string, message: ProtobufField, id: number): Piece {
  const place = `piece ${id}`;
  const damaged = (problem: string): NibbleError =>
    formatError(path, place, problem, message.offset);
  let [text, score, type]: [string, number, number] = ["", 0, pieceType.normal];
  for (const field of inside(path, message, place)) {
    if (field.number === piece.text) text = decode(field, damaged);
    else if (field.number === piece.score) score = float(field, damaged);
    else if (field.number === piece.type) type = Number(number(field, damaged));
  }
  if (text === "") throw damaged("has no text");
  if (!Number.isFinite(score)) throw damaged(`has the score ${score}`);
  if (type < pieceType.normal || type > pieceType.byte) throw damaged(`has the type ${type}`);
  return { text, score, type };
}

function readTraining(path: string, message: ProtobufField, before: Training): Training {
  const place = "trainer_spec";
  const damaged = (problem: string): NibbleError =>
    formatError(path, place, problem, message.offset);
  let { kind } = before;
  const ids = { ...before.ids };
  for (const field of inside(path, message, place)) {
    for (const name of ["unk", "bos", "eos", "pad"] as const) {
      if (field.number !== trainer[name]) continue;
      const id = BigInt.asIntN(32, number(field, damaged));
      ids[name] = id < 0n ? undefined : Number(id);
    }
    if (field.number === trainer.kind) {
      const found = kinds[Number(number(field, damaged))];
      if (found === undefined) throw damaged(`has the model type ${String(field.bits)}`);
      kind = found;
    }
  }
  return { kind, ids };
}

function readNormalization(
  path: string,
  message: ProtobufField,
  before: Normalization,
): Normalization {
  const place = "normalizer_spec";
  const damaged = (problem: string): NibbleError =>
    formatError(path, place, problem, message.offset);
  let { addDummyPrefix, removeExtraWhitespaces, precompiledCharsmap } = before;
  for (const field of inside(path, message, place)) {
    if (field.number === normalizer.charsmap) {
      if (field.bytes === undefined) throw damaged("has a precompiled_charsmap that is a number");
      precompiledCharsmap = Uint8Array.from(field.bytes);
    } else if (field.number === normalizer.addDummyPrefix) {
      addDummyPrefix = number(field, damaged) !== 0n;
    } else if (field.number === normalizer.removeExtraWhitespaces) {
      removeExtraWhitespaces = number(field, damaged) !== 0n;
    }
  }
  return { addDummyPrefix, removeExtraWhitespaces, precompiledCharsmap };
}

type Damaged = (problem: string) => NibbleError;

function inside(path: string, { bytes, offset }: ProtobufField, field: string) {
  if (bytes === undefined) throw formatError(path, field, "is a number, not a message", offset);
  return protobufFields(bytes, { path, field, offset });
}

function number({ bits, number: field }: ProtobufField, damaged: Damaged): bigint {
  if (bits === undefined) throw damaged(`has bytes in field ${field}, where a number belongs`);
  return bits;
}

function float(field: ProtobufField, damaged: Damaged): number {
  const view = Buffer.alloc(8);
  view.writeBigUInt64LE(number(field, damaged));
  return view.readFloatLE();
}

function decode({ bytes }: ProtobufField, damaged: Damaged): string {
  if (bytes === undefined) throw damaged("has a number in place of its text");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged("has a text that is not UTF-8");
  }
}
