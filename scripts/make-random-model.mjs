// Writes a GGUF of random weights: `node scripts/make-random-model.mjs OUTPUT [--rows N] [--columns N] [--layers N]
// [--type F32|F16]`. The default is one embedding of 152064 x 8192. Weights are a repeated megabyte of normal values, so
// that writing takes as long as the disk does.
import { closeSync, openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string", default: "152064" },
    columns: { type: "string", default: "8192" },
    layers: { type: "string", default: "0" },
    type: { type: "string", default: "F16" },
  },
});
const [output] = positionals;
const types = { F32: { id: 0, bytes: 4 }, F16: { id: 1, bytes: 2 } };
const type = types[values.type];
if (output === undefined || type === undefined) {
  console.error(
    "usage: make-random-model OUTPUT [--rows N] [--columns N] [--layers N] [--type F32|F16]",
  );
  process.exit(2);
}
const [rows, columns, layers] = [values.rows, values.columns, values.layers].map(Number);

const u32 = (value) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const stringId = 8;

const tensors = [
  { name: "token_embd.weight", rows },
  ...Array.from({ length: layers }, (_, i) => ({ name: `blk.${i}.ffn_up.weight`, rows: columns })),
].map((tensor) => ({ ...tensor, bytes: tensor.rows * columns * type.bytes }));
let offset = 0;
const table = tensors.map(({ name, rows: count, bytes }) => {
  const row = [text(name), u32(2), u64(columns), u64(count), u32(type.id), u64(offset)];
  offset += bytes;
  return Buffer.concat(row);
});
const header = Buffer.concat([
  Buffer.from("GGUF"),
  u32(3),
  u64(tensors.length),
  u64(1),
  text("general.architecture"),
  u32(stringId),
  text("llama"),
  ...table,
]);

/** A megabyte of weights with a standard deviation of 0.02; the low half of an F32 is cut off for F16. */
function weights() {
  const view = new DataView(new ArrayBuffer(1 << 20));
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  for (let at = 0; at < view.byteLength; at += type.bytes) {
    const value = 0.02 * Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    if (type.bytes === 4) view.setFloat32(at, value, true);
    else view.setUint16(at, half(value), true);
  }
  return Buffer.from(view.buffer);
}

/** F32 to F16, toward zero; values are far from its limits. */
function half(value) {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  const sign = (bits >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

const block = weights();
const file = openSync(output, "w");
writeSync(file, Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32)]));
for (let left = offset; left > 0; left -= block.length) {
  writeSync(file, block, 0, Math.min(block.length, left));
}
closeSync(file);
