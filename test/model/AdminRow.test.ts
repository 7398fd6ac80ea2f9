/** Rows on their way in and out of the admin API. */
import { assert, describe, it } from "@effect/vitest"
import { luaTable } from "../../src/model/AdminErrors.ts"
import { resolveAdminPath } from "../../src/model/AdminPath.ts"
import {
  askedReference,
  endpointText,
  isEndpointKeyUnique,
  mergePatch,
  stamped,
  uniqueValue
} from "../../src/model/AdminRow.ts"
import { certificates, consumers, parameters, routes, services, targets } from "../../src/model/Entities.ts"
import type { Entity } from "../../src/model/Entity.ts"
import { rowOfForm } from "../../src/model/FormBody.ts"

const [service, route, target, consumer] = [services, routes, targets, consumers] as unknown as [
  Entity,
  Entity,
  Entity,
  Entity
]

describe("stamps (config-model §1.2)", () => {
  it("are whole seconds, and milliseconds for targets", () => {
    assert.deepStrictEqual(stamped(service, {}, 1_700_000_000_123), {
      created_at: 1_700_000_000,
      updated_at: 1_700_000_000
    })
    assert.deepStrictEqual(stamped(target, {}, 1_700_000_000_123), {
      created_at: 1_700_000_000.123,
      updated_at: 1_700_000_000.123
    })
  })

  it("are set only where the entity has them, and a creation stays", () => {
    assert.deepStrictEqual(stamped(parameters as unknown as Entity, {}, 5_000), { created_at: 5 })
    assert.deepStrictEqual(stamped(service, { created_at: 1 }, 5_000), { created_at: 1, updated_at: 5 })
  })
})

describe("references", () => {
  it("are asked for by id, by name, or by a text that may be either", () => {
    assert.strictEqual(askedReference(service, { id: "x", name: "y" })?.by, "id")
    assert.strictEqual(askedReference(service, { name: "y" })?.by, "endpointKey")
    assert.strictEqual(askedReference(service, "y")?.by, "either")
    for (const nothing of [null, undefined, "", 5, {}, { nope: "x" }, { id: 5 }]) {
      assert.isUndefined(askedReference(service, nothing))
    }
    assert.isUndefined(askedReference(certificates as unknown as Entity, { name: "x" }), "certificates have no names")
  })
})

describe("names", () => {
  it("are read as they are stored", () => {
    assert.strictEqual(endpointText(target, "10.0.0.1"), "10.0.0.1:8000")
    assert.strictEqual(endpointText(service, "echo"), "echo")
    assert.isFalse(isEndpointKeyUnique(target))
    assert.isTrue(isEndpointKeyUnique(consumer))
  })

  it("that are absent never collide", () => {
    assert.isUndefined(uniqueValue({ name: null }, ["name"]))
    assert.strictEqual(uniqueValue({ a: "x" }, ["a", "b"]), '["x",null]')
    assert.strictEqual(uniqueValue({ a: "x", b: "y" }, ["a", "b"]), '["x","y"]')
  })

  it("are printed as Kong prints them", () => {
    assert.strictEqual(luaTable({ target: "a:1", upstream: { id: "x" }, n: 5 }), '{n=5,target="a:1",upstream={id="x"}}')
  })
})

it("a partial write keeps maps whole: their keys are values", () => {
  assert.deepStrictEqual(mergePatch(route.fields, { headers: { a: ["1"] }, name: "r" }, { headers: { b: ["2"] } }), {
    headers: { b: ["2"] },
    name: "r"
  })
})

describe("forms", () => {
  const read = (query: string, entity = route) => rowOfForm(entity.fields, new URLSearchParams(query))

  it("read values by the shape of their field", () => {
    assert.deepStrictEqual(read("regex_priority=5&strip_path=false&name=5&regex_priority=6"), {
      regex_priority: 6,
      strip_path: false,
      name: "5"
    })
  })

  it("leave what does not fit as text, for validation to show", () => {
    assert.deepStrictEqual(read("regex_priority=x&strip_path=maybe&nope=1"), {
      regex_priority: "x",
      strip_path: "maybe",
      nope: "1"
    })
  })

  it("write lists in three ways", () => {
    for (const query of ["paths=/a,/b", "paths[]=/a&paths[]=/b", "paths=/a&paths=/b", "paths[1]=/a&paths[2]=/b"]) {
      assert.deepStrictEqual(read(query), { paths: ["/a", "/b"] })
    }
    assert.deepStrictEqual(read("paths[]=/a,b"), { paths: ["/a,b"] }, "brackets keep commas")
  })

  it("reach into references and maps, and nowhere else", () => {
    assert.deepStrictEqual(read("service.id=x&headers.x-a=1,2"), {
      service: { id: "x" },
      headers: { "x-a": ["1", "2"] }
    })
    assert.deepStrictEqual(read("__proto__.polluted=1&a.__proto__.b=1"), {})
    assert.isUndefined(({} as { polluted?: unknown }).polluted)
  })
})

describe("paths", () => {
  const tag = (path: string): string | undefined => resolveAdminPath(path)?._tag

  it("name collections, rows, children and what a row refers to", () => {
    assert.strictEqual(tag("/services"), "Collection")
    assert.strictEqual(tag("/services/x"), "Row")
    assert.strictEqual(tag("/services/x/routes"), "Collection")
    assert.strictEqual(tag("/services/x/routes/y"), "Row")
    assert.strictEqual(tag("/routes/x/service"), "Referred")
    assert.strictEqual(tag("/certificates/x/snis"), "Collection")
    assert.strictEqual(tag("/certificates/x/upstreams"), "Collection")
  })

  it("are decoded once", () => {
    const target = resolveAdminPath("/services/a%2Fb%2520c")
    assert.strictEqual(target?._tag === "Row" && target.text, "a/b%20c")
  })

  it("mean nothing otherwise", () => {
    for (const path of [
      "/",
      "/nope",
      "/services/x/targets",
      "/services/x/routes/y/z",
      "/routes/x/service/y",
      "/__proto__"
    ]) {
      assert.isUndefined(resolveAdminPath(path), path)
    }
  })
})
