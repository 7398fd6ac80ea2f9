/** The rules for `deploy/` find what they are there to find: each time one thing in the real file is broken. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { composeFaults, dockerfileFaults, kubernetesFaults, type Rule } from "../../scripts/deployRules.ts"
import { alertRuleFaults, dashboardFaults, queryFaults } from "../../scripts/monitoringRules.ts"

const read = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url)), "utf8")

type Break = readonly [what: string, found: string | RegExp, instead: string, fault: RegExp]

const breaks = (file: string, rule: Rule, cases: ReadonlyArray<Break>) =>
  describe(file, () => {
    const text = read(file)
    it("is without fault", () => assert.deepStrictEqual(rule(text), []))
    for (const [what, found, instead, fault] of cases) {
      it(`${what} is found`, () => {
        const broken = text.replace(found, instead)
        assert.notStrictEqual(broken, text)
        assert.match(rule(broken).join("\n"), fault)
      })
    }
  })

breaks("docker/Dockerfile", dockerfileFaults, [
  ["a loose tag", /FROM node:\S+ AS build/, "FROM node:latest AS build", /one version/],
  ["root", "USER node", "USER root", /other than root/],
  ["no user", "USER node", "", /other than root/],
  ["no health check", /HEALTHCHECK[\s\S]*?\n {2}CMD.*\n/, "", /HEALTHCHECK/],
  ["ADD", "COPY tools tools", "ADD tools tools", /expected COPY/],
  ["the shell form", 'ENTRYPOINT ["holdfast"]', "ENTRYPOINT holdfast", /exec form/],
  ["sources in the last stage", "USER node", "USER node\nCOPY src src", /from the first one only/]
])

breaks("compose.yaml", composeFaults, [
  ["an undeclared volume", /\n {2}data-plane:\n$/, "\n", /volume data-plane is not declared/],
  ["root", 'command: ["data-plane"]', 'command: ["data-plane"]\n    user: root', /not to run as root/],
  ["a lost service", "\n  echo:", "\n  ohce:", /a service echo/],
  [
    "a dependency on nobody",
    "      certificates:\n        condition",
    "      nobody:\n        condition",
    /nobody, which does not/
  ],
  ["broken YAML", "services:", "services: [", /./]
])

breaks("kubernetes/data-plane.yaml", kubernetesFaults, [
  ["an anchor of another document", "labels:\n", "labels: *labels\n", /labels/],
  ["no readiness probe", "readinessProbe", "readynessProbe", /readinessProbe/],
  ["a probe of an unknown port", "port: status }\n            periodSeconds: 5", "port: nope }", /port nope/],
  ["no drain", "preStop:", "preStart:", /preStop/],
  ["a Service towards no port", "targetPort: proxy }", "targetPort: nope }", /no container has a port nope/],
  ["a selector that misses", /matchLabels:\n.*\n.*data-plane/, "matchLabels:\n      app: x", /does not match its pods/],
  ["a missing volume", "- name: tmp\n          emptyDir", "- name: tpm\n          emptyDir", /mounts tmp/],
  ["root", "runAsNonRoot: true", "runAsNonRoot: false", /runAsNonRoot/],
  ["an image without a tag", "holdfast:0.1.0", "holdfast", /a tag/],
  ["an old API", "apiVersion: apps/v1", "apiVersion: apps/v1beta1", /apps\/v1/]
])

breaks("kubernetes/control-plane.yaml", kubernetesFaults, [
  ["a strange kind", "kind: ConfigMap", "kind: Config", /kind/]
])

breaks("monitoring/holdfast.rules.yml", alertRuleFaults, [
  ["a series that was renamed", "holdfast_ready == 0", "holdfast_is_ready == 0", /no node tells holdfast_is_ready/],
  ["a label that is none", 'license_info{state="expired"}', 'license_info{status="expired"}', /no label status/],
  [
    "an alert that is there twice",
    "HoldfastNotReady",
    "HoldfastDataPlaneDown",
    /HoldfastDataPlaneDown: is there twice/
  ],
  ["no severity", "severity: critical", "severity: bad", /a severity/],
  ["no summary", "summary:", "sumary:", /a summary/],
  ["broken YAML", "groups:", "groups: [", /./]
])

for (const file of ["monitoring/grafana-data-plane.json", "monitoring/grafana-fleet.json"])
  breaks(file, dashboardFaults, [
    ["broken JSON", "{", "", /./],
    ["a series that nobody tells", /"expr": "\w+\{/, '"expr": "holdfast_nothing{', /no node tells holdfast_nothing/],
    ["two panels with one id", '"id": 2,', '"id": 3,', /the same id/],
    ["a variable over nothing", /label_values\(\w+, /, "label_values(holdfast_nothing, ", /\$\w+: no node/]
  ])

describe("queries", () => {
  it("may ask for a histogram's parts, and for nothing that is only nearly there", () => {
    const query = 'histogram_quantile(0.9, sum by (le) (rate(kong_request_latency_ms_bucket{service="x"}[5m])))'
    assert.deepEqual(queryFaults(query), [])
    assert.deepEqual(queryFaults("rate(kong_request_latency_ms[5m])"), ["no node tells kong_request_latency_ms"])
    assert.deepEqual(queryFaults("up == 0 or holdfast_ready_bucket"), ["no node tells holdfast_ready_bucket"])
  })
})
