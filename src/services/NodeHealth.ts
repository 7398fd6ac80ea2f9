/** What the parts of a node tell of themselves so that the status listener, which opens first, can be asked at any time. */
import { Context, Effect, Layer, MutableRef } from "effect"
import type { ExportFacts } from "./export/ExportStatus.ts"
import { type LicenseReport, unlicensed } from "./LicenseGuard.ts"
import type { PeerCounts } from "./PeerListener.ts"
import type { ProxyCounts } from "./Proxy.ts"

/** Of the connection to the control plane, since the node started. */
export interface ConnectionCounts {
  /** Those that did not last are among them. */
  readonly sessions: number
  /** Attempts that led to none. */
  readonly failedDials: number
}

/** Of something that writes or sends beside the request path, since the node started. */
export interface DeliveryCounts {
  readonly delivered: number
  readonly dropped: number
}

export class NodeHealth extends Context.Service<
  NodeHealth,
  {
    /** Set once the proxy listeners are open. */
    readonly proxy: MutableRef.MutableRef<(() => ProxyCounts) | undefined>
    readonly isDraining: MutableRef.MutableRef<boolean>
    /** Why the running configuration is not on disk, while that is so. */
    readonly cacheProblem: MutableRef.MutableRef<string | undefined>
    /** Set on a node that has a control plane; milliseconds since the epoch, of the certificate that is current when asked. */
    readonly clusterCertificateExpiresAtMs: MutableRef.MutableRef<(() => number) | undefined>
    /** How the licence stands, once it has been judged. */
    readonly license: MutableRef.MutableRef<LicenseReport>
    readonly connection: MutableRef.MutableRef<ConnectionCounts>
    /** Set where configurations are exported to object storage. */
    readonly configExport: MutableRef.MutableRef<ExportFacts | undefined>
    /** Set while there is an access log: lines. */
    readonly accessLog: MutableRef.MutableRef<(() => DeliveryCounts) | undefined>
    /** Set while neighbours may ask this node for its configuration. */
    readonly peers: MutableRef.MutableRef<(() => PeerCounts) | undefined>
    /** Set while requests are traced: spans. */
    readonly tracing: MutableRef.MutableRef<(() => DeliveryCounts) | undefined>
  }
>()("holdfast/services/NodeHealth") {
  static readonly layer = Layer.effect(
    NodeHealth,
    Effect.sync(() => ({
      proxy: MutableRef.make<(() => ProxyCounts) | undefined>(undefined),
      isDraining: MutableRef.make(false),
      cacheProblem: MutableRef.make<string | undefined>(undefined),
      clusterCertificateExpiresAtMs: MutableRef.make<(() => number) | undefined>(undefined),
      license: MutableRef.make(unlicensed),
      connection: MutableRef.make<ConnectionCounts>({ sessions: 0, failedDials: 0 }),
      configExport: MutableRef.make<ExportFacts | undefined>(undefined),
      accessLog: MutableRef.make<(() => DeliveryCounts) | undefined>(undefined),
      peers: MutableRef.make<(() => PeerCounts) | undefined>(undefined),
      tracing: MutableRef.make<(() => DeliveryCounts) | undefined>(undefined)
    }))
  )
}
