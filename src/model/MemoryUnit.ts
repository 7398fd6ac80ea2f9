/** How the status API writes amounts of memory: `?unit=b|k|m|g&scale=n` (reference `proxy-behaviour.md` §11). */
import type { Fault } from "./Fault.ts"

const units: Readonly<Record<string, { readonly bytes: number; readonly label: string }>> = {
  k: { bytes: 2 ** 10, label: "KiB" },
  m: { bytes: 2 ** 20, label: "MiB" },
  g: { bytes: 2 ** 30, label: "GiB" }
}

export type MemoryFormat = (bytes: number) => number | string

export type AskedFormat =
  | { readonly _tag: "Right"; readonly format: MemoryFormat }
  | { readonly _tag: "Wrong"; readonly faults: ReadonlyArray<Fault> }

/** Bytes are a number; every other unit is a text such as `12.34 MiB`, which is the default. */
export const askedMemoryFormat = (query: URLSearchParams): AskedFormat => {
  const unit = (query.get("unit") ?? "m").toLowerCase()
  const scale = query.get("scale") ?? "2"
  const known = Object.hasOwn(units, unit) ? units[unit] : undefined
  const faults: Array<Fault> = []
  if (known === undefined && unit !== "b")
    faults.push({ path: ["unit"], message: "expected one of b, k, m, g", value: unit })
  if (!/^(1?\d|20)$/.test(scale))
    faults.push({ path: ["scale"], message: "expected an integer between 0 and 20", value: scale })
  if (faults.length > 0) return { _tag: "Wrong", faults }
  if (known === undefined) return { _tag: "Right", format: (bytes) => bytes }
  return { _tag: "Right", format: (bytes) => `${(bytes / known.bytes).toFixed(Number(scale))} ${known.label}` }
}
