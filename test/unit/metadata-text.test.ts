import { describe, expect, test } from "vitest";
import { isNibbleError } from "../../src/errors.js";
import { parseEntry } from "../../src/sources/metadata-text.js";

const good: readonly (readonly [string, string, string, unknown])[] = [
  ["k=u8:255", "k", "u8", 255],
  ["k=i8:-128", "k", "i8", -128],
  ["k=u16:65535", "k", "u16", 65535],
  ["k=i16:+7", "k", "i16", 7],
  ["k=u32:4294967295", "k", "u32", 4294967295],
  ["k=i32:-2147483648", "k", "i32", -2147483648],
  ["k=u64:18446744073709551615", "k", "u64", 18446744073709551615n],
  ["k=i64:-9223372036854775808", "k", "i64", -9223372036854775808n],
  ["k=f32:0.1", "k", "f32", Math.fround(0.1)],
  ["k=f32:1e6", "k", "f32", 1e6],
  ["k=f64:-.5", "k", "f64", -0.5],
  ["k=bool:true", "k", "bool", true],
  ["k=bool:false", "k", "bool", false],
  ["a.b=string:", "a.b", "string", ""],
  ["a.b=string:x=y:z\n\u00e4", "a.b", "string", "x=y:z\n\u00e4"],
];

const bad: readonly (readonly [string, RegExp])[] = [
  ["", /KEY=TYPE:VALUE/],
  ["k", /KEY=TYPE:VALUE/],
  ["k=5", /KEY=TYPE:VALUE/],
  ["=u8:5", /KEY=TYPE:VALUE/],
  ["k\0=u8:5", /KEY=TYPE:VALUE/],
  ["k=u7:5", /--set: expected a type of k that is one of u8, .*f64.*, got "u7"/],
  ["k=array:5", /one of u8/],
  ["k=:5", /one of u8/],
  ["k=constructor:5", /one of u8/],
  ["k=u8:256", /--set k: expected an integer from 0 to 255 \(u8\), got "256"/],
  ["k=u8:-1", /from 0 to 255/],
  ["k=u8:", /from 0 to 255/],
  ["k=u8:1.5", /from 0 to 255/],
  ["k=u8:0x10", /from 0 to 255/],
  ["k=i64:9223372036854775808", /integer/],
  ["k=u64:1e3", /integer/],
  ["k=f32:1e39", /a number/],
  ["k=f32:NaN", /a number/],
  ["k=f64:", /a number/],
  ["k=f64:1e999", /a number/],
  ["k=bool:1", /true or false/],
  ["k=bool:True", /true or false/],
];

describe("KEY=TYPE:VALUE", () => {
  test.each(good)("%s", (text, key, type, value) => {
    expect(parseEntry("--set", text)).toEqual({ key, type, value });
  });

  test.each(bad)("%j is refused", (text, message) => {
    let error: unknown;
    try {
      parseEntry("--set", text);
    } catch (caught) {
      error = caught;
    }
    expect(isNibbleError(error, "ERR_ARGUMENT")).toBe(true);
    expect((error as Error).message).toMatch(message);
  });
});
