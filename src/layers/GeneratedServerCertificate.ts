/**
 * The certificate of `ssl_cert` and `ssl_cert_key`, each a path, PEM text or base64 of PEM; without them, one that is
 * made on the spot, signed by itself, and forgotten when the process ends.
 */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { Clock, Effect, Layer, Result } from "effect"
import type { Fault } from "../model/Fault.ts"
import { inlinePem, isPem } from "../model/Pem.ts"
import { type CertificatePair, ServerCertificate } from "../services/ServerCertificate.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"

type PemSetting = "ssl_cert" | "ssl_cert_key"

const dayMs = 86_400_000
const validDays = 7300

/** The value of a key setting is never shown: a mistyped key looks like a path. */
const unreadable = (setting: PemSetting, value: string, why: string): Fault => {
  const message = `expected a path, PEM text or base64 of PEM (${why})`
  return setting === "ssl_cert" && !isPem(value) ? { path: [setting], message, value } : { path: [setting], message }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unreadable"

const readPem = Effect.fnUntraced(function* (setting: PemSetting, value: string) {
  const inline = inlinePem(value)
  if (inline !== undefined) return inline
  const text = yield* Effect.tryPromise({
    try: () => readFile(value, "utf8"),
    catch: (error) => unreadable(setting, value, codeOf(error))
  })
  return isPem(text) ? text : yield* Effect.fail(unreadable(setting, value, "the file holds no PEM"))
})

const checkPair = (pair: CertificatePair): Effect.Effect<CertificatePair, Fault> =>
  Effect.try({
    try: () => new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key)),
    catch: (): Fault => ({ path: ["ssl_cert"], message: "expected a certificate and its unencrypted key in PEM" })
  }).pipe(
    Effect.flatMap((isPair) =>
      isPair
        ? Effect.succeed(pair)
        : Effect.fail<Fault>({ path: ["ssl_cert_key"], message: "expected the key that belongs to ssl_cert" })
    )
  )

const stop = (faults: ReadonlyArray<Fault>) => new StartError({ faults, exitCode: 2 })

const load = Effect.fnUntraced(function* (certSetting: string, keySetting: string) {
  const cert = yield* Effect.result(readPem("ssl_cert", certSetting))
  const key = yield* Effect.result(readPem("ssl_cert_key", keySetting))
  if (Result.isFailure(cert) || Result.isFailure(key)) {
    return yield* stop([cert, key].flatMap((read) => (Result.isFailure(read) ? [read.failure] : [])))
  }
  return yield* checkPair({ cert: cert.success, key: key.success }).pipe(Effect.mapError((fault) => stop([fault])))
})

const toPem = (der: ArrayBuffer): string =>
  `-----BEGIN PRIVATE KEY-----\n${Buffer.from(der)
    .toString("base64")
    .replace(/(.{64})/g, "$1\n")
    .trimEnd()}\n-----END PRIVATE KEY-----\n`

const generate = async (nowMs: number): Promise<CertificatePair> => {
  // Only nodes with a TLS listener and no certificate of their own pay for loading it.
  await import("reflect-metadata")
  const x509 = await import("@peculiar/x509")
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex"),
    name: "CN=localhost",
    notBefore: new Date(nowMs - dayMs),
    notAfter: new Date(nowMs + validDays * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])
    ]
  })
  return { cert: certificate.toString("pem"), key: toPem(await crypto.subtle.exportKey("pkcs8", keys.privateKey)) }
}

const generateNow = Clock.currentTimeMillis.pipe(Effect.flatMap((nowMs) => Effect.promise(() => generate(nowMs))))

const make = Effect.gen(function* () {
  const { ssl_cert: cert, ssl_cert_key: key } = yield* Settings
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? "ssl_cert" : "ssl_cert_key"
    const fault = { path: [missing], message: "expected ssl_cert and ssl_cert_key both or neither" }
    return { fallback: Effect.fail(stop([fault])) }
  }
  return { fallback: yield* Effect.cached(cert !== undefined && key !== undefined ? load(cert, key) : generateNow) }
})

export const layer: Layer.Layer<ServerCertificate, never, Settings> = Layer.effect(ServerCertificate, make)
