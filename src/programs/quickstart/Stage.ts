/** The quickstart's stage: a directory with certificates, settings and logs, and three processes that use them. */

import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Effect, type Scope } from "effect"
import { clusterCertificateDays } from "../../layers/credentials/ClusterCertificate.ts"
import { StartError } from "../../services/StartError.ts"
import { writeClusterCertificate } from "../Certs.ts"
import { type Child, makeChild } from "./Child.ts"
import { choosePorts, type Ports } from "./Ports.ts"
import { ask, eventually, type StepFailed } from "./Probe.ts"

export interface Stage {
  readonly directory: string
  readonly ports: Ports
  readonly echo: Child
  readonly controlPlane: Child
  readonly dataPlane: Child
  readonly urls: { readonly proxy: string; readonly admin: string; readonly status: string }
}

const startWithinMs = 15_000

/** Only what a quickstart itself leaves behind, whatever else `--dir` may hold. */
const leftovers = [
  "certs",
  "control-plane",
  "data-plane",
  "control-plane.conf",
  "data-plane.conf",
  "control-plane.log",
  "data-plane.log",
  "echo.log"
]

const conf = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} = ${value.includes("#") ? JSON.stringify(value) : value}\n`)
    .join("")

/** Says that what bears the names above was made by a quickstart, and may go. */
const marker = "made-by-holdfast-quickstart"

const refuseForeign = (directory: string): Effect.Effect<void, StartError> => {
  const found = existsSync(join(directory, marker)) ? [] : leftovers.filter((name) => existsSync(join(directory, name)))
  if (found.length === 0) return Effect.void
  const message = `expected an empty directory or one of a former quickstart, for it would replace ${found.join(", ")}`
  return Effect.fail(new StartError({ faults: [{ path: ["--dir"], message, value: directory }], exitCode: 1 }))
}

const clean = (directory: string): Effect.Effect<void, StartError> =>
  Effect.try({
    try: () => {
      for (const name of leftovers) rmSync(join(directory, name), { recursive: true, force: true })
      writeFileSync(join(directory, marker), "")
      mkdirSync(join(directory, "control-plane"), { recursive: true })
      mkdirSync(join(directory, "data-plane"), { recursive: true })
    },
    catch: (cause) =>
      new StartError({ faults: [{ path: ["--dir"], message: String(cause), value: directory }], exitCode: 1 })
  })

const prepare = (directory: string): Effect.Effect<void, StartError> =>
  Effect.andThen(refuseForeign(directory), clean(directory))

const writeSettings = (directory: string, ports: Ports): Effect.Effect<void, StartError> =>
  Effect.gen(function* () {
    const certificate = yield* writeClusterCertificate(join(directory, "certs"), clusterCertificateDays)
    const shared = { cluster_cert: certificate.cert, cluster_cert_key: certificate.key }
    const controlPlane = conf({
      role: "control_plane",
      database: "sqlite",
      prefix: join(directory, "control-plane"),
      admin_listen: `127.0.0.1:${ports.admin}`,
      cluster_listen: `127.0.0.1:${ports.cluster}`,
      ...shared
    })
    const dataPlane = conf({
      role: "data_plane",
      database: "off",
      prefix: join(directory, "data-plane"),
      proxy_listen: `127.0.0.1:${ports.proxy}`,
      status_listen: `127.0.0.1:${ports.status}`,
      cluster_control_plane: `127.0.0.1:${ports.cluster}`,
      ...shared
    })
    yield* Effect.sync(() => {
      writeFileSync(join(directory, "control-plane.conf"), controlPlane)
      writeFileSync(join(directory, "data-plane.conf"), dataPlane)
    })
  })

export const setStage = (dir: string): Effect.Effect<Stage, StartError, Scope.Scope> =>
  Effect.gen(function* () {
    const directory = resolve(dir)
    const ports = yield* choosePorts
    yield* prepare(directory)
    yield* writeSettings(directory, ports)
    const child = (name: string, args: ReadonlyArray<string>) =>
      makeChild({ name, args, logFile: join(directory, `${name}.log`) })
    return {
      directory,
      ports,
      echo: yield* child("echo", ["echo", "--port", String(ports.echo)]),
      controlPlane: yield* child("control-plane", ["control-plane", "-c", join(directory, "control-plane.conf")]),
      dataPlane: yield* child("data-plane", ["data-plane", "-c", join(directory, "data-plane.conf")]),
      urls: {
        proxy: `http://127.0.0.1:${ports.proxy}`,
        admin: `http://127.0.0.1:${ports.admin}`,
        status: `http://127.0.0.1:${ports.status}`
      }
    }
  })

export const untilEchoAnswers = ({ ports }: Stage): Effect.Effect<unknown, StepFailed> =>
  eventually(startWithinMs, ask({ url: `http://127.0.0.1:${ports.echo}/` }))

export const untilAdminAnswers = ({ urls }: Stage): Effect.Effect<unknown, StepFailed> =>
  eventually(startWithinMs, ask({ url: `${urls.admin}/status` }))

export const untilStatusAnswers = ({ urls }: Stage): Effect.Effect<unknown, StepFailed> =>
  eventually(startWithinMs, ask({ url: `${urls.status}/status` }))
