/** Ids that a file need not name: the published examples of `config-model.md` §5, and what must hold of all. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { deterministicId } from "../../src/model/DeterministicId.ts"
import { entityByName } from "../../src/model/Entities.ts"
import type { Row } from "../../src/model/Entity.ts"
import { holds } from "../support/property.ts"

const idOf = (kind: string, row: Row): string | undefined => {
  const entity = entityByName.get(kind)
  if (entity === undefined) throw new Error(`no entity ${kind}`)
  return deterministicId(entity, row)
}

describe("deterministic ids", () => {
  it("are the published ones", () => {
    const myService = "0855b320-0dd2-547d-891d-601e9b38647f"
    assert.strictEqual(idOf("services", { name: "my-service" }), myService)
    assert.strictEqual(idOf("routes", { name: "my-route" }), "481a9539-f49c-51b6-b2e2-fe99ee68866c")
    assert.strictEqual(idOf("consumers", { username: "my-user" }), "4b1b701d-de2b-5588-9aa2-3b97061d9f52")
    assert.strictEqual(idOf("consumers", { username: "bob" }), "def4f7d3-9863-5ad2-8fa9-c949bf26f55e")
    assert.strictEqual(idOf("plugins", { name: "key-auth" }), "6b4f38d1-e026-540b-a5ea-8634739dd2a7")
    assert.strictEqual(
      idOf("plugins", { name: "key-auth", service: myService }),
      "4a4d9361-8cf7-5304-acb5-d4e8f72ac40b"
    )
  })

  it("need what is required: a plugin its name, a target its upstream", () => {
    assert.isUndefined(idOf("plugins", { service: "s" }))
    assert.isUndefined(idOf("plugins", { name: "", service: "s" }))
    assert.isUndefined(idOf("targets", { target: "10.0.0.1:80" }))
  })

  it("are not for keys that may be made up, whether or not one is given", () => {
    assert.isUndefined(idOf("keyauth_credentials", { key: "k", consumer: "c" }))
    assert.isUndefined(idOf("keyauth_credentials", { consumer: "c" }))
  })

  it("of two plugins are the same just when name and scopes are, nothing and null alike", () => {
    const scope = fc.option(fc.constantFrom("a", "b"), { nil: null })
    const row = fc.record({ name: fc.constantFrom("x", "y"), route: scope, service: scope, consumer: scope })
    holds(fc.tuple(row, row), ([one, other]) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other)
      const withoutNulls = Object.fromEntries(Object.entries(other).filter(([, value]) => value !== null))
      assert.strictEqual(idOf("plugins", one) === idOf("plugins", withoutNulls), isSame)
    })
  })
})
