/** The cluster's private key as settings name it, now and at the next start. No key is ever shown, not even a wrong one. */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { createSecureContext } from "node:tls"
import { Effect } from "effect"
import type { Fault } from "../model/Fault.ts"
import type { SettingName } from "../model/SettingTable.ts"
import type { Disk } from "./Disk.ts"
import { readPem } from "./keyText.ts"

/** The text of a setting that holds PEM: a path, PEM text or base64 of PEM (reference `hybrid-protocol-v1.md` §13). */
export const pemOf = (disk: Disk["Service"], name: SettingName, value: string): Effect.Effect<string, Fault> => {
  const expected = "expected an unencrypted private key: a path, PEM text or base64 of PEM"
  // What is mistyped in a key setting looks like a path: it is not told.
  return Effect.mapError(readPem(disk, value), ({ code }) => ({ path: [name], message: `${expected} (${code})` }))
}

/** Whether a start would take the two. Otherwise one of them is half of a pair that is being replaced. */
const arePair = (cert: string, key: string): boolean => {
  try {
    // A pair that belongs together may still be too weak for TLS; an empty certificate would be none to it.
    createSecureContext({ cert, key })
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

/**
 * The text of `cluster_cert_key` as the next start will find it; `undefined` while it would find none that counts. Only
 * a node on its own may have one without a certificate.
 */
export const keyOfNextStart = Effect.fnUntraced(
  function* (disk: Disk["Service"], { cert, key }: { readonly cert: string | undefined; readonly key: string }) {
    const keyPem = yield* pemOf(disk, "cluster_cert_key", key)
    if (cert === undefined) return keyPem
    return arePair(yield* pemOf(disk, "cluster_cert", cert), keyPem) ? keyPem : undefined
  },
  (self) => Effect.orElseSucceed(self, () => undefined)
)
