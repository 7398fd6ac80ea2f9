import { assert, describe, it } from "@effect/vitest"
import { handshakeFailure, verificationFailure } from "../../src/model/TlsFailure.ts"

describe("a failed handshake, seen by the listener", () => {
  it("is a refusal in words that stay the same", () => {
    assert.strictEqual(handshakeFailure("ERR_SSL_HTTP_REQUEST"), "plain HTTP on the TLS port")
    assert.match(
      handshakeFailure("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA") ?? "",
      /refused the control plane's.*\(unknown ca\)/
    )
    assert.match(handshakeFailure("ERR_SSL_SOMETHING_NEW") ?? "", /ERR_SSL_SOMETHING_NEW/)
    assert.isString(handshakeFailure(undefined))
  })

  it("is none when the other side just went away, as health checks do", () => {
    assert.isUndefined(handshakeFailure("ECONNRESET"))
  })
})

describe("a certificate that does not hold", () => {
  it("is told in words, by its code where there are none", () => {
    assert.strictEqual(verificationFailure("CERT_HAS_EXPIRED"), "has expired")
    assert.match(verificationFailure("NEW_CODE"), /NEW_CODE/)
  })
})
