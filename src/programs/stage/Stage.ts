/** What a story is played on: a directory with certificates, settings and logs, and three processes that use them. */

import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { clusterCertificateDays } from "../../layers/credentials/ClusterCertificate.ts"
import { StartError } from "../../services/StartError.ts"
import { type CertificateFiles, writeClusterCertificate } from "../Certs.ts"
import type { GivenSettings } from "../parts.ts"
import { type Child, makeChild } from "./Child.ts"
import type { Ports } from "./Ports.ts"
import { ask, eventually, type StepFailed } from "./Probe.ts"

export interface Stage {
  readonly directory: string
  readonly ports: Ports
  readonly echo: Child
  readonly controlPlane: Child
  readonly dataPlane: Child
  /** Another node of the same cluster; not started unless a story does it. */
  readonly neighbour: Child
  readonly urls: { readonly proxy: string; readonly admin: string; readonly status: string }
  /** Settings of the data plane's next start, beside those that the stage gives it; they replace former ones. */
  readonly setDataPlane: (settings: GivenSettings) => Effect.Effect<void>
}

export interface StageOptions {
  /** Absolute, there, and free of what a stage leaves behind. */
  readonly directory: string
  readonly ports: Ports
  /** How the data plane is run, in words of the command line; its settings file follows. */
  readonly dataPlaneCommand?: ReadonlyArray<string>
  readonly dataPlaneSettings?: GivenSettings
  readonly controlPlaneSettings?: GivenSettings
  /** Of a second node, which has its listeners from here alone. */
  readonly neighbourSettings?: GivenSettings
}

export const startWithinMs = 15_000

/** What a stage makes in its directory. */
export const stageFiles = [
  "certs",
  "control-plane",
  "data-plane",
  "neighbour",
  "control-plane.conf",
  "data-plane.conf",
  "neighbour.conf",
  "control-plane.log",
  "data-plane.log",
  "neighbour.log",
  "echo.log"
]

const conf = (settings: GivenSettings): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} = ${value.includes("#") ? JSON.stringify(value) : value}\n`)
    .join("")

const shared = ({ cert, key }: CertificateFiles): GivenSettings => ({ cluster_cert: cert, cluster_cert_key: key })

const controlPlaneSettings = ({ directory, ports }: StageOptions, certificate: CertificateFiles): GivenSettings => ({
  role: "control_plane",
  database: "sqlite",
  prefix: join(directory, "control-plane"),
  admin_listen: `127.0.0.1:${ports.admin}`,
  cluster_listen: `127.0.0.1:${ports.cluster}`,
  ...shared(certificate)
})

const dataPlaneSettings = ({ directory, ports }: StageOptions, certificate: CertificateFiles): GivenSettings => ({
  role: "data_plane",
  database: "off",
  prefix: join(directory, "data-plane"),
  proxy_listen: `127.0.0.1:${ports.proxy}`,
  status_listen: `127.0.0.1:${ports.status}`,
  cluster_control_plane: `127.0.0.1:${ports.cluster}`,
  ...shared(certificate)
})

const makeFolders = (directory: string): Effect.Effect<void, StartError> =>
  Effect.try({
    try: () => {
      for (const name of ["control-plane", "data-plane", "neighbour"])
        mkdirSync(join(directory, name), { recursive: true })
    },
    catch: (cause) => new StartError({ faults: [{ path: [], message: String(cause), value: directory }], exitCode: 1 })
  })

/** Nothing runs yet: the story starts what it needs, when it needs it. */
export const raiseStage = (options: StageOptions): Effect.Effect<Stage, StartError, Scope.Scope> =>
  Effect.gen(function* () {
    const { directory, ports, dataPlaneCommand = ["data-plane"] } = options
    yield* makeFolders(directory)
    const certificate = yield* writeClusterCertificate(join(directory, "certs"), clusterCertificateDays)
    const write = (name: string, settings: GivenSettings) =>
      Effect.sync(() => writeFileSync(join(directory, `${name}.conf`), conf(settings)))
    const setDataPlane = (settings: GivenSettings) =>
      write("data-plane", {
        ...dataPlaneSettings(options, certificate),
        ...options.dataPlaneSettings,
        ...settings
      })
    yield* write("control-plane", {
      ...controlPlaneSettings(options, certificate),
      ...options.controlPlaneSettings
    })
    yield* write("neighbour", {
      ...dataPlaneSettings(options, certificate),
      prefix: join(directory, "neighbour"),
      ...options.neighbourSettings
    })
    yield* setDataPlane({})
    const child = (name: string, args: ReadonlyArray<string>) =>
      makeChild({ name, args, logFile: join(directory, `${name}.log`) })
    return {
      directory,
      ports,
      echo: yield* child("echo", ["echo", "--port", String(ports.echo)]),
      controlPlane: yield* child("control-plane", ["control-plane", "-c", join(directory, "control-plane.conf")]),
      dataPlane: yield* child("data-plane", [...dataPlaneCommand, "-c", join(directory, "data-plane.conf")]),
      neighbour: yield* child("neighbour", ["data-plane", "-c", join(directory, "neighbour.conf")]),
      urls: {
        proxy: `http://127.0.0.1:${ports.proxy}`,
        admin: `http://127.0.0.1:${ports.admin}`,
        status: `http://127.0.0.1:${ports.status}`
      },
      setDataPlane
    }
  })

/** Whoever is gone will not answer: that it is, and why, is told at once. */
const untilAnswers = ({ gone }: Child, url: string): Effect.Effect<unknown, StepFailed> =>
  Effect.raceFirst(eventually(startWithinMs, ask({ url })), gone)

export const untilEchoAnswers = ({ echo, ports }: Stage): Effect.Effect<unknown, StepFailed> =>
  untilAnswers(echo, `http://127.0.0.1:${ports.echo}/`)

export const untilAdminAnswers = ({ controlPlane, urls }: Stage): Effect.Effect<unknown, StepFailed> =>
  untilAnswers(controlPlane, `${urls.admin}/status`)

export const untilStatusAnswers = ({ dataPlane, urls }: Stage): Effect.Effect<unknown, StepFailed> =>
  untilAnswers(dataPlane, `${urls.status}/status`)
