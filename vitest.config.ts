import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/helpers/seed.ts"],
    // Two worker processes at most: the machines that run this have two cores, and the addon starts threads of its own.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
  },
});
