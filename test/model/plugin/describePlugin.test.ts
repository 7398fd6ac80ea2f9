/** `GET /schemas/plugins/{name}`, in Kong's shape. */
import { assert, describe, it } from "@effect/vitest"
import type { Row } from "../../../src/model/Entity.ts"
import * as Field from "../../../src/model/Field.ts"
import { describePlugin } from "../../../src/model/plugin/describePlugin.ts"
import { idle, testCatalogue } from "../../support/plugins.ts"

const described = (name: string): ReadonlyArray<Row> => {
  const plugin = testCatalogue.get(name)
  return plugin === undefined ? [] : (describePlugin(plugin).fields as ReadonlyArray<Row>)
}

const named = (fields: ReadonlyArray<Row>, name: string): Row =>
  (fields.find((field) => Object.hasOwn(field, name))?.[name] ?? {}) as Row

const configOf = (name: string): ReadonlyArray<Row> => named(described(name), "config").fields as ReadonlyArray<Row>

describe("a plugin's schema", () => {
  it("tells types, defaults and what is allowed", () => {
    const config = configOf("key-auth")
    assert.deepStrictEqual(named(config, "key_names"), {
      type: "array",
      required: false,
      default: ["apikey"],
      elements: { type: "string" }
    })
    assert.deepStrictEqual(named(config, "anonymous"), { type: "string", required: false })
    assert.deepStrictEqual(named(configOf("correlation-id"), "generator"), {
      type: "string",
      required: false,
      default: "uuid#counter",
      one_of: ["uuid", "uuid#counter", "tracker"]
    })
  })

  it("tells what its rows are never bound to", () => {
    assert.deepStrictEqual(named(described("key-auth"), "consumer"), {
      type: "foreign",
      reference: "consumers",
      required: false,
      eq: null
    })
    assert.notProperty(named(described("correlation-id"), "consumer"), "eq")
  })

  it("tells records field by field, and that what is secret is", () => {
    const plugin = idle("x", {
      fields: {
        password: Field.sensitive(Field.withDefault(Field.nonEmpty, "changeme")),
        url: Field.nonEmpty,
        queue: Field.record({ size: Field.withDefault(Field.integer(1, 9), 3) }),
        servers: Field.withDefault(Field.array(Field.record({ port: Field.port })), [])
      }
    })
    const config = named(describePlugin(plugin).fields as ReadonlyArray<Row>, "config").fields as ReadonlyArray<Row>
    assert.deepStrictEqual(config, [
      { password: { type: "string", required: false, default: "changeme", sensitive: true } },
      { url: { type: "string", required: true } },
      {
        queue: { type: "record", required: false, fields: [{ size: { type: "integer", required: false, default: 3 } }] }
      },
      {
        servers: {
          type: "array",
          required: false,
          default: [],
          elements: { type: "record", fields: [{ port: { type: "integer", required: true } }] }
        }
      }
    ] as unknown as ReadonlyArray<Row>)
  })
})
