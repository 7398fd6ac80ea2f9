/** What has to hold of the files in `deploy/`, which this project's machines can't run: a function from text to faults. */
import { parseAllDocuments } from "yaml"
import { isRecord, type Row } from "../src/model/Entity.ts"

export type Rule = (text: string) => ReadonlyArray<string>

const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value
  )

const listAt = (value: unknown, ...path: ReadonlyArray<string | number>): ReadonlyArray<Row> => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found.filter(isRecord) : []
}

/** The documents of a YAML file, or why there are none. Every error counts, an unknown alias too. */
const documentsOf = (
  text: string
): { readonly documents: ReadonlyArray<Row>; readonly faults: ReadonlyArray<string> } => {
  const parsed = parseAllDocuments(text, { merge: true })
  if (!Array.isArray(parsed)) return { documents: [], faults: ["the file is empty"] }
  const faults = parsed.flatMap(({ errors }) => errors.map(({ message }) => message))
  if (faults.length > 0) return { documents: [], faults }
  const documents = parsed.map((document): unknown => document.toJS())
  return documents.every(isRecord) ? { documents, faults: [] } : { documents: [], faults: ["a document is no map"] }
}

const instructionsOf = (text: string): ReadonlyArray<readonly [string, string]> =>
  text
    .replaceAll(/^\s*#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [word = "", ...rest] = line.trim().split(/\s+/)
      return [word.toUpperCase(), rest.join(" ")] as const
    })

/** Multi-stage, pinned, not as root, with a health check; COPY and not ADD; the exec form, so that signals arrive. */
export const dockerfileFaults: Rule = (text) => {
  const all = instructionsOf(text)
  const of = (word: string) => all.filter(([found]) => found === word).map(([, rest]) => rest)
  const stages = of("FROM")
  const user = of("USER").at(-1)
  const copiesOfLast = all.slice(all.findLastIndex(([word]) => word === "FROM")).filter(([word]) => word === "COPY")
  return [
    ...(stages.length < 2 ? ["expected a stage that builds and a stage that runs"] : []),
    ...stages
      .filter((image) => !/^\S+:\d+\.\d+\.\d+[\w.-]*( AS \w+)?$/i.test(image))
      .map((image) => `FROM ${image}: expected a tag that names one version`),
    ...(user === undefined || /^(root|0)\b/.test(user) ? ["expected a USER other than root in the last stage"] : []),
    ...(of("HEALTHCHECK").some((check) => /\/status\/ready/.test(check))
      ? []
      : ["expected a HEALTHCHECK on /status/ready"]),
    ...of("ADD").map((what) => `ADD ${what}: expected COPY`),
    ...copiesOfLast
      .filter(([, what]) => !what.includes("--from="))
      .map(([, what]) => `COPY ${what}: expected the last stage to take from the first one only`),
    ...of("ENTRYPOINT")
      .filter((command) => !command.startsWith("["))
      .map((command) => `ENTRYPOINT ${command}: expected the exec form`)
  ]
}

const volumeName = (mount: unknown): string => String(mount).split(":")[0] ?? ""

/** Every service has an image, its volumes are declared, its dependencies exist; the planes are watched. */
export const composeFaults: Rule = (text) => {
  const { documents, faults } = documentsOf(text)
  const [file] = documents
  const services = Object.entries((at(file, "services") ?? {}) as Readonly<Record<string, Row>>)
  const names = services.map(([name]) => name)
  const volumes = Object.keys((at(file, "volumes") ?? {}) as Row)
  return [
    ...faults,
    ...(faults.length > 0 ? [] : ["control-plane", "data-plane", "echo", "certificates"])
      .filter((name) => !names.includes(name))
      .map((name) => `expected a service ${name}`),
    ...services.flatMap(([name, service]) => [
      ...(typeof service.image === "string" ? [] : [`${name}: expected an image`]),
      ...(service.user === "root" ? [`${name}: expected not to run as root`] : []),
      ...((service.volumes ?? []) as ReadonlyArray<unknown>)
        .map(volumeName)
        .filter((volume) => !volume.startsWith(".") && !volumes.includes(volume))
        .map((volume) => `${name}: the volume ${volume} is not declared`),
      ...Object.keys((service.depends_on ?? {}) as Row)
        .filter((other) => !names.includes(other))
        .map((other) => `${name}: depends on ${other}, which does not exist`)
    ])
  ]
}

const requiredOf: Readonly<Record<string, string>> = {
  ConfigMap: "v1",
  Secret: "v1",
  Service: "v1",
  Deployment: "apps/v1",
  StatefulSet: "apps/v1",
  PodDisruptionBudget: "policy/v1"
}

const containerFaults = (container: Row, volumes: ReadonlySet<unknown>): ReadonlyArray<string> => {
  const ports = new Set(listAt(container, "ports").map(({ name }) => name))
  const probes = ["readinessProbe", "livenessProbe"] as const
  return [
    ...probes.filter((probe) => container[probe] === undefined).map((probe) => `expected a ${probe}`),
    ...probes
      .map((probe) => at(container, probe, "httpGet", "port") ?? at(container, probe, "tcpSocket", "port"))
      .filter((port) => port !== undefined && !ports.has(port))
      .map((port) => `a probe asks port ${port}, which the container doesn't name`),
    ...(at(container, "lifecycle", "preStop") === undefined ? ["expected a preStop hook that drains"] : []),
    ...(at(container, "resources", "limits", "memory") === undefined ? ["expected a memory limit"] : []),
    ...(at(container, "securityContext", "allowPrivilegeEscalation") === false
      ? []
      : ["expected no privilege escalation"]),
    ...(typeof container.image === "string" && /:[^/]+$/.test(container.image) ? [] : ["expected an image with a tag"]),
    ...listAt(container, "volumeMounts")
      .filter(({ name }) => !volumes.has(name))
      .map(({ name }) => `mounts ${name}, which is no volume of the pod`)
  ]
}

const workloadFaults = (resource: Row): ReadonlyArray<string> => {
  const pod = at(resource, "spec", "template", "spec")
  const volumes = new Set([
    ...listAt(pod, "volumes").map(({ name }) => name),
    ...listAt(resource, "spec", "volumeClaimTemplates").map((claim) => at(claim, "metadata", "name"))
  ])
  const selector = JSON.stringify(at(resource, "spec", "selector", "matchLabels"))
  const labels = JSON.stringify(at(resource, "spec", "template", "metadata", "labels"))
  return [
    ...(selector === labels ? [] : ["its selector does not match its pods"]),
    ...(at(pod, "securityContext", "runAsNonRoot") === true ? [] : ["expected runAsNonRoot"]),
    ...(listAt(pod, "containers").length > 0 ? [] : ["expected containers"]),
    ...listAt(pod, "containers").flatMap((container) => containerFaults(container, volumes))
  ]
}

/** The target ports that the workloads of a file name, for its Services. */
const portsIn = (resources: ReadonlyArray<Row>): ReadonlySet<unknown> =>
  new Set(
    resources.flatMap((resource) =>
      listAt(resource, "spec", "template", "spec", "containers").flatMap((container) =>
        listAt(container, "ports").map(({ name }) => name)
      )
    )
  )

/** The fields that the API server requires, and what this project wants of every workload. */
export const kubernetesFaults: Rule = (text) => {
  const { documents, faults } = documentsOf(text)
  const ports = portsIn(documents)
  const ofOne = (resource: Row): ReadonlyArray<string> => {
    const version = requiredOf[String(resource.kind)]
    if (version === undefined) return [`unexpected kind ${resource.kind}`]
    return [
      ...(resource.apiVersion === version ? [] : [`expected apiVersion ${version}`]),
      ...(typeof at(resource, "metadata", "name") === "string" ? [] : ["expected a name"]),
      ...(resource.kind === "StatefulSet" || resource.kind === "Deployment" ? workloadFaults(resource) : []),
      ...(resource.kind === "Service"
        ? listAt(resource, "spec", "ports")
            .filter(({ targetPort }) => !ports.has(targetPort))
            .map(({ targetPort }) => `no container has a port ${targetPort}`)
        : [])
    ]
  }
  const label = (resource: Row) => `${resource.kind} ${at(resource, "metadata", "name")}`
  return [...faults, ...documents.flatMap((resource) => ofOne(resource).map((fault) => `${label(resource)}: ${fault}`))]
}
