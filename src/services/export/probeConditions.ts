/**
 * Whether a store refuses a write over what somebody else wrote. There are some that know no such conditions and write
 * all the same, and some that know only one of the two: found out with an object of our own before the first export.
 */
import { Effect } from "effect"
import { conditionCheckKey, contentTypes } from "../../model/StorageKeys.ts"
import { type Expectation, type ObjectStore, ObjectStoreError } from "../ObjectStore.ts"

const objectMaxBytes = 10_000

const ignoring = (expected: string) =>
  new ObjectStoreError({
    trouble: "unsupported",
    operation: "write",
    key: conditionCheckKey,
    message: `the store writes over an object though the write expects ${expected}; a store without conditional writes takes one exporter alone, with cluster_fallback_config_export_conditional=off`
  })

/** `nonce` tells this probe from all others. */
export const probeConditions = Effect.fnUntraced(function* (store: ObjectStore, nonce: string) {
  let count = 0
  /** The tag of what was written, or nothing when it was refused as it should be. */
  const write = (expects: Expectation) =>
    Effect.suspend(() => {
      const bytes = new TextEncoder().encode(
        `Holdfast writes this to see what the store refuses: ${nonce}-${++count}\n`
      )
      return store.write(conditionCheckKey, { bytes, contentType: contentTypes.text, expects })
    }).pipe(
      Effect.catchIf(
        ({ trouble }) => trouble === "conflict",
        () => Effect.undefined
      )
    )
  const first = yield* write({ _tag: "Nothing" })
  if (first !== undefined && (yield* write({ _tag: "Nothing" })) !== undefined) return yield* ignoring("nothing there")
  const tag = first ?? (yield* store.read(conditionCheckKey, objectMaxBytes))?.tag
  if (tag === undefined) return
  // When somebody else probes at the same time, this refusal says as much as the next one.
  if ((yield* write({ _tag: "Unchanged", tag })) === undefined) return
  if ((yield* write({ _tag: "Unchanged", tag })) !== undefined) return yield* ignoring("what lay there before")
})
