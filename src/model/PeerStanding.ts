/**
 * What a node says of the configuration that it gives to its neighbours, before and beside giving it: headers, so that
 * whoever asks many takes the newest, and takes it once. A hint and no more: what comes is judged by itself.
 */
import type { RollbackOver, Standing } from "./ConfigOrder.ts"
import type { SettingValues } from "./SettingTable.ts"

/** Where a node gives its configuration. */
export const peerConfigPath = "/v1/config"

export const peerHeaders = {
  /** Who answers, so that a node knows itself. */
  node: "holdfast-node-id",
  /** Why there is nothing; ASCII, for people. */
  reason: "holdfast-reason",
  hash: "holdfast-config-hash",
  epoch: "holdfast-config-epoch",
  sequence: "holdfast-config-sequence",
  issuedAt: "holdfast-config-issued-at",
  /** A rollback says over what: `<sequence> <epoch>`. */
  rollbackOver: "holdfast-config-rollback-over"
} as const

export interface PeerStanding extends Standing {
  readonly hash: string
}

/** A control plane's names are any text, and a header is not. */
const encode = (text: string): string => encodeURIComponent(text.toWellFormed())

const decode = (text: string | undefined): string | undefined => {
  if (text === undefined) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

export const standingHeaders = (standing: PeerStanding): Readonly<Record<string, string>> => {
  const { hash, epoch, sequence, issuedAtMs, rollbackOver } = standing
  return {
    [peerHeaders.hash]: encode(hash),
    ...(epoch === undefined ? {} : { [peerHeaders.epoch]: encode(epoch) }),
    ...(sequence === undefined ? {} : { [peerHeaders.sequence]: String(sequence) }),
    ...(issuedAtMs === undefined ? {} : { [peerHeaders.issuedAt]: new Date(issuedAtMs).toISOString() }),
    ...(rollbackOver === undefined
      ? {}
      : { [peerHeaders.rollbackOver]: `${rollbackOver.sequence} ${encode(rollbackOver.epoch)}` })
  }
}

const sequenceIn = (text: string | undefined): number | undefined => {
  const sequence = text === undefined || !/^-?\d{1,16}$/.test(text) ? undefined : Number(text)
  return Number.isSafeInteger(sequence) ? sequence : undefined
}

const rollbackIn = (text: string | undefined): RollbackOver | undefined => {
  const [number, name] = text?.split(" ") ?? []
  const [sequence, epoch] = [sequenceIn(number), decode(name)]
  return sequence === undefined || epoch === undefined ? undefined : { sequence, epoch }
}

/** `undefined` for an answer that names no configuration. What can't be read of the rest is as if it were not there. */
export const readStanding = (header: (name: string) => string | undefined): PeerStanding | undefined => {
  const hash = decode(header(peerHeaders.hash))
  if (hash === undefined || hash === "") return undefined
  const epoch = decode(header(peerHeaders.epoch))
  const sequence = sequenceIn(header(peerHeaders.sequence))
  const issuedAtMs = Date.parse(header(peerHeaders.issuedAt) ?? "")
  const rollbackOver = rollbackIn(header(peerHeaders.rollbackOver))
  return {
    hash,
    ...(epoch === undefined ? {} : { epoch }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(Number.isNaN(issuedAtMs) ? {} : { issuedAtMs }),
    ...(rollbackOver === undefined ? {} : { rollbackOver })
  }
}

/** More than this is neither given nor taken: the same table as a push, in another order of keys and with who vouches for it. */
export const peerBodyMaxBytes = ({ cluster_max_payload }: Pick<SettingValues, "cluster_max_payload">): number =>
  2 * cluster_max_payload
