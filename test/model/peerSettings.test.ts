/** The settings of neighbours (`docs/peers.md`). */
import { assert, describe, it } from "vitest"
import { formatFault } from "../../src/model/Fault.ts"
import { parseSettings } from "../../src/model/parseSettings.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { settingNotices } from "../../src/model/settingNotices.ts"

type Given = Partial<Record<SettingName, string>>

const pair = { cluster_cert: "c", cluster_cert_key: "k" }
const joined = { ...pair, cluster_control_plane: "cp:8005" }
const parse = (command: Given) => parseSettings({ env: {}, command })
const faulty = (given: Given) => parse(given).faults.map(({ path }) => path.join())
const notices = (given: Given) => settingNotices(parse(given).values).map(formatFault)

describe("settings of neighbours", () => {
  it("are off, and need nothing then", () => {
    const { values, faults } = parse({})
    assert.deepEqual([values.config_peer_listen, values.config_peers, faults], [[], undefined, []])
  })

  it("to listen need a certificate, on a node on its own as well", () => {
    const listening = { config_peer_listen: "127.0.0.1:8006" }
    assert.deepEqual(faulty(listening), ["cluster_cert", "cluster_cert_key"])
    assert.deepEqual(faulty({ ...listening, ...pair }), [])
  })

  it("to listen in the pki modes need the authority of the members; lua_ssl_trusted_certificate is none", () => {
    const given = { ...joined, cluster_mtls: "pki", lua_ssl_trusted_certificate: "/trusted.pem" }
    assert.deepEqual(faulty(given), [])
    assert.deepEqual(faulty({ ...given, config_peer_listen: "127.0.0.1:8006" }), ["cluster_ca_cert"])
    assert.deepEqual(faulty({ ...given, config_peer_listen: "127.0.0.1:8006", cluster_ca_cert: "/ca.pem" }), [])
  })

  it("say so when nobody is asked", () => {
    const config_peers = "peers:8006"
    assert.deepEqual(notices({ ...joined, config_peers }), [])
    assert.match(notices({ config_peers }).join(), /^config_peers: nobody is asked, for there is no control plane/)
    assert.match(
      notices({ ...joined, config_peers, config_sources: "control_plane,disk" }).join(),
      /^config_peers: nobody is asked, for config_sources leaves peer out/
    )
    assert.match(
      notices({ ...joined, config_peers, config_peer_server_name: "dp" }).join(),
      /^config_peer_server_name: the certificate of cluster_mtls=shared has one name for all/
    )
  })
})
