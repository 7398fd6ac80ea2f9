/** `holdfast certs`: the certificate and key that both planes share, as two files. Nothing is ever overwritten. */

import { constants, existsSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { DateTime, Effect } from "effect"
import { clusterCertificateDays, makeClusterCertificate } from "../layers/credentials/ClusterCertificate.ts"
import { integer } from "../model/SettingTypes.ts"
import { StartError } from "../services/StartError.ts"
import type { RunCommand } from "./Command.ts"

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** Until the end of the year 9999, where X.509 ends, is further than any cluster needs. */
const days = integer(1, 36_500)

const refuse = (exitCode: 1 | 2, message: string, value?: string) =>
  new StartError({ faults: [{ path: [], message, ...(value === undefined ? {} : { value }) }], exitCode })

const { O_CREAT, O_EXCL, O_WRONLY } = constants

const writeNew = (path: string, text: string, mode: number): Effect.Effect<void, StartError> =>
  Effect.tryPromise({
    try: () => writeFile(path, text, { mode, flag: O_CREAT | O_EXCL | O_WRONLY }),
    catch: (cause) => refuse(1, `${path} can't be written: ${cause instanceof Error ? cause.message : cause}`)
  })

export const writeClusterCertificate = Effect.fn("writeClusterCertificate")(function* (
  directory: string,
  validDays: number
) {
  const files: CertificateFiles = { cert: join(directory, "cluster.crt"), key: join(directory, "cluster.key") }
  // Both are looked at before either is written, so that a refusal leaves no half of a pair behind.
  const taken = [files.cert, files.key].filter((path) => existsSync(path))
  if (taken.length > 0) {
    return yield* new StartError({
      faults: taken.map((path) => ({ path: [], message: `${path} exists already and is not overwritten` })),
      exitCode: 1
    })
  }
  const pair = yield* makeClusterCertificate({ now: yield* DateTime.nowAsDate, days: validDays })
  yield* Effect.tryPromise({
    try: () => mkdir(directory, { recursive: true }),
    catch: (cause) => refuse(1, `${directory} can't be made: ${cause instanceof Error ? cause.message : cause}`)
  })
  yield* writeNew(files.key, pair.key, 0o600)
  yield* writeNew(files.cert, pair.cert, 0o644)
  return files
})

export const runCerts: RunCommand = ({ flags }) =>
  Effect.gen(function* () {
    const text = typeof flags.days === "string" ? flags.days : String(clusterCertificateDays)
    const validDays = days.parse(text)
    if (validDays === undefined) return yield* refuse(2, `--days: expected ${days.expected}`, text)
    const files = yield* writeClusterCertificate(String(flags.out), validDays)
    process.stdout.write(`${files.cert}\n${files.key}\n`)
    return 0
  })
