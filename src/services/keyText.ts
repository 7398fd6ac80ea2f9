/** The text of keys as settings name them. What a file can't be read for is left to the caller, who knows the setting. */
import { Effect } from "effect"
import { inlinePem } from "../model/Pem.ts"
import type { Disk, DiskError } from "./Disk.ts"

/** Larger than any file of keys. */
const fileMaxBytes = 1024 * 1024

export const readKeyFile = (disk: Disk["Service"], path: string): Effect.Effect<string, DiskError> =>
  Effect.map(disk.read(path, fileMaxBytes), ({ bytes }) => new TextDecoder().decode(bytes))

/** A path, PEM text or base64 of PEM (reference `hybrid-protocol-v1.md` §13); what a path leads to may be no PEM. */
export const readPem = (disk: Disk["Service"], setting: string): Effect.Effect<string, DiskError> => {
  const inline = inlinePem(setting)
  return inline === undefined ? readKeyFile(disk, setting) : Effect.succeed(inline)
}
