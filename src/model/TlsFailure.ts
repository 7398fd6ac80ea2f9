/** What OpenSSL and Node call a failure of TLS, in words for the person who has to mend it. */

/** Verification failures, said of the certificate in question: "the certificate <words>". */
const verification: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "has expired",
  CERT_NOT_YET_VALID: "is not valid yet",
  CERT_UNTRUSTED: "comes from an authority that is not trusted",
  CERT_REVOKED: "was revoked",
  CERT_REJECTED: "was rejected",
  CERT_CHAIN_TOO_LONG: "has a chain that is too long",
  CERT_SIGNATURE_FAILURE: "has a signature that does not hold",
  DEPTH_ZERO_SELF_SIGNED_CERT: "is self-signed and not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "comes from an authority that is not trusted",
  UNABLE_TO_GET_ISSUER_CERT: "comes from an authority that is not known",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "comes from an authority that is not known",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "comes from an authority that is not known, or without the intermediate ones",
  INVALID_CA: "comes from something that is no authority",
  INVALID_PURPOSE: "was made for another purpose",
  PATH_LENGTH_EXCEEDED: "has a chain longer than its authority allows"
}

export const verificationFailure = (code: string): string => verification[code] ?? `can't be verified (${code})`

export const isVerificationFailure = (code: string): boolean => Object.hasOwn(verification, code)

export const noHandshake = "no TLS handshake in time"

/** What the listening side sees when a handshake fails, by OpenSSL's name for it. */
const handshake: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: "plain HTTP on the TLS port",
  ERR_SSL_HTTPS_PROXY_REQUEST: "an HTTP proxy request on the TLS port",
  ERR_SSL_WRONG_VERSION_NUMBER: "something other than TLS on the TLS port",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "something other than TLS on the TLS port",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "a TLS version older than 1.2",
  ERR_SSL_UNEXPECTED_MESSAGE: "a TLS handshake out of order",
  ERR_SSL_NO_SHARED_CIPHER: "no cipher in common",
  ERR_TLS_HANDSHAKE_TIMEOUT: noHandshake
}

/** The other side may close a connection before it has said anything, as health checks do: nobody was refused then. */
const isSilence = (code: string): boolean => code === "ECONNRESET" || code === "EPIPE"

/** Alerts are the peer's refusals: `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA`, `ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE`. */
const alert = /_ALERT_(?:NUMBER_)?(\w+)$/

/** `undefined` when nothing was refused. The words are the same each time, so that they can be counted. */
export const handshakeFailure = (
  code: string | undefined,
  refusal = "the data plane refused the control plane's certificate or TLS"
): string | undefined => {
  if (code === undefined) return "the TLS handshake failed"
  if (isSilence(code)) return undefined
  const known = handshake[code]
  if (known !== undefined) return known
  const refused = alert.exec(code)?.[1]
  return refused === undefined
    ? `the TLS handshake failed (${code})`
    : `${refusal} (${refused.toLowerCase().replaceAll("_", " ")})`
}
