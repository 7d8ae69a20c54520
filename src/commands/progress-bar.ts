import { createRequire } from "node:module";
import type cliProgress from "cli-progress";
import type { Progress } from "../progress.js";
import { formatDuration, formatRate, printable } from "./text.js";

/** Loaded when it is needed: most commands start without it. */
const require = createRequire(import.meta.url);

/** What is needed of stderr: a test gives its own. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
}

export interface ProgressReporter {
  readonly onProgress: (progress: Progress) => void;
  /** Takes the bar away; safe at any time, also twice. */
  stop(): void;
}

/** Without a terminal: seconds between two lines, and how long a phase lasts before it gets any. */
const lineInterval = 5;
const minPhase = 1;
/** The rate is that of the last seconds. */
const rateWindow = 5;

/** The rate of a phase, in units per second, over its last seconds. */
class Rate {
  private readonly samples: { readonly at: number; readonly done: number }[] = [];

  add(at: number, done: number): void {
    this.samples.push({ at, done });
    while (this.samples.length > 2 && (this.samples[1]?.at ?? at) < at - rateWindow) {
      this.samples.shift();
    }
  }

  get(): number {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return (last.done - first.done) / (last.at - first.at);
  }
}

const rateText: Record<Progress["unit"], (rate: number) => string> = {
  bytes: formatRate,
  tokens: (rate) => `${rate.toFixed(rate < 100 ? 1 : 0)} tokens/s`,
  tests: () => "",
};

interface PhaseState {
  readonly phase: string;
  readonly startedAt: number;
  readonly rate: Rate;
  last: Progress;
  lineAt: number;
  finished: boolean;
}

function percent({ done, total }: Progress): number {
  return total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 100;
}

/** "42 %, 310.2 MB/s, 12.3 s left, blk.3.ffn_up.weight", as far as that is known. */
function details(state: PhaseState): string[] {
  const { last, rate } = state;
  const perSecond = rate.get();
  const parts: string[] = [];
  if (perSecond > 0) {
    parts.push(rateText[last.unit](perSecond));
    if (last.done < last.total) {
      parts.push(`${formatDuration((last.total - last.done) / perSecond)} left`);
    }
  }
  if (last.label !== undefined) parts.push(printable(last.label));
  return parts.filter((part) => part !== "");
}

/** Plain lines for logs: nothing for short phases, else one every few seconds and one at the end. */
function lineReporter(stream: ProgressStream, now: () => number): ProgressReporter {
  let state: PhaseState | undefined;
  const finish = (): void => {
    if (state === undefined || state.finished) return;
    state.finished = true;
    const seconds = now() - state.startedAt;
    if (seconds < minPhase || state.last.done < state.last.total) return;
    stream.write(`${state.phase}: 100 % in ${formatDuration(seconds)}\n`);
  };
  return {
    onProgress(progress) {
      const at = now();
      if (state?.phase !== progress.phase || (state.finished && progress.done < progress.total)) {
        finish();
        state = newPhase(progress, at);
      }
      state.last = progress;
      state.rate.add(at, progress.done);
      if (progress.done >= progress.total) {
        finish();
        return;
      }
      if (at - state.lineAt < lineInterval) return;
      state.lineAt = at;
      stream.write(`${[`${state.phase}: ${percent(progress)} %`, ...details(state)].join(", ")}\n`);
    },
    stop: finish,
  };
}

function newPhase(progress: Progress, at: number): PhaseState {
  const { phase } = progress;
  return { phase, startedAt: at, rate: new Rate(), last: progress, lineAt: at, finished: false };
}

/** One bar that is rewritten in place, and taken away at the end of its phase. */
function barReporter(stream: ProgressStream, now: () => number): ProgressReporter {
  let state: PhaseState | undefined;
  let bar: cliProgress.SingleBar | undefined;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const render = (): string => {
    if (state === undefined) return "";
    const width = stream.columns ?? 80;
    const size = Math.max(10, Math.min(30, width - 60));
    const filled = Math.round((size * percent(state.last)) / 100);
    const drawn = "█".repeat(filled) + "░".repeat(size - filled);
    const number = `${String(percent(state.last)).padStart(3)} %`;
    const line = `${state.phase} ${drawn} ${[number, ...details(state)].join(" | ")}`;
    return [...line].slice(0, width - 1).join("");
  };
  return {
    onProgress(progress) {
      const at = now();
      if (state?.phase !== progress.phase || bar === undefined) {
        stop();
        if (progress.done >= progress.total) return;
        state = newPhase(progress, at);
        const { SingleBar } = require("cli-progress") as typeof cliProgress;
        bar = new SingleBar({
          // cli-progress writes, moves the cursor and asks for the width: no more than this interface and readline need.
          stream: stream as NodeJS.WritableStream,
          format: render,
          clearOnComplete: true,
          hideCursor: true,
        });
        state.rate.add(at, progress.done);
        bar.start(progress.total, progress.done);
        return;
      }
      state.last = progress;
      state.rate.add(at, progress.done);
      bar.update(progress.done);
      if (progress.done >= progress.total) stop();
    },
    stop,
  };
}

/** Shows progress on `stream`: a bar where it is a terminal, plain lines elsewhere. `now` is in seconds. */
export function createProgress(
  stream: ProgressStream = process.stderr,
  now: () => number = () => performance.now() / 1000,
): ProgressReporter {
  const isTerminal = stream.isTTY === true && process.env["TERM"] !== "dumb";
  return isTerminal ? barReporter(stream, now) : lineReporter(stream, now);
}

/** The process has one terminal, so one reporter at most is at work; printing stops it first. */
let active: ProgressReporter | undefined;

export function startProgress(reporter: ProgressReporter): ProgressReporter {
  active = reporter;
  return reporter;
}

export function stopProgress(): void {
  active?.stop();
}
