/** The settings of the cache's encryption (`docs/cache-encryption.md`). */
import { assert, describe, it } from "vitest"
import { formatFault } from "../../src/model/Fault.ts"
import { effectiveSettings, parseSettings } from "../../src/model/parseSettings.ts"

const parse = (env: Readonly<Record<string, string>>) => parseSettings({ env })
const faultsOf = (env: Readonly<Record<string, string>>) => parse(env).faults.map(formatFault)
const key = "01".repeat(32)

describe("settings of the cache's encryption", () => {
  it("are off, and need nothing then", () => {
    assert.strictEqual(parse({}).values.config_cache_encryption, "off")
    assert.deepStrictEqual(faultsOf({}), [])
  })

  it("tell what a mode lacks", () => {
    assert.match(
      faultsOf({ HOLDFAST_CONFIG_CACHE_ENCRYPTION: "file" }).join(),
      /^config_cache_key_file: expected the path/
    )
    assert.match(
      faultsOf({ HOLDFAST_CONFIG_CACHE_ENCRYPTION: "environment" }).join(),
      /^config_cache_key: expected a key/
    )
    assert.match(
      faultsOf({ HOLDFAST_CONFIG_CACHE_ENCRYPTION: "cluster_key" }).join(),
      /^config_cache_encryption: expected another mode than cluster_key/
    )
    const alone = { HOLDFAST_CONFIG_CACHE_ENCRYPTION: "cluster_key", KONG_CLUSTER_CERT_KEY: "k" }
    assert.deepStrictEqual(faultsOf(alone), [])
    assert.match(faultsOf({ HOLDFAST_CONFIG_CACHE_ENCRYPTION: "on" }).join(), /expected one of off, file, environment/)
  })

  it("never show a key, right or wrong", () => {
    const wrong = faultsOf({ HOLDFAST_CONFIG_CACHE_KEY: `${key},abc` }).join()
    assert.match(wrong, /^config_cache_key: expected a comma-separated list of keys, each 32 bytes as 64 hex digits/)
    assert.notInclude(wrong, "abc,")
    assert.notInclude(wrong, key)
    const { values, faults } = parse({
      HOLDFAST_CONFIG_CACHE_KEY: key,
      HOLDFAST_CONFIG_CACHE_ENCRYPTION: "environment"
    })
    assert.deepStrictEqual(faults, [])
    assert.lengthOf(values.config_cache_key ?? [], 1)
    assert.strictEqual(effectiveSettings(values).config_cache_key, "******")
  })
})
