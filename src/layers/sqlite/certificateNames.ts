/**
 * `snis` of a certificate is no field of it but a list in its writes: it declares rows of their own, and takes away
 * those that it no longer names (`config-model.md` §3).
 */
import { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { snis } from "../../model/Entities.ts"
import type { Entity, Row } from "../../model/Entity.ts"
import { type Fault, within } from "../../model/Fault.ts"
import { type Key, WriteRefused } from "../../services/control/ConfigStore.ts"
import type { Rows } from "./rows.ts"
import type { Writes } from "./writes.ts"

const field = "snis"
const sni = snis as unknown as Entity

const refuse = (...faults: ReadonlyArray<Fault>) =>
  Effect.fail(new WriteRefused({ refusal: { _tag: "SchemaViolation", faults } }))

const namesIn = (value: unknown): ReadonlyArray<string> | undefined => {
  if (value === null) return []
  const list: unknown = typeof value === "string" ? value.split(",").map((name) => name.trim()) : value
  return Array.isArray(list) && list.every((name) => typeof name === "string") ? [...new Set(list)] : undefined
}

export const withCertificateNames = (rows: Rows, writes: Writes): Writes => {
  const declare = Effect.fnUntraced(function* (certificate: string, name: string, index: number) {
    const owner = yield* rows.find({ entity: sni, text: name })
    if (owner?.certificate === certificate) return
    if (owner !== undefined) {
      const message = `${name} already associated with existing certificate '${owner.certificate}'`
      return yield* refuse({ path: [field], message })
    }
    yield* writes
      .create(sni, { name, certificate })
      .pipe(
        Effect.catchTag("WriteRefused", (error) =>
          error.refusal._tag === "SchemaViolation"
            ? refuse(
                ...error.refusal.faults.map(({ path: _, ...fault }) => within(field, index)({ ...fault, path: [] }))
              )
            : Effect.fail(error)
        )
      )
  })

  const replaceNames = Effect.fnUntraced(function* (certificate: string, names: ReadonlyArray<string>) {
    for (const { kind, id } of yield* rows.referrers("certificates", certificate)) {
      const row = kind === sni.name ? yield* rows.byId(kind, id) : undefined
      if (row !== undefined && !names.includes(String(row.name))) yield* rows.remove(kind, id)
    }
    for (const [index, name] of names.entries()) yield* declare(certificate, name, index)
  })

  /** The write without its list of names, and then the names. */
  const around = <A>(
    entity: Entity,
    input: Row,
    write: (own: Row) => Effect.Effect<A, WriteRefused | SqlError>,
    rowOf: (result: A) => Row | undefined
  ): Effect.Effect<A, WriteRefused | SqlError> => {
    if (entity.name !== "certificates" || input[field] === undefined) return write(input)
    const { [field]: given, ...own } = input
    const names = namesIn(given)
    if (names === undefined)
      return refuse({ path: [field], message: "expected an array of server names", value: given })
    return Effect.tap(write(own), (result) => {
      const row = rowOf(result)
      return row === undefined ? Effect.void : replaceNames(String(row.id), names)
    })
  }

  return {
    create: (entity, input) =>
      around(
        entity,
        input,
        (own) => writes.create(entity, own),
        (row) => row
      ),
    put: (key: Key, input) =>
      around(
        key.entity,
        input,
        (own) => writes.put(key, own),
        ({ row }) => row
      ),
    patch: (key: Key, input) =>
      around(
        key.entity,
        input,
        (own) => writes.patch(key, own),
        (row) => row
      ),
    remove: writes.remove
  }
}
