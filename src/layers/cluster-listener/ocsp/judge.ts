/**
 * What an OCSP answer is worth (RFC 6960 §3.2): signed by the authority or by whom it appointed, about the certificate
 * in question, and of now.
 */
import { verify, X509Certificate } from "node:crypto"
import { type Answer, decodeAnswer, type Subject, statusOf } from "./messages.ts"

export type Verdict =
  | { readonly _tag: "Good" }
  | { readonly _tag: "Revoked"; readonly at: Date }
  /** Nobody has said. */
  | { readonly _tag: "Unclear"; readonly why: string }

/** What clocks of the two sides may differ by, as the original allows. */
const clockSkewMs = 300_000

const ocspSigning = "1.3.6.1.5.5.7.3.9"

/** `null`: the key says which digest. What rests on SHA-1 is left out. */
const digests: Readonly<Record<string, string | null>> = {
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.3.101.112": null,
  "1.3.101.113": null
}

const unclear = (why: string): Verdict => ({ _tag: "Unclear", why })

const isWithin = (nowMs: number, fromMs: number, toMs: number): boolean =>
  fromMs - clockSkewMs <= nowMs && nowMs <= toMs + clockSkewMs

/** The authority may leave the answering to another, whose certificate says so and is its own work. */
const isAppointed = (certificate: X509Certificate, { issuer }: Subject, nowMs: number): boolean =>
  certificate.checkIssued(issuer) &&
  certificate.verify(issuer.publicKey) &&
  (certificate.keyUsage ?? []).includes(ocspSigning) &&
  isWithin(nowMs, certificate.validFromDate.getTime(), certificate.validToDate.getTime())

const signers = ({ certificates }: Answer, subject: Subject, nowMs: number): ReadonlyArray<X509Certificate> => [
  subject.issuer,
  ...certificates
    .map((der) => new X509Certificate(der))
    .filter((certificate) => isAppointed(certificate, subject, nowMs))
]

const signatureProblem = (answer: Answer, subject: Subject, nowMs: number): string | undefined => {
  const digest = digests[answer.algorithm]
  if (digest === undefined) return `the answer is signed in a way that is not accepted (${answer.algorithm})`
  const isSigned = signers(answer, subject, nowMs).some(({ publicKey }) =>
    verify(digest, answer.signed, publicKey, answer.signature)
  )
  return isSigned ? undefined : "the answer is not signed by the authority or by whom it appointed"
}

const judgeAnswer = (answer: Answer, subject: Subject, nowMs: number): Verdict => {
  const forged = signatureProblem(answer, subject, nowMs)
  if (forged !== undefined) return unclear(forged)
  const status = statusOf(answer, subject)
  if (status === undefined) return unclear("the answer is about another certificate")
  const { thisUpdate, nextUpdate, certStatus } = status
  if (!isWithin(nowMs, thisUpdate.getTime(), nextUpdate?.getTime() ?? Number.POSITIVE_INFINITY))
    return unclear(`the answer is not of now (${thisUpdate.toISOString()} to ${nextUpdate?.toISOString() ?? "open"})`)
  if (certStatus.revoked !== undefined) return { _tag: "Revoked", at: certStatus.revoked.revocationTime }
  return certStatus.good === null ? { _tag: "Good" } : unclear("the responder does not know the certificate")
}

export const judge = (bytes: Uint8Array, subject: Subject, nowMs: number): Verdict => {
  try {
    return judgeAnswer(decodeAnswer(bytes), subject, nowMs)
  } catch (error) {
    return unclear(error instanceof Error ? error.message : "the answer can't be read")
  }
}
