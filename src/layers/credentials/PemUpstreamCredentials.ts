/** `client_ssl_*` and `lua_ssl_trusted_certificate`, for upstreams over TLS (`proxy-behaviour.md` §5). */
import { Effect, Layer, Option, Result } from "effect"
import type { Fault } from "../../model/Fault.ts"
import { Disk } from "../../services/Disk.ts"
import type { CertificatePair } from "../../services/ServerCertificate.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { UpstreamCredentials } from "../../services/UpstreamCredentials.ts"
import { readOne, systemAuthorities } from "./authorities.ts"
import { loadPair } from "./pemPair.ts"

type Loaded<A> = Effect.Effect<Result.Result<A, ReadonlyArray<Fault>>, never, Settings | Disk>

const loadClientCertificate: Loaded<CertificatePair | undefined> = Effect.gen(function* () {
  const { client_ssl: isShown, client_ssl_cert: cert, client_ssl_cert_key: key } = yield* Settings
  if (!isShown) return Result.succeed(undefined)
  return yield* Effect.result(loadPair({ cert: ["client_ssl_cert", cert], key: ["client_ssl_cert_key", key] }))
})

/** The machine's store takes a tenth of a second to read: few nodes ever need it, and those once. */
const loadAuthorities: Loaded<() => ReadonlyArray<string>> = Effect.gen(function* () {
  const { lua_ssl_trusted_certificate: values } = yield* Settings
  if (values.every((value) => value === "system")) {
    let known: ReadonlyArray<string> | undefined
    return Result.succeed(() => {
      known ??= values.length === 0 ? [] : systemAuthorities()
      return known
    })
  }
  const read = yield* Effect.forEach(values, (value) => readOne("lua_ssl_trusted_certificate", value))
  const faults = read.flatMap((one) => Option.toArray(Result.getFailure(one)))
  const authorities = read.flatMap((one) => Option.toArray(Result.getSuccess(one))).flat()
  return faults.length > 0 ? Result.fail(faults) : Result.succeed(() => authorities)
})

const load = Effect.gen(function* () {
  const certificate = yield* loadClientCertificate
  const authorities = yield* loadAuthorities
  if (Result.isSuccess(certificate) && Result.isSuccess(authorities)) {
    return { clientCertificate: certificate.success, authorities: authorities.success }
  }
  const faults = [Result.getFailure(certificate), Result.getFailure(authorities)].flatMap(Option.toArray).flat()
  return yield* new StartError({ faults, exitCode: 2 })
})

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const disk = yield* Disk
  return { load: load.pipe(Effect.provideService(Settings, settings), Effect.provideService(Disk, disk)) }
})

export const layer: Layer.Layer<UpstreamCredentials, never, Settings | Disk> = Layer.effect(UpstreamCredentials, make)
