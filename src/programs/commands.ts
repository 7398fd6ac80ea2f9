/** Every command. What a command needs is loaded with it, so that a data plane starts without the rest. */
import type { Command, CommandFlag } from "./Command.ts"

const configFile: CommandFlag = {
  short: "c",
  value: "FILE",
  help: "Settings from a kong.conf-style file; the environment overrides it."
}

const always = (): boolean => true
const never = (): boolean => false

export const commands: ReadonlyArray<Command> = [
  {
    name: "",
    summary: "Run the role that the settings name.",
    flags: { conf: configFile },
    endsBySignal: always,
    load: async () => (await import("./Daemon.ts")).runDaemon()
  },
  {
    name: "data-plane",
    summary: "Run a data plane: the process that proxies traffic.",
    flags: { conf: configFile },
    endsBySignal: always,
    load: async () => (await import("./Daemon.ts")).runDaemon("data_plane")
  },
  {
    name: "control-plane",
    summary: "Run a control plane: the process that holds the configuration and pushes it.",
    flags: { conf: configFile },
    endsBySignal: always,
    load: async () => (await import("./Daemon.ts")).runDaemon("control_plane")
  },
  {
    name: "quickstart",
    summary: "Run both planes and a sample upstream on this machine, with certificates made on the spot.",
    flags: {
      once: { help: "Play the whole story, outage included, check each step, and end." },
      dir: { value: "DIR", help: "Where everything is kept meanwhile (default .holdfast)." }
    },
    endsBySignal: ({ once }) => once !== true,
    load: async () => (await import("./Quickstart.ts")).runQuickstart
  },
  {
    name: "drill",
    summary: "Play an outage: cp-loss, cold-start, new-node, corrupt-cache, disk-full, expire-license or clock-skew.",
    flags: {
      config: { value: "FILE", help: "A declarative file to drill; its upstreams are replaced by the drill's own." },
      report: { value: "DIR", help: "Where a report in Markdown and JSON goes." },
      "skip-unanswered": { help: "Drill what is left when a first look finds requests that are not answered." }
    },
    operands: ["DRILL"],
    exitCodes: "0 every promise was kept, 1 one was broken, 2 wrong usage, 3 it could not be played to its end.",
    endsBySignal: never,
    load: async () => (await import("./Drill.ts")).runDrill
  },
  {
    name: "simulate",
    summary: "Run a fleet of both planes in one process and virtual time, under faults drawn from a seed.",
    flags: {
      nodes: { value: "N", help: "How many data planes (default 100)." },
      hours: { value: "H", help: "How many virtual hours of faults." },
      minutes: { value: "M", help: "The same in minutes (default 60)." },
      seed: { value: "S", help: "Where everything random comes from; drawn and printed when it is not given." },
      swarm: { value: "N", help: "Run N seeds, one after the other, beginning with the given one." },
      canary: { help: "Plant a bug, drawn from the seed, in every node: it must be caught." },
      bug: { value: "NAME", help: "Plant this one: a wrong name is answered with all of them." },
      report: { value: "DIR", help: "Where a report in Markdown, JSON and SVG goes." },
      transcript: { value: "FILE", help: "Where every transition goes, a line each." },
      quiet: { help: "Say the verdict and nothing else." }
    },
    endsBySignal: never,
    load: async () => (await import("./Simulate.ts")).runSimulate
  },
  {
    name: "certs",
    summary: "Make the certificate and key that both planes share.",
    flags: {
      out: { value: "DIR", help: "Where cluster.crt and cluster.key go; nothing is overwritten.", isRequired: true },
      days: { value: "N", help: "How long the certificate is valid (default 1095)." }
    },
    endsBySignal: never,
    load: async () => (await import("./Certs.ts")).runCerts
  },
  {
    name: "license keygen",
    summary: "Make an Ed25519 key pair to sign and check licences with.",
    flags: {
      out: { value: "FILE", help: "Where the private key goes; the public one to FILE.pub.", isRequired: true }
    },
    endsBySignal: never,
    load: async () => (await import("./license/Keygen.ts")).runKeygen
  },
  {
    name: "license issue",
    summary: "Sign a licence.",
    flags: {
      key: { value: "KEY", help: "Private key to sign with, as license keygen makes it.", isRequired: true },
      out: { value: "FILE", help: "Where the licence goes; nothing is overwritten.", isRequired: true },
      expires: { value: "DATE", help: "First day on which it is not valid, YYYY-MM-DD (default: in 365 days)." },
      customer: { value: "NAME", help: "Whose licence it is." },
      subscription: { value: "TEXT", help: "What was subscribed to." },
      support: { value: "TEXT", help: "The plan of support." },
      seats: { value: "N", help: "Seats of administrators; nobody counts them." },
      dataplanes: { value: "N", help: "Data planes; nobody counts them." }
    },
    endsBySignal: never,
    load: async () => (await import("./license/Issue.ts")).runIssue
  },
  {
    name: "license verify",
    summary: "Show what a licence says; exit code 1 when it has expired or its signature does not fit.",
    flags: { "public-key": { value: "FILE", help: "Public keys to check the signature by, one or several." } },
    operands: ["FILE"],
    endsBySignal: never,
    load: async () => (await import("./license/Verify.ts")).runVerify
  },
  {
    name: "config keygen",
    summary: "Make an Ed25519 key pair to sign and check configurations with, or a pair to encrypt them to.",
    flags: {
      out: { value: "FILE", help: "Where the private key goes; the public one to FILE.pub.", isRequired: true },
      encryption: { help: "Make an age key pair, for config_encryption_recipients and config_decryption_keys." }
    },
    endsBySignal: never,
    load: async () => (await import("./ConfigKeygen.ts")).runConfigKeygen
  },
  {
    name: "config seal",
    summary: "Validate a configuration wholly and make a cache file of it, after a look at it.",
    operands: ["FILE"],
    flags: {
      key: {
        value: "KEY",
        help: "Private key to sign with, one that nodes trust by config_trust_keys; without it the seal is this node's own."
      },
      "rollback-over": {
        value: "NEWER",
        help: "Sign it as a rollback over this cache file or envelope, so that it serves though it is older."
      },
      out: {
        value: "OUT",
        help: "Where the cache file goes; FILE itself unless FILE is a declarative document (JSON or YAML)."
      },
      conf: {
        ...configFile,
        help: "The node's settings file, for the keys of an encrypted cache; the environment overrides it."
      }
    },
    endsBySignal: never,
    load: async () => (await import("./ConfigSeal.ts")).runConfigSeal
  },
  {
    name: "echo",
    summary: "Run the quickstart's sample upstream.",
    flags: { port: { value: "PORT", help: "Port on 127.0.0.1.", isRequired: true } },
    isHidden: true,
    endsBySignal: always,
    load: async () => (await import("./stage/Echo.ts")).runEcho
  },
  {
    name: "drill-node",
    summary: "Run a data plane whose clock and disk a drill steers.",
    flags: {
      conf: configFile,
      faults: { value: "FILE", help: "What its machine does wrong at the start, as JSON.", isRequired: true }
    },
    isHidden: true,
    endsBySignal: always,
    load: async () => (await import("./drill/DrillNode.ts")).runDrillNode
  }
]
