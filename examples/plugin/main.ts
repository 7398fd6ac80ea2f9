/**
 * A plugin of one's own: it lets in the tenants that its configuration names, tells the upstream who it is, and answers
 * everybody else itself. It is configured like any of Kong's, here and in a control plane that knows it.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { definePlugin, Field, startDataPlane } from "holdfast"

const tenants = definePlugin({
  name: "tenants",
  // Behind key-auth, which has 1250: who asks is known by then.
  priority: 1000,
  schema: {
    fields: {
      header: Field.withDefault(Field.headerName, "x-tenant"),
      allowed: Field.set(Field.nonEmpty, 1)
    }
  },
  // Once for each row of the configuration; what it returns, once for each request.
  handler: ({ config }) => {
    const header = config.header.toLowerCase()
    const allowed = new Set(config.allowed)
    return {
      access: (request) => {
        const tenant = request.header(header)
        if (tenant === undefined || !allowed.has(tenant)) return { status: 403, message: "Unknown tenant" }
        request.setHeader("x-tenant-checked", "yes")
        return undefined
      },
      headerFilter: (_request, response) => response.setHeader("x-served-by", "the house")
    }
  }
})

const upstream = createServer((request, response) =>
  response.end(`upstream saw ${request.headers["x-tenant"]}, checked: ${request.headers["x-tenant-checked"]}\n`)
)
await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
const { port: upstreamPort } = upstream.address() as AddressInfo

const node = await startDataPlane(
  {
    prefix: join(tmpdir(), "holdfast-plugin"),
    proxy_listen: `127.0.0.1:${process.env.PORT ?? 8000}`,
    status_listen: "127.0.0.1:0",
    declarative_config_string: JSON.stringify({
      _format_version: "3.0",
      services: [
        {
          name: "s",
          url: `http://127.0.0.1:${upstreamPort}`,
          routes: [{ name: "all", paths: ["/"] }],
          plugins: [{ name: "tenants", config: { allowed: ["acme", "globex"] } }]
        }
      ]
    })
  },
  { plugins: [tenants] }
)

console.log(`try: curl localhost:${node.addresses.proxy[0]?.port}/ -H 'x-tenant: acme'`)

const close = async (): Promise<void> => {
  await node.close()
  upstream.close()
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void close())
