/**
 * EnvelopeProtection in the age format (https://age-encryption.org/v1): encrypted to the recipients of
 * `config_encryption_recipients`, read by the identities of `config_decryption_keys`. So whoever looks after the store can
 * open an object with `age -d` and a key, and nobody without one can.
 *
 * The format's pieces of 64 KiB are worked on one at a time, with a look at everything else that waits in between.
 */
import { Effect, Layer } from "effect"
import type { Fault } from "../model/Fault.ts"
import { messageOf } from "../model/thrown.ts"
import { inflatedMaxBytes } from "../services/Compression.ts"
import { Disk } from "../services/Disk.ts"
import { EnvelopeProtection, EnvelopeProtectionError, isEncrypted } from "../services/EnvelopeProtection.ts"
import { readKeyFile } from "../services/keyText.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"

const pieceBytes = 65_536
const identityLine = /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/

const load = () => import("age-encryption")

/** Between two pieces the thread is everybody's. */
const others = (): Promise<void> => new Promise((resume) => setImmediate(resume))

const inPieces = (bytes: Uint8Array): ReadableStream<Uint8Array> => {
  let at = 0
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      await others()
      if (at >= bytes.length) return controller.close()
      controller.enqueue(bytes.subarray(at, at + pieceBytes))
      at += pieceBytes
    }
  })
}

const gathered = async (pieces: ReadableStream<Uint8Array>): Promise<Uint8Array> => {
  const found: Array<Uint8Array> = []
  let length = 0
  for await (const piece of pieces) {
    length += piece.length
    if (length > inflatedMaxBytes) throw new Error(`expected at most ${inflatedMaxBytes} bytes`)
    found.push(piece)
  }
  return Buffer.concat(found)
}

const encrypt = async (bytes: Uint8Array, recipients: ReadonlyArray<string>): Promise<Uint8Array> => {
  const { Encrypter } = await load()
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  return gathered(await encrypter.encrypt(inPieces(bytes)))
}

const decrypt = async (bytes: Uint8Array, identities: ReadonlyArray<string>): Promise<Uint8Array> => {
  const { Decrypter } = await load()
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity)
  return gathered(await decrypter.decrypt(inPieces(bytes)))
}

const attempt = (run: () => Promise<Uint8Array>, what: string) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new EnvelopeProtectionError({ message: `${what} (${messageOf(cause)})` })
  })

const refuse = (why: string): Fault => ({
  path: ["config_decryption_keys"],
  message: `expected age identities, one a line: a path, or the text itself (${why})`
})

const identitiesIn = (text: string): ReadonlyArray<string> | undefined => {
  const lines = text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "")
  return lines.length > 0 && lines.every((line) => identityLine.test(line)) ? lines : undefined
}

/** The value is not shown: it may be a key. */
const loadIdentities = Effect.fnUntraced(function* (setting: string | undefined) {
  if (setting === undefined) return []
  const isInline = setting.includes("AGE-SECRET-KEY-")
  const text = isInline
    ? setting
    : yield* Effect.mapError(readKeyFile(yield* Disk, setting), ({ code }) => refuse(code))
  const found = identitiesIn(text)
  return found ?? (yield* Effect.fail(refuse("it holds something else, or nothing")))
})

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const recipients = settings.config_encryption_recipients ?? []
  const identities = yield* Effect.mapError(
    loadIdentities(settings.config_decryption_keys),
    (fault) => new StartError({ faults: [fault], exitCode: 2 })
  )

  const unprotect: EnvelopeProtection["unprotect"] = (bytes) => {
    if (!isEncrypted(bytes)) return Effect.succeed(bytes)
    if (identities.length === 0)
      return Effect.fail(
        new EnvelopeProtectionError({ message: "expected config_decryption_keys, for it is encrypted" })
      )
    return attempt(() => decrypt(bytes, identities), "expected what was encrypted to one of config_decryption_keys")
  }

  return {
    isEncrypting: recipients.length > 0,
    protect: (bytes) =>
      recipients.length === 0
        ? Effect.succeed(bytes)
        : attempt(() => encrypt(bytes, recipients), "can't be encrypted to config_encryption_recipients"),
    unprotect
  } satisfies EnvelopeProtection
})

export const layer: Layer.Layer<never, StartError, Settings | Disk> = Layer.effect(EnvelopeProtection, make)
