/** Whom a peer of the cluster must be: reference `hybrid-protocol-v1.md` §1.2. */
import { assert, describe, it } from "@effect/vitest"
import {
  type ChainLink,
  commonNameOf,
  commonNameProblem,
  depthProblem,
  serverNameOf
} from "../../src/model/ClusterTls.ts"
import { settings } from "../support/settings.ts"

const pair = { cluster_cert: "c", cluster_cert_key: "k" }

describe("the server name (§1.2)", () => {
  const named = (given: Parameters<typeof settings>[0]) => serverNameOf(settings({ ...pair, ...given }))

  it("is fixed in the shared mode, whatever cluster_server_name says", () => {
    assert.strictEqual(named({ cluster_server_name: "x" }), "kong_clustering")
  })

  it("is cluster_server_name in the pki modes, else the host of cluster_control_plane unless that is an address", () => {
    const pki = { cluster_mtls: "pki", cluster_control_plane: "cp.example.com:443" }
    assert.strictEqual(named(pki), "cp.example.com")
    assert.strictEqual(named({ ...pki, cluster_server_name: "x.example.com" }), "x.example.com")
    assert.strictEqual(named({ ...pki, cluster_control_plane: "[::1]:443" }), "")
  })

  it("is an address where cluster_server_name is one: it is expected, whatever is dialled", () => {
    const pki = { cluster_mtls: "pki", cluster_control_plane: "cp.example.com:443" }
    assert.strictEqual(named({ ...pki, cluster_server_name: "10.0.0.1" }), "10.0.0.1")
  })
})

describe("the common name in pki_check_cn (§1.2)", () => {
  it("is in the list, in whatever case; the list is all that counts then", () => {
    const rule = { allowed: ["dp.example.com"], own: "cp.example.com" }
    assert.isUndefined(commonNameProblem("DP.example.com", rule))
    assert.match(commonNameProblem("other.example.com", rule) ?? "", /not in cluster_allowed_common_names/)
  })

  it("without a list, has the parent domain of the control plane's", () => {
    const rule = { allowed: [], own: "cp.eu.example.com" }
    assert.isUndefined(commonNameProblem("dp.eu.example.com", rule))
    for (const stranger of ["dp.example.com", "eu.example.com", "dp.x.eu.example.com", "dp", undefined])
      assert.isString(commonNameProblem(stranger, rule), stranger)
    assert.isString(commonNameProblem("dp", { allowed: [], own: "cp" }), "no domain is no common domain")
  })

  it("is the last of several", () => {
    assert.strictEqual(commonNameOf({ CN: ["first", "last"] }), "last")
    assert.isUndefined(commonNameOf({}))
  })
})

describe("the verify depth (§1.2)", () => {
  const chain = (...names: ReadonlyArray<string>): ChainLink => {
    const [first = "", ...rest] = names
    if (rest.length > 0) return { fingerprint256: first, issuerCertificate: chain(...rest) }
    const root: { fingerprint256: string; issuerCertificate?: ChainLink } = { fingerprint256: first }
    root.issuerCertificate = root
    return root
  }

  it("counts what stands between a certificate and the authority that is trusted", () => {
    assert.isUndefined(depthProblem(chain("self-signed"), 0, "x"))
    assert.isUndefined(depthProblem(chain("leaf", "root"), 0, "x"))
    assert.isUndefined(depthProblem(chain("leaf", "a", "root"), 1, "x"))
    assert.strictEqual(
      depthProblem(chain("leaf", "a", "b", "root"), 1, "x"),
      "2 intermediate authorities stand behind it, and x allows 1"
    )
    assert.isUndefined(depthProblem({ fingerprint256: "leaf" }, 0, "x"), "a chain that is hidden is not counted")
  })
})
