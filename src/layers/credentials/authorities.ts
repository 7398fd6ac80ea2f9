/**
 * By whom a peer is known (reference `hybrid-protocol-v1.md` §1.2): in the shared mode by the certificate itself; in
 * the others a control plane trusts `cluster_ca_cert` alone, and a data plane `lua_ssl_trusted_certificate` as well.
 */
import { X509Certificate } from "node:crypto"
import { getCACertificates, rootCertificates } from "node:tls"
import { Effect, Option, Result } from "effect"
import type { Fault } from "../../model/Fault.ts"
import type { SettingName, SettingValues } from "../../model/SettingTable.ts"
import { readAs } from "./pemPair.ts"

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** A file may hold several. TLS would pass over what it can't read, and trust less than was asked for, silently. */
const splitBundle = (pem: string): ReadonlyArray<string> => {
  const blocks = pem.match(certificateBlock) ?? []
  if (blocks.length === 0) throw new Error("no certificate")
  for (const block of blocks) new X509Certificate(block)
  return blocks
}

/** The machine's own store; where it has none, as in a slim container, the roots that come with Node. */
export const systemAuthorities = (): ReadonlyArray<string> => {
  const installed = getCACertificates("system")
  return installed.length > 0 ? installed : rootCertificates
}

/** The authorities that one value of a setting names. */
export const readOne = (name: SettingName, value: string) =>
  value === "system"
    ? Effect.sync(() => Result.succeed(systemAuthorities()))
    : Effect.map(
        readAs({ name, value, what: "a certificate" }, splitBundle),
        Result.map(({ parsed }) => parsed)
      )

/** The certificates of one setting that lists them; fails with the faults of all of them. */
export const readAuthorities = Effect.fnUntraced(function* (name: SettingName, values: ReadonlyArray<string>) {
  const found = yield* Effect.forEach(values, (value) => readOne(name, value))
  const faults: ReadonlyArray<Fault> = found.flatMap((one) => Option.toArray(Result.getFailure(one)))
  if (faults.length > 0) return yield* Effect.fail(faults)
  return found.flatMap((one) => Option.toArray(Result.getSuccess(one))).flat()
})

/** Of the pki modes; in the shared one nothing is read. `members` are of `cluster_ca_cert` alone. */
export const loadAuthorities = Effect.fnUntraced(function* (role: SettingValues["role"], settings: SettingValues) {
  if (settings.cluster_mtls === "shared") return { members: [], all: [] }
  const { cluster_ca_cert, lua_ssl_trusted_certificate } = settings
  const own = yield* Effect.result(
    readAuthorities("cluster_ca_cert", cluster_ca_cert === undefined ? [] : [cluster_ca_cert])
  )
  const more = yield* Effect.result(
    readAuthorities("lua_ssl_trusted_certificate", role === "control_plane" ? [] : lua_ssl_trusted_certificate)
  )
  if (Result.isSuccess(own) && Result.isSuccess(more))
    return { members: own.success, all: [...own.success, ...more.success] }
  return yield* Effect.fail([own, more].flatMap((read) => Option.toArray(Result.getFailure(read))).flat())
})
