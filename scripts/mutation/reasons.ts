/**
 * The survivors that stay, each with its reason. An entry is found by file, source line and mutation, exactly as the report
 * prints them; one that fits nothing, or that a test kills by now, fails the run.
 */
import type { Reasoned } from "./judge.ts"

export const reasons: ReadonlyArray<Reasoned> = []
