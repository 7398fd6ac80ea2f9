/** What the admin API tells about the plugins that this control plane knows: which, and what their rows may say. */
import { Effect } from "effect"
import { type AdminAnswer, answers } from "../../model/AdminErrors.ts"
import { describePlugin } from "../../model/plugin/describePlugin.ts"
import { Plugins } from "../../services/Plugins.ts"

const enabled = Effect.map(
  Plugins,
  (catalogue): AdminAnswer => ({ status: 200, body: { enabled_plugins: [...catalogue.keys()].sort() } })
)

const schemaOf = (name: string) =>
  Effect.map(Plugins, (catalogue): AdminAnswer => {
    const plugin = catalogue.get(name)
    return plugin === undefined
      ? { status: 404, body: { message: `No plugin named '${name}'` } }
      : { status: 200, body: describePlugin(plugin) }
  })

const schemaPath = /^\/schemas\/plugins\/([^/]+)$/

const decoded = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** `undefined` when the path is about something else. */
export const pluginFactsOf = (path: string): Effect.Effect<AdminAnswer, never, Plugins> | undefined => {
  if (path === "/plugins/enabled") return enabled
  const segment = schemaPath.exec(path)?.[1]
  if (segment === undefined) return undefined
  const name = decoded(segment)
  return name === undefined ? Effect.succeed(answers.notFound) : schemaOf(name)
}
