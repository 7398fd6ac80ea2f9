/**
 * What a check of revocation said of a certificate, kept for a while: a neighbour comes every few seconds, over a connection of
 * its own each time, and waits for 2 s. A responder that is gone would keep it out for as long as it is asked each
 * time, and be told of each time.
 */
import type { TLSSocket } from "node:tls"
import { Effect } from "effect"
import { monotonicMs } from "../../../services/monotonic.ts"
import type { RevocationCheck } from "./Revocation.ts"

/** Who was let in stays so for as long; a revocation is noticed after that. */
const letInMs = 300_000
/** Who was refused is soon asked about again: the responder may be back. */
const refusedMs = 30_000
/** Of certificates, those that were asked about longest ago are forgotten. */
const verdictsMax = 1_000

interface Verdict {
  readonly refusal: string | undefined
  readonly untilMs: number
}

/** A check that remembers. New credentials bring a new check, and what the former one said is forgotten. */
export const makeRememberVerdicts = () => {
  const verdicts = new Map<string, Verdict>()
  let saidBy: RevocationCheck | undefined

  const remember = (certificate: string, verdict: Verdict): void => {
    verdicts.delete(certificate)
    verdicts.set(certificate, verdict)
    const [oldest] = verdicts.keys()
    if (verdicts.size > verdictsMax && oldest !== undefined) verdicts.delete(oldest)
  }

  return Effect.fnUntraced(function* (check: RevocationCheck, socket: TLSSocket) {
    if (saidBy !== check) verdicts.clear()
    saidBy = check
    const certificate = socket.getPeerX509Certificate()?.fingerprint256
    const known = certificate === undefined ? undefined : verdicts.get(certificate)
    if (known !== undefined && (yield* monotonicMs) < known.untilMs) return known.refusal
    const refusal = yield* check(socket)
    const untilMs = (yield* monotonicMs) + (refusal === undefined ? letInMs : refusedMs)
    if (certificate !== undefined && saidBy === check) remember(certificate, { refusal, untilMs })
    return refusal
  })
}
