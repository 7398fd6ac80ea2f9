/**
 * A configuration whose traffic can go nowhere but to the drill's own echo: routes as they are, and every way to an
 * upstream replaced. Each replacement is told.
 */
import type { ConfigTable } from "../../model/ConfigTable.ts"
import type { Service, Upstream } from "../../model/Entities.ts"

export interface SafeConfig {
  readonly table: ConfigTable
  /** What was changed, in words. */
  readonly changes: ReadonlyArray<string>
}

const isHttp = (protocol: string): boolean => protocol === "http" || protocol === "https"

/**
 * The echo answers at once, a busy machine may not. How patient a service is with its upstream is not what a drill is
 * about, and its traffic gives up after 5 s by itself.
 */
const patientMs = 10_000

const timeouts = ["connect_timeout", "write_timeout", "read_timeout"] as const

const isTight = (service: Service): boolean => timeouts.some((name) => service[name] < patientMs)

const patient = (service: Service) => ({
  connect_timeout: Math.max(service.connect_timeout, patientMs),
  write_timeout: Math.max(service.write_timeout, patientMs),
  read_timeout: Math.max(service.read_timeout, patientMs)
})

/** Balancing stays in play: a service that names an upstream of the configuration goes on naming it. */
const safeService = (service: Service, upstreams: ReadonlySet<string>, echoPort: number): Service => ({
  ...service,
  ...(isHttp(service.protocol) ? { protocol: "http" as const } : {}),
  host: upstreams.has(service.host) ? service.host : "127.0.0.1",
  port: echoPort,
  ...patient(service),
  client_certificate: null,
  tls_verify: null,
  tls_verify_depth: null,
  ca_certificates: null
})

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`

export const makeSafe = (
  table: ConfigTable,
  { echoPort, freshId }: { readonly echoPort: number; readonly freshId: () => string }
): SafeConfig => {
  const names = new Set(table.upstreams.map(({ name }) => name))
  const services = table.services.map((service) => safeService(service, names, echoPort))
  const upstreams = table.upstreams.map((upstream): Upstream => ({ ...upstream, client_certificate: null }))
  const targets = upstreams.map(({ id }) => ({
    id: freshId(),
    created_at: null,
    updated_at: null,
    ws_id: null,
    tags: null,
    upstream: id,
    target: `127.0.0.1:${echoPort}`,
    weight: 100
  }))
  const tight = table.services.filter(isTight)
  const echo = `the drill's echo, 127.0.0.1:${echoPort}`
  const { licenses, plugins } = table
  return {
    table: { ...table, services, upstreams, targets, licenses: [], plugins: [], keyauth_credentials: [] },
    changes: [
      ...(services.length > 0 ? [`${plural(services.length, "service")} lead to ${echo}, by plain HTTP`] : []),
      ...(tight.length > 0
        ? [`${plural(tight.length, "service")} with a timeout under ${patientMs / 1000} s: ${patientMs / 1000} s now`]
        : []),
      ...(upstreams.length > 0
        ? [
            `${plural(upstreams.length, "upstream")} with ${plural(table.targets.length, "target")}: one target each now, the echo`
          ]
        : []),
      ...(plugins.length > 0
        ? [
            `${plural(plugins.length, "plugin")} left out: a drill has no credentials, and asks for the upstream's own answers`
          ]
        : []),
      ...(licenses.length > 0 ? [`${plural(licenses.length, "licence")} left out: a drill has its own, or none`] : [])
    ]
  }
}
