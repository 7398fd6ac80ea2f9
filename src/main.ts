/** The daemon and its commands: `holdfast --help`. */
import { Effect } from "effect"
import { version } from "./model/version.ts"
import { helpFor, parseCommandLine } from "./programs/CommandLine.ts"
import { commands } from "./programs/commands.ts"
import { runMain } from "./programs/RunMain.ts"

const { env } = process
const isDebug =
  [env.HOLDFAST_LOG_LEVEL, env.KONG_LOG_LEVEL].find((level) => level !== undefined && level !== "") === "debug"
const request = parseCommandLine(commands, process.argv.slice(2))

switch (request.kind) {
  case "help":
    process.stdout.write(`${helpFor(commands, request.command)}\n`)
    break
  case "version":
    process.stdout.write(`${version}\n`)
    break
  case "refused":
    runMain({ program: Effect.fail(request.error), endsBySignal: false, isDebug })
    break
  case "run": {
    const { command, input } = request
    const program = Effect.flatMap(Effect.promise(command.load), (run) => run({ ...input, env }))
    runMain({ program, endsBySignal: command.endsBySignal(input.flags), isDebug })
    break
  }
}
