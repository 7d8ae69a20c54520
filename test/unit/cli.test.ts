import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { describeError, runCommand, type CommandContext } from "../../src/commands/shared.js";
import { exitStatus, NibbleError, type NibbleErrorCode } from "../../src/errors.js";
import { runCli } from "../helpers/run-cli.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nibble-cli-"));
  writeFileSync(join(folder, "text.gguf"), "this is no GGUF at all, but some text");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Wrong arguments: what is typed, and what the one line on stderr says. */
const wrong: readonly (readonly [string, RegExp])[] = [
  ["quantise m", /there is no command "quantise"; did you mean quantize\? .*nibble --help/],
  ["--bogus", /a command is missing .*nibble --help/],
  ["inspect", /not enough non-option arguments: got 0, need at least 1 .*nibble inspect --help/],
  ["inspect m --bogus", /unknown argument: bogus .*nibble inspect --help/],
  ["inspect m extra", /unknown argument: extra/],
  ["quantize m --type", /not enough arguments following: type/],
  ["quantize m", /--type is missing: give one of .*Q4_0/],
  ["quantize m --type Q4", /--type: expected one of .* \(did you mean Q4_.\?\), got "Q4"/],
  ["quantize m --type Q9_0", /did you mean Q\d_0\?/],
  ["quantize m --type Q4_0 --type Q8_0", /--type: it is given 2 times/],
  ["quantize m --type Q4_0 --method best", /--method: expected one of reference/],
  ["quantize m --type Q4_0 --tensor-type ffn_down", /--tensor-type: expected REGEX=TYPE/],
  ["quantize m --type Q4_0 --tensor-type =Q6_K", /--tensor-type: expected REGEX=TYPE/],
  ["quantize m --type Q4_0 --threads 0", /--threads: expected a positive integer, got 0/],
  ["quantize m --type Q4_0 --threads many", /--threads: expected a positive integer, got NaN/],
  ["quantize m --type Q4_0 -t 1.5", /--threads: expected a positive integer, got 1.5/],
  ["convert m --type Q4_0", /--type: expected one of F32, F16, BF16, Q8_0.*nibble quantize/],
  ["perplexity m", /missing required argument: text .*nibble perplexity --help/],
  ["perplexity m --text", /not enough arguments following: text/],
  ["imatrix", /MODEL is missing: give a model to run, or --in-file .*nibble imatrix --help/],
  ["imatrix m -o no/such/o.gguf", /--text is missing/],
  ["generate m", /missing required argument: prompt/],
  ["generate m -p x --engine cuda", /--engine: expected native or llama\.cpp, got "cuda"/],
  ["generate m -p x --cache-type Q4_0", /--cache-type: expected F16 or Q8_0, got "Q4_0"/],
  ["generate m -p x -n 0", /--n-predict: expected a positive integer, got 0/],
  ["generate m -p x --temp 1 --temp 2", /--temp: it is given 2 times/],
  ["bench", /models: expected a GGUF file, or --machine, got "?none/],
  ["bench m --engine native,cuda", /--engine: expected native or llama\.cpp, got "cuda"/],
  ["bench m -d half", /--n-depth: expected an integer from 0, got NaN/],
  ["chat", /not enough non-option arguments: got 0, need at least 1 .*nibble chat --help/],
  ["chat m --ctx-size 0", /--ctx-size: expected a positive integer, got 0/],
  ["tokenize m", /either --prompt TEXT or --text FILE/],
  ["tokenise m", /did you mean tokenize\?/],
];

describe("wrong arguments", () => {
  test.each(wrong)("nibble %s", async (line, message) => {
    const { stdout, stderr, status } = await runCli(...line.split(" "));
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^nibble: [^\n]*\n$/);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });

  test("nothing at all prints the help", async () => {
    const { stdout, status } = await runCli();
    expect(stdout).toContain("nibble quantize <model> [output]");
    expect(status).toBe(2);
  });
});

describe("files that cannot be used", () => {
  test("a file that is not there is status 4", async () => {
    const { stderr, status } = await runCli("inspect", join(folder, "missing.gguf"));
    expect(stderr).toMatch(/^nibble: .*missing\.gguf.*\n$/);
    expect(status).toBe(4);
  });

  test("a file that is no model is status 3", async () => {
    const { stderr, status } = await runCli("inspect", join(folder, "text.gguf"));
    expect(stderr).toMatch(/^nibble: .*text\.gguf.*\n$/);
    expect(status).toBe(3);
  });

  test("with --json the error is an object on stderr, and stdout is empty", async () => {
    const { stdout, stderr, status } = await runCli("inspect", join(folder, "text.gguf"), "--json");
    expect(stdout).toBe("");
    const { error } = JSON.parse(stderr) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code: "ERR_FORMAT", details: { path: expect.any(String) } });
    expect(status).toBe(3);
  });

  test("with --json wrong arguments are an object, too", async () => {
    const { stderr } = await runCli("inspect", "--json");
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "ERR_ARGUMENT" } });
  });
});

test("--version is that of package.json", async () => {
  const file = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { stdout, status } = await runCli("--version");
  expect(stdout.trim()).toBe((JSON.parse(file) as { version: string }).version);
  expect(status).toBe(0);
});

test("every command has a help with the common options", async () => {
  const { stdout } = await runCli("--help");
  const commands = [...stdout.matchAll(/^ {2}nibble (\w+)/gm)].map(([, name]) => name as string);
  expect(commands).toEqual([
    ...["inspect", "quantize", "convert", "verify", "diff", "hash", "metadata", "split", "merge"],
    ...["perplexity", "imatrix", "bench"],
    ...["generate", "chat", "tokenize", "devices", "demo"],
  ]);
  for (const command of commands) {
    const help = await runCli(command, "--help");
    expect(help.status).toBe(0);
    for (const option of ["--json", "--threads", "--quiet"]) expect(help.stdout).toContain(option);
  }
});

describe("runCommand", () => {
  const run = async (argv: object, body: (context: CommandContext) => Promise<void>) => {
    let stderr = "";
    const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      stderr += String(text);
      return true;
    });
    const before = process.exitCode;
    process.exitCode = 0;
    try {
      await runCommand(argv, body);
      return { stderr, status: process.exitCode };
    } finally {
      process.exitCode = before;
      spy.mockRestore();
    }
  };

  test.each(Object.keys(exitStatus) as NibbleErrorCode[])("%s has its status", async (code) => {
    const { stderr, status } = await run({}, async () => {
      throw new NibbleError(code, "what, where and what to do", {});
    });
    expect(stderr).toBe("nibble: what, where and what to do\n");
    expect(status).toBe(exitStatus[code]);
  });

  test("an error of another kind is status 70, without a stack unless it is asked for", async () => {
    const fail = async (): Promise<void> => {
      throw new TypeError("x is not a function");
    };
    const { stderr, status } = await run({}, fail);
    expect(stderr).toMatch(/^nibble: x is not a function \(.*NIBBLE_DEBUG=1.*\)\n$/);
    expect(status).toBe(70);
    vi.stubEnv("NIBBLE_DEBUG", "1");
    expect((await run({}, fail)).stderr).toContain("at fail");
    vi.unstubAllEnvs();
  });

  test("Ctrl-C aborts the signal; the status is 130, and no handler stays", async () => {
    const before = process.listeners("SIGINT");
    const { stderr, status } = await run({}, async ({ signal }) => {
      const ours = process.listeners("SIGINT").filter((listener) => !before.includes(listener));
      expect(ours).toHaveLength(1);
      ours[0]?.("SIGINT");
      signal.throwIfAborted();
    });
    expect(stderr).toBe("nibble: stopped\n");
    expect(status).toBe(130);
    expect(process.listeners("SIGINT")).toEqual(before);
  });

  test("a message keeps its lines but none of its escape sequences", async () => {
    const { stderr } = await run({}, async () => {
      throw new NibbleError("ERR_INTERNAL", "bad name \u001b[2J\nsecond line", {});
    });
    expect(stderr).toBe("nibble: bad name \\u001b[2J\nsecond line\n");
  });

  test("--threads gets through as a number, and is left out where it is not given", async () => {
    const seen: (number | undefined)[] = [];
    await run({ threads: 3 }, async (context) => void seen.push(context.threads));
    await run({}, async (context) => {
      expect("threads" in context).toBe(false);
    });
    expect(seen).toEqual([3]);
  });
});

test("describeError gives the details of our errors", () => {
  const error = new NibbleError("ERR_IO", "disk", { path: "a", errno: "ENOSPC" });
  expect(describeError(error)).toEqual({
    status: 4,
    code: "ERR_IO",
    message: "disk",
    details: { path: "a", errno: "ENOSPC" },
  });
});
