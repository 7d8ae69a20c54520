/** A megabyte of weights with a standard deviation of 0.02, in F32, F16 or BF16. */
export function weights(type) {
  const view = new DataView(new ArrayBuffer(1 << 20));
  const bytes = type === "F32" ? 4 : 2;
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  for (let at = 0; at < view.byteLength; at += bytes) {
    const value = 0.02 * Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    if (type === "F32") view.setFloat32(at, value, true);
    else view.setUint16(at, type === "F16" ? half(value) : bits(value) >>> 16, true);
  }
  return Buffer.from(view.buffer);
}

/** F32 to F16, toward zero; values are far from its limits. */
function half(value) {
  const whole = bits(value);
  const exponent = ((whole >>> 23) & 0xff) - 127 + 15;
  const sign = (whole >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((whole >>> 13) & 0x3ff);
}

function bits(value) {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}
