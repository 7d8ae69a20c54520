import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

const root = new URL("../../../shared/data/", import.meta.url);
const present = existsSync(root);
if (!present) console.warn("../shared/data is absent: the tests that use it are skipped");

/** Path of a file in the shared test data. */
export function sharedData(path: string): string {
  return fileURLToPath(new URL(path, root));
}

/** A group of tests that needs the shared test data; it is skipped, and says so, where that is absent. */
export function describeShared(name: string, body: () => void): void {
  describe.skipIf(!present)(present ? name : `${name} (skipped: ../shared/data is absent)`, body);
}
