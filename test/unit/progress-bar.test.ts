import { beforeAll, describe, expect, test, vi } from "vitest";
import { createProgress } from "../../src/commands/progress-bar.js";
import type { Progress } from "../../src/progress.js";

/** A stream that keeps what is written, and a clock that is set by hand. */
function fake(isTTY: boolean, columns = 80) {
  const state = { text: "", seconds: 0 };
  const stream = {
    isTTY,
    columns,
    write(text: string): boolean {
      state.text += text;
      return true;
    },
    // What node:readline asks of a terminal.
    cursorTo: () => true,
    clearLine: () => true,
  };
  return { state, reporter: createProgress(stream, () => state.seconds) };
}

const bytes = (done: number, phase = "quantize"): Progress => ({
  phase,
  done,
  total: 1000e6,
  unit: "bytes",
});

describe("without a terminal", () => {
  test("a short phase leaves no line", () => {
    const { state, reporter } = fake(false);
    reporter.onProgress(bytes(0));
    state.seconds = 0.9;
    reporter.onProgress(bytes(1000e6));
    reporter.stop();
    expect(state.text).toBe("");
  });

  test("a long phase has a line every five seconds, and one at its end", () => {
    const { state, reporter } = fake(false);
    for (let tenth = 0; tenth <= 120; tenth++) {
      state.seconds = tenth / 10;
      reporter.onProgress({ ...bytes((1000e6 * tenth) / 120), label: "blk.0\u001b" });
    }
    expect(state.text.split("\n")).toEqual([
      "quantize: 41 %, 83.3 MB/s, 7.0 s left, blk.0\\u001b",
      "quantize: 83 %, 83.3 MB/s, 2.0 s left, blk.0\\u001b",
      "quantize: 100 % in 12.0 s",
      "",
    ]);
  });

  test("the rate of a resumed job does not count what was done before", () => {
    const { state, reporter } = fake(false);
    reporter.onProgress(bytes(900e6));
    state.seconds = 5;
    reporter.onProgress(bytes(950e6));
    expect(state.text).toBe("quantize: 95 %, 10.0 MB/s, 5.0 s left\n");
  });

  test("the end is told once, and each phase by itself", () => {
    const { state, reporter } = fake(false);
    reporter.onProgress(bytes(0));
    state.seconds = 2;
    reporter.onProgress(bytes(1000e6));
    reporter.onProgress(bytes(1000e6));
    reporter.onProgress(bytes(0, "verify"));
    state.seconds = 5;
    reporter.onProgress(bytes(1000e6, "verify"));
    reporter.stop();
    reporter.stop();
    expect(state.text).toBe("quantize: 100 % in 2.0 s\nverify: 100 % in 3.0 s\n");
  });

  test("what was stopped half way is not called finished", () => {
    const { state, reporter } = fake(false);
    reporter.onProgress(bytes(0));
    state.seconds = 4;
    reporter.onProgress(bytes(10));
    reporter.stop();
    expect(state.text).toBe("");
  });

  test("tokens and tests", () => {
    const { state, reporter } = fake(false);
    const tokens = (done: number): Progress => ({
      phase: "perplexity",
      done,
      total: 1000,
      unit: "tokens",
    });
    reporter.onProgress(tokens(0));
    state.seconds = 5;
    reporter.onProgress(tokens(250));
    const tests = (done: number): Progress => ({ phase: "bench", done, total: 4, unit: "tests" });
    reporter.onProgress(tests(0));
    state.seconds = 15;
    reporter.onProgress(tests(1));
    expect(state.text).toBe(
      "perplexity: 25 %, 50.0 tokens/s, 15.0 s left\nbench: 25 %, 30.0 s left\n",
    );
  });
});

describe("on a terminal", () => {
  beforeAll(() => {
    vi.stubEnv("TERM", "xterm");
    return () => vi.unstubAllEnvs();
  });

  test("draws a bar that fits the line, with percent, rate and time left", () => {
    const { state, reporter } = fake(true, 60);
    reporter.onProgress(bytes(0));
    state.seconds = 2;
    reporter.onProgress({ ...bytes(500e6), label: "x".repeat(100) });
    // The bar draws ten times a second; stopping draws it a last time.
    reporter.stop();
    const drawn = state.text.split("quantize ").at(-1) ?? "";
    expect(drawn).toMatch(/^█████░░░░░ {2}50 % \| 250\.0 MB\/s \| 2\.0 s left \| x+/);
    // eslint-disable-next-line no-control-regex
    const line = drawn.replace(/\u001b.*/s, "");
    expect("quantize ".length + [...line].length).toBeLessThanOrEqual(60);
  });

  test("gives the cursor and the wrapping of lines back, also when stopped twice", () => {
    const { state, reporter } = fake(true);
    reporter.onProgress(bytes(0));
    reporter.stop();
    reporter.stop();
    expect(state.text.split("\u001b[?25h")).toHaveLength(2);
    expect(state.text.lastIndexOf("\u001b[?7h")).toBeGreaterThan(
      state.text.lastIndexOf("\u001b[?7l"),
    );
  });

  test("starts no bar for a phase that is over at once", () => {
    const { state, reporter } = fake(true);
    reporter.onProgress(bytes(1000e6));
    reporter.stop();
    expect(state.text).toBe("");
  });
});
