/** `holdfast license keygen`: a key pair to sign and check licences of one's own. Nothing is ever overwritten. */
import { generateKeyPairSync } from "node:crypto"
import { dirname } from "node:path"
import { Effect } from "effect"
import type { RunCommand } from "../Command.ts"
import { makeDirectory, refuseTaken, writeNew } from "../newFile.ts"

export interface KeyFiles {
  readonly privateKey: string
  readonly publicKey: string
}

export const writeKeyPair = Effect.fn("writeKeyPair")(function* (file: string) {
  const files: KeyFiles = { privateKey: file, publicKey: `${file}.pub` }
  yield* refuseTaken([files.privateKey, files.publicKey])
  const pair = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" }
  })
  yield* makeDirectory(dirname(file))
  yield* writeNew(files.privateKey, pair.privateKey, 0o600)
  yield* writeNew(files.publicKey, pair.publicKey, 0o644)
  return files
})

export const runKeygen: RunCommand = ({ flags }) =>
  Effect.gen(function* () {
    const files = yield* writeKeyPair(String(flags.out))
    process.stdout.write(`${files.privateKey}\n${files.publicKey}\n`)
    return 0
  })
