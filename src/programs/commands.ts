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
    name: "config seal",
    summary: "Validate a configuration wholly and make a cache file of it, after a look at it.",
    operands: ["FILE"],
    flags: {
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
    load: async () => (await import("./quickstart/Echo.ts")).runEcho
  }
]
