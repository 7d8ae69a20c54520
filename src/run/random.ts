/**
 * Random numbers from 0 up to, but not including 1, in steps of 2^-32; the same on every machine.
 *
 * The generator is sfc32 of Chris Doty-Humphrey's PractRand, with its way of seeding.
 *
 * @param seed An integer from 0 to 2^32 - 1.
 */
export function createRandom(seed: number): () => number {
  let a = 0;
  let b = seed | 0;
  let c = 0;
  let counter = 1;
  const next = (): number => {
    const out = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + out) | 0;
    return (out >>> 0) / 2 ** 32;
  };
  // As many rounds as it takes until every bit of the seed has reached every bit of the state.
  for (let i = 0; i < 12; i += 1) next();
  return next;
}
