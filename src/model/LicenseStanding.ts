/**
 * How a licence stands: a pure function of the licence, the trusted instant and the policy. For one licence time moves
 * it one way only: `valid` → `expiring` → `grace` → `expired` (`DESIGN.md`, "The life of a node", 7).
 */
import { licenseWarningDays } from "./ExpiryWarnings.ts"
import type { License } from "./License.ts"
import type { SignatureVerdict } from "./LicenseSignature.ts"

export type LicenseState = "none" | "valid" | "expiring" | "grace" | "expired" | "malformed"

export interface LicensePolicy {
  /** What an expired licence does to requests: `stop` answers them 503, `warn` serves on. */
  readonly onExpiry: "stop" | "warn"
  /** Whole days after its expiry for which a licence still counts. */
  readonly graceDays: number
  /** Refuses what no known key has signed. What names a known key that did not sign it is refused either way. */
  readonly requiresSignature: boolean
}

/** What there is to judge: nothing, something that is no licence, or a licence and what is known of its signature. */
export type LicenseFinding =
  | { readonly _tag: "None" }
  | { readonly _tag: "Malformed" }
  | { readonly _tag: "License"; readonly license: License; readonly signature: SignatureVerdict }

export interface LicenseStanding {
  readonly state: LicenseState
  /** True while requests must be refused. */
  readonly stops: boolean
  readonly expiresAtMs: number | undefined
  /** Days until it expires, the one that has begun included; 0 from then on. */
  readonly daysLeft: number | undefined
  /** When the days of grace end; the instant of expiry where there are none. */
  readonly graceUntilMs: number | undefined
  readonly signature: SignatureVerdict | undefined
  /** The next instant at which `state` is another one, if the licence stays; `undefined` when time changes nothing more. */
  readonly nextChangeAtMs: number | undefined
}

const dayMs = 86_400_000

const without = (state: "none" | "malformed"): LicenseStanding => ({
  state,
  stops: false,
  expiresAtMs: undefined,
  daysLeft: undefined,
  graceUntilMs: undefined,
  signature: undefined,
  nextChangeAtMs: undefined
})

/** False when the policy refuses it, whatever its dates say. */
export const isAcceptable = (signature: SignatureVerdict, policy: LicensePolicy): boolean =>
  signature === "verified" || (signature === "unverifiable" && !policy.requiresSignature)

/** Whatever has signed it: what the policy refuses for its signature is no finding of a licence. */
export const standingOf = (
  finding: LicenseFinding,
  nowMs: number,
  policy: Pick<LicensePolicy, "onExpiry" | "graceDays">
): LicenseStanding => {
  if (finding._tag !== "License") return without(finding._tag === "None" ? "none" : "malformed")
  const { expiresAtMs } = finding.license
  const graceUntilMs = expiresAtMs + policy.graceDays * dayMs
  const [state, nextChangeAtMs] = phaseAt(nowMs, expiresAtMs, graceUntilMs)
  return {
    state,
    stops: state === "expired" && policy.onExpiry === "stop",
    expiresAtMs,
    daysLeft: Math.max(0, Math.ceil((expiresAtMs - nowMs) / dayMs)),
    graceUntilMs,
    signature: finding.signature,
    nextChangeAtMs
  }
}

const phaseAt = (
  nowMs: number,
  expiresAtMs: number,
  graceUntilMs: number
): readonly [LicenseState, number | undefined] => {
  const warnsFromMs = expiresAtMs - licenseWarningDays[0] * dayMs
  if (nowMs < warnsFromMs) return ["valid", warnsFromMs]
  if (nowMs < expiresAtMs) return ["expiring", expiresAtMs]
  return nowMs < graceUntilMs ? ["grace", graceUntilMs] : ["expired", undefined]
}
