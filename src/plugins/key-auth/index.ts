import { definePlugin } from "../../model/plugin/Plugin.ts"
import { keyAuthHandler } from "./handler.ts"
import { keyAuthSchema } from "./schema.ts"

export const keyAuth = definePlugin({
  name: "key-auth",
  priority: 1250,
  schema: keyAuthSchema,
  handler: keyAuthHandler
})
