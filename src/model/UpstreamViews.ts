/**
 * Upstreams and targets as a data plane shows them, read-only: reference `proxy-behaviour.md` §11. The rows are those
 * of the running snapshot, in the shape of the admin API.
 */
import { toAdminRow } from "./AdminRow.ts"
import type { ConfigTable } from "./ConfigTable.ts"
import * as E from "./Entities.ts"
import type { Entity, Row } from "./Entity.ts"

/** `undefined` when nothing has that name. */
type View = (table: ConfigTable, rest: ReadonlyArray<string>) => Row | undefined

const page = (data: ReadonlyArray<Row>): Row => ({ data, next: null })

const shownUpstream = (upstream: E.Upstream): Row => toAdminRow(E.upstreams as unknown as Entity, upstream)
const shownTarget = (target: E.Target): Row => toAdminRow(E.targets as unknown as Entity, target)

const targetNamed = (targets: ReadonlyArray<E.Target>, name: string): E.Target | undefined => {
  const { target: stored } = E.targets.expand({ target: name })
  return targets.find(({ id, target }) => id === name || target === stored)
}

/** Health checks are off everywhere, so that each target counts as healthy (§8). */
const health = (target: E.Target): Row => ({ ...shownTarget(target), health: "HEALTHCHECKS_OFF" })

const viewOfTargets = (targets: ReadonlyArray<E.Target>, rest: ReadonlyArray<string>): Row | undefined => {
  const [name, ...more] = rest
  if (more.length > 0) return undefined
  // A target of weight 0 is one that was taken out of the rotation; `all` has it still.
  if (name === undefined) return page(targets.filter(({ weight }) => weight > 0).map(shownTarget))
  if (name === "all") return page(targets.map(shownTarget))
  const found = targetNamed(targets, name)
  return found === undefined ? undefined : shownTarget(found)
}

/** What `/upstreams/…` answers; `rest` is the path behind `/upstreams`, part by part. */
export const viewOfUpstreams: View = (table, rest) => {
  const [name, section, ...more] = rest
  if (name === undefined) return page(table.upstreams.map(shownUpstream))
  const upstream = table.upstreams.find((row) => row.id === name || row.name === name)
  if (upstream === undefined) return undefined
  const targets = table.targets.filter((target) => target.upstream === upstream.id)
  if (section === undefined) return shownUpstream(upstream)
  if (section === "health" && more.length === 0) return page(targets.map(health))
  return section === "targets" ? viewOfTargets(targets, more) : undefined
}
