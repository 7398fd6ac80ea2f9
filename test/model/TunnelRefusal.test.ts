/** What is said of a forward proxy that opens no tunnel: reference `hybrid-protocol-v1.md` §1.4. */
import { assert, describe, it } from "@effect/vitest"
import { tunnelRefusal } from "../../src/model/TunnelRefusal.ts"

const basic = 'Basic realm="a, NTLM"'

describe("a forward proxy that opens no tunnel (§1.4)", () => {
  it.each([
    [basic, false, "asks for a user name and a password, and proxy_server has none (HTTP 407)"],
    [undefined, false, "asks for a user name and a password, and proxy_server has none (HTTP 407)"],
    [basic, true, "refuses the user name or the password of proxy_server (HTTP 407)"],
    [`Negotiate, ${basic}, charset="UTF-8"`, true, "refuses the user name or the password of proxy_server (HTTP 407)"],
    ["Negotiate, NTLM", true, "asks for authentication by Negotiate, NTLM, and only Basic is served (HTTP 407)"],
    [
      'Digest realm="Basic", qop="auth", nonce=x',
      false,
      "asks for authentication by Digest, and only Basic is served (HTTP 407)"
    ]
  ])("and challenges with %s, credentials sent: %s", (challenge, hasCredentials, expected) => {
    assert.strictEqual(tunnelRefusal({ status: 407, challenge, hasCredentials }), expected)
  })

  it.each([
    [502, "opened no tunnel: HTTP 502 Bad Gateway"],
    [403, "opened no tunnel: HTTP 403 Forbidden"],
    [799, "opened no tunnel: HTTP 799"]
  ])("and answers %d", (status, expected) => {
    assert.strictEqual(tunnelRefusal({ status, challenge: undefined, hasCredentials: false }), expected)
  })
})
