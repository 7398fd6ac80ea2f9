/** Which route and service a request took, for whoever asks by `Kong-Debug` where that is allowed (`router.md` §7). */
import type { IncomingMessage } from "node:http"
import type { CompiledRoute } from "../../model/CompiledConfig.ts"
import { encodePath, toByteString } from "../../model/RequestPath.ts"

/** An answer can't carry every name that an entity may have. */
const printable = (name: string): string => encodePath(toByteString(name))

export const debugHeaders = (
  { headers }: IncomingMessage,
  { route, service }: CompiledRoute
): ReadonlyArray<string> => {
  if (headers["kong-debug"] === undefined) return []
  const named = (prefix: string, { id, name }: { readonly id: string; readonly name: string | null }) => [
    ...[`${prefix}-Id`, id],
    ...(name === null ? [] : [`${prefix}-Name`, printable(name)])
  ]
  return [...named("Kong-Route", route), ...(service === undefined ? [] : named("Kong-Service", service))]
}
