import { definePlugin } from "../../model/plugin/Plugin.ts"
import { correlationIdHandler } from "./handler.ts"
import { correlationIdSchema } from "./schema.ts"

export const correlationId = definePlugin({
  name: "correlation-id",
  priority: 100_001,
  schema: correlationIdSchema,
  handler: correlationIdHandler
})
