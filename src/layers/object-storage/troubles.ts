/**
 * What a store's answer means (`services/ObjectStore.ts`), in one place for all of them. The question is always whether
 * trying again may help: passing troubles are `unavailable`, and what a person has to mend never is.
 */
import { isVerificationFailure } from "../../model/TlsFailure.ts"
import { codeOf, messageOf } from "../../model/thrown.ts"
import type { ObjectStoreTrouble } from "../../services/ObjectStore.ts"
import type { Refusal } from "./vendorStore.ts"

export interface Asked {
  readonly operation: "read" | "write"
  readonly isConditional: boolean
}

/** No object, or no bucket: only the store's word tells them apart. */
const noBucket = /^(NoSuchBucket|ContainerNotFound|ContainerBeingDeleted|ResourceNotFound|AccountNotFound)$/

/** Of those that come with 400, and mean us. */
const denials =
  /^(AccessDenied|AuthenticationFailed|Expired\w*Token\w*|InvalidToken|TokenRefreshRequired|RequestTimeTooSkewed|RequestExpired|InvalidAccessKeyId|SignatureDoesNotMatch|invalid_grant|invalid_client)$/

/** Of those that come with 400, and pass: the body was damaged or cut off on its way. */
const passing =
  /^(RequestTimeout|IncompleteBody|BadDigest|ContentSHA256Mismatch|XAmzContentSHA256Mismatch|Md5Mismatch|InternalError|SlowDown|ServerBusy|OperationAborted|OperationTimedOut)$/

const unsupported = /^(NotImplemented|XNotImplemented|UnsupportedHeader|UnsupportedOperation)$/

const conflicts = (status: number, { isConditional }: Asked): ObjectStoreTrouble =>
  // Without a condition nobody was quicker: two requests were in each other's way.
  status === 412 || isConditional ? "conflict" : "unavailable"

const ofNotFound = (code: string, { operation, isConditional }: Asked): ObjectStoreTrouble | "absent" => {
  if (noBucket.test(code)) return "misconfigured"
  if (operation === "read") return "absent"
  return isConditional ? "conflict" : "misconfigured"
}

const ofStatus = (status: number, asked: Asked): ObjectStoreTrouble => {
  if (status === 401 || status === 403 || status === 407) return "denied"
  if (status === 412 || status === 409) return conflicts(status, asked)
  // Older releases of MinIO say so where a write expected nothing.
  if (status === 304 && asked.isConditional) return "conflict"
  if (status === 408 || status === 425 || status === 429) return "unavailable"
  if (status === 501) return "unsupported"
  return status >= 500 ? "unavailable" : "misconfigured"
}

/** What the answer means; `absent` for an object that is not there. */
export const troubleOf = ({ status, code = "" }: Refusal, asked: Asked): ObjectStoreTrouble | "absent" => {
  if (unsupported.test(code)) return "unsupported"
  if (denials.test(code)) return "denied"
  if (passing.test(code)) return code === "OperationAborted" ? conflicts(409, asked) : "unavailable"
  if (status === undefined) return isVerificationFailure(code) ? "misconfigured" : "unavailable"
  return status === 404 ? ofNotFound(code, asked) : ofStatus(status, asked)
}

/** Whatever is beneath: fetch and Azure wrap what the socket said. */
const rootOf = (cause: unknown, depth = 0): unknown =>
  depth < 5 && cause instanceof Error && cause.cause !== undefined ? rootOf(cause.cause, depth + 1) : cause

/** Of a failure that is no answer of a store's: a connection, a certificate, a name. */
export const refusalOfFailure = (cause: unknown): Refusal => {
  const root = rootOf(cause)
  return { status: undefined, code: codeOf(root) ?? codeOf(cause), message: messageOf(root) }
}

const shownMax = 300

/** One line in the store's own words: `403 AccessDenied: …`. */
export const showRefusal = ({ status, code, message }: Refusal): string => {
  const named = [status, code].filter((part) => part !== undefined && part !== "").join(" ")
  const said =
    message
      .trim()
      .split(/[\r\n]/)[0]
      ?.trim() ?? ""
  const isNews = said !== "" && said !== code && !named.includes(said)
  return (
    [named, isNews ? said : ""]
      .filter((part) => part !== "")
      .join(": ")
      .slice(0, shownMax) || "no reason was given"
  )
}
