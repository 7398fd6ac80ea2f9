/**
 * A vendor's client is loaded when it is first used, and not installed for everybody: in the library each is an optional
 * peer dependency.
 */
import { codeOf } from "../../model/thrown.ts"
import { StoreTrouble } from "./vendorStore.ts"

export const loadClient = async <A>(name: string, load: () => Promise<A>): Promise<A> => {
  try {
    return await load()
  } catch (cause) {
    if (codeOf(cause) !== "ERR_MODULE_NOT_FOUND") throw cause
    throw new StoreTrouble("misconfigured", `the package ${name} is not installed: npm install ${name}`)
  }
}

/** One client for all calls, made by the first; when that fails, the next call tries again. */
export const makeOnce = <A>(make: () => Promise<A>): (() => Promise<A>) => {
  let made: Promise<A> | undefined
  return () => {
    made ??= make().catch((cause) => {
      made = undefined
      throw cause
    })
    return made
  }
}
