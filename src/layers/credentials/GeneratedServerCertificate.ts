/**
 * The certificate of `ssl_cert` and `ssl_cert_key`; without them, one that is made on the spot, signed by itself, and
 * forgotten when the process ends.
 */
import { Clock, Effect, Layer } from "effect"
import { Disk } from "../../services/Disk.ts"
import { ServerCertificate } from "../../services/ServerCertificate.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { loadPair } from "./pemPair.ts"
import { makeSelfSigned } from "./selfSigned.ts"

const dayMs = 86_400_000
const validDays = 7300

const generate = Effect.gen(function* () {
  const nowMs = yield* Clock.currentTimeMillis
  return yield* Effect.promise(() =>
    makeSelfSigned({
      commonName: "localhost",
      curve: "P-256",
      hash: "SHA-256",
      notBefore: new Date(nowMs - dayMs),
      notAfter: new Date(nowMs + validDays * dayMs),
      dnsNames: ["localhost"]
    })
  )
})

const make = Effect.gen(function* () {
  const { ssl_cert: cert, ssl_cert_key: key } = yield* Settings
  const load = loadPair({ cert: ["ssl_cert", cert], key: ["ssl_cert_key", key] }).pipe(
    Effect.mapError((faults) => new StartError({ faults, exitCode: 2 })),
    Effect.provideService(Disk, yield* Disk)
  )
  return { fallback: yield* Effect.cached(cert === undefined && key === undefined ? generate : load) }
})

export const layer: Layer.Layer<ServerCertificate, never, Settings | Disk> = Layer.effect(ServerCertificate, make)
