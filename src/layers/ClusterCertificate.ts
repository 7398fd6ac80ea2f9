/**
 * Makes the certificate that both planes of a cluster share: reference `hybrid-protocol-v1.md` §1.2. Self-signed on
 * secp384r1, CN=kong_clustering, X.509 version 1 without SAN and CA constraints, as `kong hybrid gen_cert` makes it.
 *
 * Written out in DER: Node signs but makes no certificates, and the libraries that do would cost a dependency on
 * global reflection metadata for what is a dozen nested values here.
 */

import { generateKeyPair, randomBytes, sign } from "node:crypto"
import { promisify } from "node:util"
import { Effect } from "effect"
import * as Der from "../model/Der.ts"
import { sharedServerName } from "../model/Wire.ts"

export const clusterCertificateDays = 1095

export interface CertificatePair {
  readonly cert: string
  /** PKCS#8. */
  readonly key: string
}

const dayMs = 86_400_000
/** Clocks of a fleet differ; a certificate made a moment ago must hold on a node whose clock is behind. */
const backdateMs = 60_000
const serialBytes = 16

const ecdsaWithSha384 = Der.sequence(Der.oid("1.2.840.10045.4.3.3"))

const commonName = (name: string): Uint8Array => Der.sequence(Der.set(Der.sequence(Der.oid("2.5.4.3"), Der.utf8(name))))

const pem = (label: string, der: Uint8Array): string => {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n")
}

const make = async (now: Date, days: number): Promise<CertificatePair> => {
  const keys = await promisify(generateKeyPair)("ec", { namedCurve: "P-384" })
  const name = commonName(sharedServerName)
  const unsigned = Der.sequence(
    Der.unsigned(randomBytes(serialBytes)),
    ecdsaWithSha384,
    name,
    Der.sequence(Der.time(new Date(now.getTime() - backdateMs)), Der.time(new Date(now.getTime() + days * dayMs))),
    name,
    keys.publicKey.export({ type: "spki", format: "der" })
  )
  const signature = sign("sha384", unsigned, keys.privateKey)
  return {
    cert: pem("CERTIFICATE", Der.sequence(unsigned, ecdsaWithSha384, Der.bitString(signature))),
    key: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  }
}

/** A fresh pair, valid for `days` from `now`. */
export const makeClusterCertificate = (options: {
  readonly now: Date
  readonly days?: number
}): Effect.Effect<CertificatePair> => Effect.promise(() => make(options.now, options.days ?? clusterCertificateDays))
