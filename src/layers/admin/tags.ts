/** `/tags` and `/tags/{tag}`: which rows carry which tags. */
import { Effect } from "effect"
import type { AdminAnswer } from "../../model/AdminErrors.ts"
import { ConfigStore } from "../../services/control/ConfigStore.ts"
import { answerFailures } from "./answerFailures.ts"
import { pageOf } from "./paging.ts"

const listTags = Effect.fnUntraced(function* (tag: string | undefined, url: URL) {
  const store = yield* ConfigStore
  const { options, shown } = yield* pageOf(url)
  const { rows, next } = yield* store.tags({ tag, size: options.size, after: options.after })
  return shown(rows, next)
})

const tagsPath = /^\/tags(?:\/([^/]+))?$/

const decoded = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** `undefined` when the path is about something else. */
export const tagsOf = (path: string, url: URL): Effect.Effect<AdminAnswer, never, ConfigStore> | undefined => {
  const match = tagsPath.exec(path)
  if (match === null) return undefined
  const tag = match[1] === undefined ? undefined : decoded(match[1])
  return match[1] !== undefined && tag === undefined ? undefined : answerFailures(listTags(tag, url))
}
