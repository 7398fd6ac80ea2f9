/** How far a simulation has come, in one line that overwrites itself: on a terminal, and nowhere else. */
import type { SimulationOptions } from "./options.ts"

export interface ProgressBar {
  readonly show: (minute: number, phase: string, dials: number) => void
  readonly clear: () => void
}

const width = 30
const silent: ProgressBar = { show: () => {}, clear: () => {} }
const eraseLine = "\r\x1b[K"

export const makeProgressBar = (
  { minutes, seed }: SimulationOptions,
  stream: NodeJS.WriteStream,
  isQuiet: boolean
): ProgressBar => {
  if (isQuiet || !stream.isTTY) return silent
  return {
    show: (minute, phase, dials) => {
      const done = Math.round((Math.min(minute, minutes) / minutes) * width)
      const bar = `${"#".repeat(done)}${"-".repeat(width - done)}`
      stream.write(`${eraseLine}seed ${seed} [${bar}] ${minute}/${minutes} min, ${phase}, ${dials} dials`)
    },
    clear: () => void stream.write(eraseLine)
  }
}
