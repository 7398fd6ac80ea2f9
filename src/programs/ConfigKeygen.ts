/**
 * `holdfast config keygen`: a key pair by which configurations are signed and known, or with `--encryption` one to which they
 * are encrypted, in the age format. Nothing is ever overwritten.
 */
import { dirname } from "node:path"
import { generateX25519Identity, identityToRecipient } from "age-encryption"
import { Effect } from "effect"
import type { RunCommand } from "./Command.ts"
import { writeKeyPair } from "./license/Keygen.ts"
import { makeDirectory, refuseTaken, writeNew } from "./newFile.ts"

const writeAgePair = Effect.fn("writeAgePair")(function* (file: string) {
  const files = { privateKey: file, publicKey: `${file}.pub` }
  yield* refuseTaken([files.privateKey, files.publicKey])
  const identity = yield* Effect.promise(() => generateX25519Identity())
  const recipient = yield* Effect.promise(() => identityToRecipient(identity))
  yield* makeDirectory(dirname(file))
  yield* writeNew(files.privateKey, `${identity}\n`, 0o600)
  yield* writeNew(files.publicKey, `${recipient}\n`, 0o644)
  return files
})

export const runConfigKeygen: RunCommand = ({ flags }) =>
  Effect.gen(function* () {
    const out = String(flags.out)
    const files = yield* flags.encryption === true ? writeAgePair(out) : writeKeyPair(out)
    process.stdout.write(`${files.privateKey}\n${files.publicKey}\n`)
    return 0
  })
