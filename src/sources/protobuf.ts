import type { NibbleError } from "../errors.js";
import { formatError } from "./byte-source.js";

/** One field of a protobuf message: a number, or the bytes of a text, of bytes or of a message. */
export interface ProtobufField {
  readonly number: number;
  /** The bits of a varint; little-endian bits of a fixed number. */
  readonly bits?: bigint;
  readonly bytes?: Buffer;
  /** Bytes from the start of the file. */
  readonly offset: number;
}

/** What a message is part of: for errors. */
export interface ProtobufPlace {
  readonly path: string;
  readonly field: string;
  /** Where the message starts in the file. */
  readonly offset: number;
}

/** Bytes of the longest varint. */
const maxVarintBytes = 10;
const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * The fields of a protobuf message, in the order of the file. Nothing is copied, and no length is believed that goes beyond
 * the message, so that a hostile file costs no more than its own length.
 *
 * @throws NibbleError ERR_FORMAT where the message is cut or damaged.
 */
export function* protobufFields(message: Buffer, place: ProtobufPlace): Generator<ProtobufField> {
  let position = 0;
  const damaged = (problem: string): NibbleError =>
    formatError(place.path, place.field, problem, place.offset + position);
  const varint = (): bigint => {
    let bits = 0n;
    for (let i = 0; i < maxVarintBytes; i += 1) {
      const byte = message[position];
      if (byte === undefined) throw damaged("is cut within a number");
      position += 1;
      bits |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return BigInt.asUintN(64, bits);
    }
    throw damaged("has a number of more than 10 bytes");
  };
  const take = (count: bigint): Buffer => {
    if (count > BigInt(message.length - position)) {
      throw damaged(`has a field of ${count} bytes, and ${message.length - position} are left`);
    }
    const from = position;
    position += Number(count);
    return message.subarray(from, position);
  };
  while (position < message.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    const kind = Number(tag & 7n);
    if (number === 0 || number > 2 ** 29 - 1) throw damaged(`has a field of number ${tag >> 3n}`);
    if (kind === wire.varint) {
      const offset = place.offset + position;
      yield { number, bits: varint(), offset };
    } else if (kind === wire.bytes) {
      const count = varint();
      const offset = place.offset + position;
      yield { number, bytes: take(count), offset };
    } else if (kind === wire.fixed32) {
      const offset = place.offset + position;
      yield { number, bits: BigInt(take(4n).readUInt32LE()), offset };
    } else if (kind === wire.fixed64) {
      const offset = place.offset + position;
      yield { number, bits: take(8n).readBigUInt64LE(), offset };
    } else {
      throw damaged(`has a field of the unknown wire type ${kind}`);
    }
  }
}
