/** `holdfast certs`: the certificate and key that both planes share, as two files. Nothing is ever overwritten. */

import { join } from "node:path"
import { DateTime, Effect } from "effect"
import { clusterCertificateDays, makeClusterCertificate } from "../layers/credentials/ClusterCertificate.ts"
import { integer } from "../model/SettingTypes.ts"
import type { RunCommand } from "./Command.ts"
import { makeDirectory, refuse, refuseTaken, writeNew } from "./newFile.ts"

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** Until the end of the year 9999, where X.509 ends, is further than any cluster needs. */
const days = integer(1, 36_500)

export const writeClusterCertificate = Effect.fn("writeClusterCertificate")(function* (
  directory: string,
  validDays: number
) {
  const files: CertificateFiles = { cert: join(directory, "cluster.crt"), key: join(directory, "cluster.key") }
  yield* refuseTaken([files.cert, files.key])
  const pair = yield* makeClusterCertificate({ now: yield* DateTime.nowAsDate, days: validDays })
  yield* makeDirectory(directory)
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
