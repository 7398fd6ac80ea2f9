/**
 * Asks, before a data plane is let in, whether its certificate was revoked: `cluster_ocsp`, reference
 * `hybrid-protocol-v1.md` §1.2. The answer is asked for anew each time: a node connects rarely.
 */
import { X509Certificate } from "node:crypto"
import type { DetailedPeerCertificate, TLSSocket } from "node:tls"
import { Clock, Effect } from "effect"
import type { SettingValues } from "../../../model/SettingTable.ts"
import type { ClusterCredentials } from "../../../services/ClusterIdentity.ts"
import type { Verdict } from "./judge.ts"

/** Ends with the reason for which the peer of this socket is refused; `undefined` lets it in. */
export type RevocationCheck = (socket: TLSSocket) => Effect.Effect<string | undefined>

const askLimitMs = 5_000
const answerMaxBytes = 65_536

const unclear = (why: string): Verdict => ({ _tag: "Unclear", why })

/** Node quotes what could be mistaken for more than one entry. */
const responderUrl = ({ infoAccess }: X509Certificate): string | undefined => {
  const written = /^OCSP - URI:(.+)$/m.exec(infoAccess ?? "")?.[1]
  const url = written?.startsWith('"') ? String(JSON.parse(written)) : written
  return url !== undefined && URL.canParse(url) && /^https?:/i.test(url) ? url : undefined
}

const readBounded = async (response: Response): Promise<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > answerMaxBytes) throw new Error("the answer is too long")
    chunks.push(chunk)
  }
  if (size === 0) throw new Error("the answer is empty")
  return Buffer.concat(chunks)
}

const post = async (url: string, question: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Uint8Array> => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/ocsp-request" },
    body: question,
    redirect: "error",
    signal
  })
  if (response.status === 200) return readBounded(response)
  await response.body?.cancel()
  throw new Error(`the responder answers HTTP ${response.status}`)
}

/** `fetch` hides why it failed one level down. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

const ask = (leaf: X509Certificate, issuer: X509Certificate, url: string): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    // Loaded when there is somebody to ask: most control planes never do.
    const [{ encodeQuestion }, { judge }] = yield* Effect.promise(() =>
      Promise.all([import("./messages.ts"), import("./judge.ts")])
    )
    const subject = { leaf, issuer }
    return yield* Effect.tryPromise({
      try: (signal) => post(url, new Uint8Array(encodeQuestion(subject)), signal),
      catch: (error) => `the responder ${url} can't be asked: ${reasonOf(error)}`
    }).pipe(
      Effect.map((answer) => judge(answer, subject, nowMs)),
      Effect.catch((why) => Effect.succeed(unclear(why))),
      Effect.timeoutOrElse({
        duration: askLimitMs,
        orElse: () => Effect.succeed(unclear(`the responder ${url} did not answer within ${askLimitMs / 1000} s`))
      })
    )
  })

/** The certificates that a client sent along. Some releases of Node hide them from a listener (nodejs/node#65579). */
const shownChain = (socket: TLSSocket): ReadonlyArray<X509Certificate> => {
  const chain: Array<X509Certificate> = []
  const seen = new Set<string>()
  let link: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true).issuerCertificate
  // The last one is its own issuer.
  while (link?.raw !== undefined && !seen.has(link.fingerprint256)) {
    seen.add(link.fingerprint256)
    chain.push(new X509Certificate(link.raw))
    link = link.issuerCertificate
  }
  return chain
}

/**
 * Who signed the leaf, by the signature itself. Node pairs certificates by their names, and a client may send along a
 * certificate of its own making under its authority's name; asking about that one would ask in vain, or the forger.
 */
export const issuerOf = (
  leaf: X509Certificate,
  candidates: ReadonlyArray<X509Certificate>
): X509Certificate | undefined =>
  candidates.find((candidate) => leaf.checkIssued(candidate) && leaf.verify(candidate.publicKey))

const examine = (socket: TLSSocket, authorities: ReadonlyArray<X509Certificate>): Effect.Effect<Verdict> => {
  const leaf = socket.getPeerX509Certificate()
  const url = leaf === undefined ? undefined : responderUrl(leaf)
  if (leaf === undefined || url === undefined) return Effect.succeed(unclear("the certificate names no OCSP responder"))
  const issuer = issuerOf(leaf, [...authorities, ...shownChain(socket)])
  if (issuer === undefined)
    return Effect.succeed(unclear("its issuer is not known; cluster_ca_cert may hold intermediate authorities as well"))
  return ask(leaf, issuer, url)
}

/** `undefined` when nobody is to be asked. */
export const revocationCheck = (
  { cluster_mtls, cluster_ocsp }: SettingValues,
  own: Pick<ClusterCredentials, "memberAuthorities">
): RevocationCheck | undefined => {
  if (cluster_mtls === "shared" || cluster_ocsp === "off") return undefined
  const authorities = own.memberAuthorities.map((pem) => new X509Certificate(pem))
  return Effect.fnUntraced(function* (socket: TLSSocket) {
    // The peer may be gone, and its certificate with it; what can't be examined is not let in unseen.
    const verdict = yield* Effect.suspend(() => examine(socket, authorities)).pipe(
      Effect.catchDefect(() => Effect.succeed(unclear("the certificate can't be examined")))
    )
    if (verdict._tag === "Good") return undefined
    if (verdict._tag === "Revoked") return `the client certificate was revoked on ${verdict.at.toISOString()}`
    if (cluster_ocsp === "on") return `nobody can say whether the client certificate was revoked: ${verdict.why}`
    yield* Effect.logWarning("data plane let in, though nobody can say whether its certificate was revoked").pipe(
      Effect.annotateLogs({ reason: verdict.why })
    )
    return undefined
  })
}
