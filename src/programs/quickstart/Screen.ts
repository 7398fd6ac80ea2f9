/** What the quickstart shows once everything runs: where things are, and what to try. */
import { relative } from "node:path"
import type { Stage } from "../stage/Stage.ts"

const here = (path: string): string => relative(process.cwd(), path) || "."

export const screen = ({ directory, urls, controlPlane, dataPlane, echo, ports }: Stage): string => {
  const program = `node ${here(process.argv[1] ?? "")}`
  return `
  proxy          ${urls.proxy.padEnd(24)} data plane, PID ${dataPlane.pid()}
  status         ${urls.status}/status
  admin          ${urls.admin.padEnd(24)} control plane, PID ${controlPlane.pid()}
  echo upstream  ${`http://127.0.0.1:${ports.echo}`.padEnd(24)} PID ${echo.pid()}
  settings, logs ${here(directory)}/

Send a request through the proxy:
  curl -i ${urls.proxy}/hello

Change the route, and see the change at once:
  curl -sX PATCH ${urls.admin}/routes/hello -H 'content-type: application/json' \\
    -d '{"paths": ["/hello", "/moin"]}' && curl -i ${urls.proxy}/moin

Kill the control plane, and see that traffic goes on:
  kill -9 ${controlPlane.pid()}; curl -i ${urls.proxy}/hello

Start it again; the data plane finds it within 10 s:
  ${program} control-plane -c ${here(directory)}/control-plane.conf

Ctrl-C ends everything.`
}
