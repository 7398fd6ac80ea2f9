import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

/**
 * Much of what they do is waiting: one worker more than there are cores, where vitest would keep one core for itself. The
 * files of a worker share its modules, which are loaded once: no module holds a state that one of them could leave behind.
 */
const unitWorkers = { maxWorkers: availableParallelism() + 1, isolate: false }

/**
 * Processes, ports and waiting: one file after the other, and none beside the units, so that no story slows another one
 * down.
 */
const realProcesses = { fileParallelism: false, testTimeout: 90_000, hookTimeout: 60_000, sequence: { groupOrder: 1 } }

/** Far beyond what any of them needs: a busy machine must not turn a right answer into a wrong one. */
const unitTimeouts = { testTimeout: 30_000, hookTimeout: 30_000 }

export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/story/**", "test/crash/{kill,sample}.test.ts"],
          ...unitWorkers,
          ...unitTimeouts
        }
      },
      { test: { name: "story", include: ["test/story/**/*.test.ts", "test/crash/sample.test.ts"], ...realProcesses } },
      {
        test: {
          name: "crash",
          include: ["test/crash/{kill,powercut}.test.ts"],
          env: { HOLDFAST_POWER_CUTS: "50" },
          ...realProcesses
        }
      },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], ...realProcesses } }
    ]
  }
})
