/** Where configurations lie for new nodes (`cluster_fallback_config_storage`, reference `resilience.md` §5.1). */
/** `prefix` has no slash at either end, and may be empty. */
export type StorageLocation =
  | { readonly kind: "s3" | "gcs"; readonly bucket: string; readonly prefix: string }
  | { readonly kind: "azure"; readonly account: string; readonly container: string; readonly prefix: string }
  /** A folder that all nodes see. */
  | { readonly kind: "file"; readonly folder: string }

const bucketName = /^[a-z0-9][\w.-]{1,220}[a-z0-9]$/i
const accountName = /^[a-z0-9]{3,24}$/
const containerName = /^(?:\$root|[a-z0-9](?:-?[a-z0-9]){2,62})$/

/** Names that some store, client or shell would take for something else are none. */
const prefixOf = (parts: ReadonlyArray<string>): string | undefined => {
  const named = parts.join("/").replace(/^\/+|\/+$/g, "")
  const isGood = named === "" || named.split("/").every((part) => /^[\w.=~+ -]+$/.test(part) && !/^\.+$/.test(part))
  return isGood ? named : undefined
}

const kinds: Readonly<Record<string, "s3" | "gcs" | "azure" | "file">> = {
  s3: "s3",
  gcs: "gcs",
  gs: "gcs",
  azure: "azure",
  file: "file"
}

const inFolder = (rest: string): StorageLocation | undefined => {
  try {
    const parts = decodeURIComponent(rest).split("/")
    const isGood = parts[0] === "" && !parts.some((part) => part === ".." || part.includes("\0"))
    const folder = `/${parts.filter((part) => part !== "" && part !== ".").join("/")}`
    return isGood ? { kind: "file", folder } : undefined
  } catch {
    return undefined
  }
}

/** `undefined` for what names no place. */
export const readStorageLocation = (text: string): StorageLocation | undefined => {
  const [, scheme = "", rest = ""] = /^([a-z0-9]+):\/\/(.+)$/i.exec(text) ?? []
  const kind = kinds[scheme.toLowerCase()]
  if (kind === undefined) return undefined
  if (kind === "file") return inFolder(rest)
  const [first = "", ...parts] = rest.split("/")
  if (kind === "azure") {
    const [container = "", ...inside] = parts
    const prefix = prefixOf(inside)
    const isGood = accountName.test(first) && containerName.test(container) && prefix !== undefined
    return isGood ? { kind, account: first, container, prefix } : undefined
  }
  const prefix = prefixOf(parts)
  return bucketName.test(first) && prefix !== undefined ? { kind, bucket: first, prefix } : undefined
}

/** As a person writes it. */
export const showStorageLocation = (location: StorageLocation): string => {
  const inside = (prefix: string): string => (prefix === "" ? "" : `/${prefix}`)
  switch (location.kind) {
    case "file":
      return `file://${location.folder}`
    case "azure":
      return `azure://${location.account}/${location.container}${inside(location.prefix)}`
    default:
      return `${location.kind}://${location.bucket}${inside(location.prefix)}`
  }
}
