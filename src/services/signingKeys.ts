/** Ed25519 keys as settings name them, read once: a path, PEM text or base64 of PEM (`hybrid-protocol-v1.md` §13). */
import type { KeyObject } from "node:crypto"
import { Effect } from "effect"
import { inlinePem } from "../model/Pem.ts"
import type { SettingName } from "../model/SettingTable.ts"
import { readPrivateKey, readPublicKeys } from "../model/SigningKey.ts"
import { Disk } from "./Disk.ts"
import { StartError } from "./StartError.ts"

const keyFileMaxBytes = 1024 * 1024

/** The value is never shown: it may be a private key, put there by mistake. */
const refusalOf = (name: SettingName, expected: string) => (why: string) =>
  new StartError({
    faults: [{ path: [name], message: `expected ${expected}: a path, PEM text or base64 of PEM (${why})` }],
    exitCode: 2
  })

const readPem = Effect.fnUntraced(function* (setting: string, refuse: (why: string) => StartError) {
  const inline = inlinePem(setting)
  if (inline !== undefined) return inline
  const disk = yield* Disk
  const { bytes } = yield* Effect.mapError(disk.read(setting, keyFileMaxBytes), ({ code }) => refuse(code))
  return Buffer.from(bytes).toString("utf8")
})

const otherContent = "its PEM holds something else, or nothing"

/** None where the setting is not set. */
export const loadPublicKeys = Effect.fnUntraced(function* (name: SettingName, setting: string | undefined) {
  if (setting === undefined) return [] as ReadonlyArray<KeyObject>
  const refuse = refusalOf(name, "Ed25519 public keys")
  const keys = readPublicKeys(yield* readPem(setting, refuse))
  return keys ?? (yield* refuse(otherContent))
})

export const loadPrivateKey = Effect.fnUntraced(function* (name: SettingName, setting: string | undefined) {
  if (setting === undefined) return undefined
  const refuse = refusalOf(name, "an Ed25519 private key")
  const key = readPrivateKey(yield* readPem(setting, refuse))
  return key ?? (yield* refuse(otherContent))
})
