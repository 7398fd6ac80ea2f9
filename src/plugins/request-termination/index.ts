import { definePlugin } from "../../model/plugin/Plugin.ts"
import { requestTerminationHandler } from "./handler.ts"
import { requestTerminationSchema } from "./schema.ts"

export const requestTermination = definePlugin({
  name: "request-termination",
  priority: 2,
  schema: requestTerminationSchema,
  handler: requestTerminationHandler
})
