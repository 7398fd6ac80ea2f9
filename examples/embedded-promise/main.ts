/** Both planes in one process, without a word of Effect: settings in, addresses and `close` out. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startControlPlane, startDataPlane } from "holdfast"

// The certificate that both planes share: `holdfast certs --out certificates` makes one.
const certificates = process.env.CERTIFICATES ?? "certificates"
const shared = {
  cluster_cert: join(certificates, "cluster.crt"),
  cluster_cert_key: join(certificates, "cluster.key")
}
const folder = (name: string) => join(tmpdir(), "holdfast-embedded-promise", name)

const upstream = createServer((request, response) => response.end(`upstream saw ${request.url}\n`))
await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
const { port: upstreamPort } = upstream.address() as AddressInfo

const controlPlane = await startControlPlane({
  ...shared,
  prefix: folder("control-plane"),
  admin_listen: "127.0.0.1:0",
  cluster_listen: "127.0.0.1:0"
})
const dataPlane = await startDataPlane({
  ...shared,
  prefix: folder("data-plane"),
  proxy_listen: `127.0.0.1:${process.env.PORT ?? 8000}`,
  status_listen: "127.0.0.1:0",
  cluster_control_plane: `127.0.0.1:${controlPlane.addresses.cluster[0]?.port}`
})

const put = async (path: string, body: unknown): Promise<void> => {
  const url = `http://127.0.0.1:${controlPlane.addresses.admin[0]?.port}${path}`
  const headers = { "content-type": "application/json" }
  const response = await fetch(url, { method: "PUT", headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
}
await put("/services/s", { url: `http://127.0.0.1:${upstreamPort}` })
await put("/services/s/routes/all", { paths: ["/"] })

console.log(`try: curl localhost:${dataPlane.addresses.proxy[0]?.port}/anything`)

const close = async (): Promise<void> => {
  await dataPlane.close()
  await controlPlane.close()
  upstream.close()
}
// The library installs no signal handlers and never ends the process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void close())
