export interface BuiltWeight {
  readonly name: string;
  readonly dtype: string;
  /** Slowest dimension first. */
  readonly shape: readonly number[];
  readonly data: Uint8Array;
  /** In place of where the data lies. */
  readonly offsets?: readonly [number, number];
}

export interface BuiltShard {
  /** In place of the true length of the header. */
  readonly headerLength?: bigint;
  /** In place of the header that describes the weights. */
  readonly header?: string;
}

/** The bytes of a safetensors file, well-formed or not. */
export function buildSafetensors(
  weights: readonly BuiltWeight[],
  shard: BuiltShard = {},
): Uint8Array {
  const entries: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let end = 0;
  for (const { name, dtype, shape, data, offsets } of weights) {
    entries[name] = { dtype, shape, data_offsets: offsets ?? [end, end + data.length] };
    end += data.length;
  }
  const header = Buffer.from(shard.header ?? JSON.stringify(entries));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(shard.headerLength ?? BigInt(header.length));
  return Buffer.concat([length, header, ...weights.map(({ data }) => data)]);
}
