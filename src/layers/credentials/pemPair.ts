/**
 * A certificate and its key out of two settings, each a path, PEM text or base64 of PEM (reference
 * `hybrid-protocol-v1.md` §13). Everything that is wrong with the pair is told at once, and no key is ever shown.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { Effect, Option, Result } from "effect"
import type { Fault } from "../../model/Fault.ts"
import { inlinePem, isPem } from "../../model/Pem.ts"
import type { SettingName } from "../../model/SettingTable.ts"
import { Disk } from "../../services/Disk.ts"

export interface PemPair {
  readonly cert: string
  readonly key: string
  readonly certificate: X509Certificate
}

export interface PemSetting {
  readonly name: SettingName
  readonly value: string | undefined
  /** What belongs there. */
  readonly what: "a certificate" | "an unencrypted private key"
}

/** Larger than any store of authorities: what is longer is another file. */
const fileMaxBytes = 16 * 1024 * 1024

/** The value of a key setting is never shown: a mistyped key looks like a path. */
const refuse = ({ name, what }: PemSetting, why: string, path?: string): Fault => {
  const message = `expected ${what}: a path, PEM text or base64 of PEM (${why})`
  return path === undefined || what !== "a certificate"
    ? { path: [name], message }
    : { path: [name], message, value: path }
}

const readPem = Effect.fnUntraced(function* (setting: PemSetting) {
  const { value } = setting
  if (value === undefined) return yield* Effect.fail(refuse(setting, "the setting is missing"))
  const inline = inlinePem(value)
  if (inline !== undefined) return inline
  const disk = yield* Disk
  const { bytes } = yield* Effect.mapError(disk.read(value, fileMaxBytes), ({ code }) => refuse(setting, code, value))
  const text = new TextDecoder().decode(bytes)
  return isPem(text) ? text : yield* Effect.fail(refuse(setting, "the file holds no PEM", value))
})

/** The text of one setting and what it says; a parser that throws has refused it. */
export const readAs = <A>(setting: PemSetting, parse: (pem: string) => A) =>
  Effect.result(
    Effect.gen(function* () {
      const pem = yield* readPem(setting)
      const parsed = yield* Effect.try({ try: () => parse(pem), catch: () => refuse(setting, "its PEM can't be read") })
      return { pem, parsed }
    })
  )

export interface PairSettings {
  readonly cert: readonly [name: SettingName, value: string | undefined]
  readonly key: readonly [name: SettingName, value: string | undefined]
}

const pairFaults = (
  certificate: X509Certificate,
  key: KeyObject,
  { cert, key: [name] }: PairSettings
): ReadonlyArray<Fault> =>
  certificate.checkPrivateKey(key) ? [] : [{ path: [name], message: `expected the key that belongs to ${cert[0]}` }]

/** Fails with all faults of both settings. */
export const loadPair = Effect.fnUntraced(function* (settings: PairSettings) {
  const [certName, certValue] = settings.cert
  const [keyName, keyValue] = settings.key
  const cert = yield* readAs(
    { name: certName, value: certValue, what: "a certificate" },
    (pem) => new X509Certificate(pem)
  )
  const key = yield* readAs({ name: keyName, value: keyValue, what: "an unencrypted private key" }, createPrivateKey)
  if (Result.isFailure(cert) || Result.isFailure(key)) {
    const wrong = [Result.getFailure(cert), Result.getFailure(key)].flatMap(Option.toArray)
    return yield* Effect.fail(wrong)
  }
  const faults = pairFaults(cert.success.parsed, key.success.parsed, settings)
  if (faults.length > 0) return yield* Effect.fail(faults)
  const pair: PemPair = { cert: cert.success.pem, key: key.success.pem, certificate: cert.success.parsed }
  return pair
})
