/** Ed25519 keys as settings name them, read once: a path, PEM text or base64 of PEM (`hybrid-protocol-v1.md` §13). */
import type { KeyObject } from "node:crypto"
import { Effect } from "effect"
import type { SettingName } from "../model/SettingTable.ts"
import { readPrivateKey, readPublicKeys } from "../model/SigningKey.ts"
import { Disk } from "./Disk.ts"
import { readPem } from "./keyText.ts"
import { StartError } from "./StartError.ts"

/** The value is never shown: it may be a private key, put there by mistake. */
const refusalOf = (name: SettingName, expected: string) => (why: string) =>
  new StartError({
    faults: [{ path: [name], message: `expected ${expected}: a path, PEM text or base64 of PEM (${why})` }],
    exitCode: 2
  })

const pemOf = Effect.fnUntraced(function* (setting: string, refuse: (why: string) => StartError) {
  return yield* Effect.mapError(readPem(yield* Disk, setting), ({ code }) => refuse(code))
})

const otherContent = "its PEM holds something else, or nothing"

/** None where the setting is not set. */
export const loadPublicKeys = Effect.fnUntraced(function* (name: SettingName, setting: string | undefined) {
  if (setting === undefined) return [] as ReadonlyArray<KeyObject>
  const refuse = refusalOf(name, "Ed25519 public keys")
  const keys = readPublicKeys(yield* pemOf(setting, refuse))
  return keys ?? (yield* refuse(otherContent))
})

export const loadPrivateKey = Effect.fnUntraced(function* (name: SettingName, setting: string | undefined) {
  if (setting === undefined) return undefined
  const refuse = refusalOf(name, "an Ed25519 private key")
  const key = readPrivateKey(yield* pemOf(setting, refuse))
  return key ?? (yield* refuse(otherContent))
})
