/** Every part of a data plane that can be swapped, with the layer that stands there by default. */

import { FetchHttpClient } from "effect/http"
import * as AgeEnvelopes from "../layers/AgeEnvelopes.ts"
import * as BufferedAccessLog from "../layers/access-log/BufferedAccessLog.ts"
import * as CryptoSecureRandom from "../layers/CryptoSecureRandom.ts"
import * as EncryptedCache from "../layers/cache-keys/EncryptedCache.ts"
import * as SettingsCacheKeys from "../layers/cache-keys/SettingsCacheKeys.ts"
import * as HttpsPeerListener from "../layers/cluster-listener/HttpsPeerListener.ts"
import * as TlsClusterTransport from "../layers/cluster-transport/TlsClusterTransport.ts"
import * as KeyedConfigTrust from "../layers/config-trust/KeyedConfigTrust.ts"
import * as CountedRequests from "../layers/counted-requests/CountedRequests.ts"
import * as GeneratedServerCertificate from "../layers/credentials/GeneratedServerCertificate.ts"
import * as PemClusterIdentity from "../layers/credentials/PemClusterIdentity.ts"
import * as PemUpstreamCredentials from "../layers/credentials/PemUpstreamCredentials.ts"
import * as DiskConfigCache from "../layers/disk-cache/DiskConfigCache.ts"
import * as DnsNameServers from "../layers/dns/DnsNameServers.ts"
import * as DnsResolver from "../layers/dns/DnsResolver.ts"
import * as FileDeclarativeConfig from "../layers/FileDeclarativeConfig.ts"
import * as FileErrorTemplates from "../layers/FileErrorTemplates.ts"
import * as FileIdentity from "../layers/FileIdentity.ts"
import * as GzipConfigReceiver from "../layers/GzipConfigReceiver.ts"
import * as HttpProxy from "../layers/http-proxy/HttpProxy.ts"
import * as WatchingLicenseGuard from "../layers/license/WatchingLicenseGuard.ts"
import * as GatheredNodeMetrics from "../layers/metrics/GatheredNodeMetrics.ts"
import * as NodeDisk from "../layers/NodeDisk.ts"
import * as WorkerConfigStorage from "../layers/object-storage/WorkerConfigStorage.ts"
import * as OtlpMetricsExport from "../layers/opentelemetry/OtlpMetricsExport.ts"
import * as OtlpTracing from "../layers/opentelemetry/OtlpTracing.ts"
import * as OutletConnection from "../layers/outlet/OutletConnection.ts"
import * as PingHeartbeat from "../layers/PingHeartbeat.ts"
import * as PeerRung from "../layers/peer-rung/PeerRung.ts"
import * as RefLiveConfig from "../layers/RefLiveConfig.ts"
import * as StatFileWatch from "../layers/StatFileWatch.ts"
import * as HttpStatusListener from "../layers/status-listener/HttpStatusListener.ts"
import * as TraditionalCompatibleRouter from "../layers/TraditionalCompatibleRouter.ts"
import * as TrustedClockOnDisk from "../layers/TrustedClockOnDisk.ts"
import * as SpoolDelivery from "../layers/telemetry-delivery/SpoolDelivery.ts"
import * as DiskTelemetrySpool from "../layers/telemetry-spool/DiskTelemetrySpool.ts"
import * as WebSocketDialer from "../layers/WebSocketDialer.ts"
import * as ZlibCompression from "../layers/ZlibCompression.ts"
import { ReconnectPolicy } from "../services/ReconnectPolicy.ts"
import { RequestObservers } from "../services/RequestObservers.ts"
import type { PartsOf } from "./parts.ts"
import { remoteRungs } from "./remoteRungs.ts"

export const dataPlaneParts = {
  /** The file system. */
  disk: NodeDisk.layer,
  /** What nobody can guess. */
  secureRandom: CryptoSecureRandom.layer,
  /** What time the node believes it is. */
  trustedClock: TrustedClockOnDisk.layer,
  /** Who the node is: its id, host name and version. */
  identity: FileIdentity.layer,
  /** Makes the request path's data out of a validated configuration. */
  router: TraditionalCompatibleRouter.layer,
  /** Validates, compiles and swaps the configuration that is served. */
  liveConfig: RefLiveConfig.layer,
  compression: ZlibCompression.layer,
  /** Whom the node believes: the signatures of configurations, and its own seal. */
  configTrust: KeyedConfigTrust.layer,
  /** What a configuration goes through on its way to object storage and back. */
  envelopeProtection: AgeEnvelopes.layer,
  /** The keys by which the cache is encrypted, where it is. */
  cacheKeys: SettingsCacheKeys.layer,
  /** What the cache's bytes go through on their way to the disk and back. */
  cacheProtection: EncryptedCache.layer,
  /** Keeps the newest configuration for the next start. */
  configCache: DiskConfigCache.layer,
  /** What is served when nothing better is at hand. */
  declarativeConfig: FileDeclarativeConfig.layer,
  /** Where configurations lie for nodes that can't reach their control plane, where that is asked for. */
  configStorage: WorkerConfigStorage.layer,
  /** Where a configuration may be found over the network while the control plane is away. */
  remoteRungs,
  /** What neighbours have, where `config_peers` names some; one of the remote rungs. */
  peerRungs: PeerRung.layer,
  /** Gives the configuration that serves to neighbours, where that is asked for. */
  peerListener: HttpsPeerListener.layer,
  /** Tells when a file was changed: the cache or the declarative file by hand, certificates by whoever rotates them. */
  fileWatch: StatFileWatch.layer,
  /** Judges the licence, and stops the proxy while it says so. */
  licenseGuard: WatchingLicenseGuard.layer,
  /** One look at every metric, for whoever scrapes or exports. */
  nodeMetrics: GatheredNodeMetrics.layer,
  /** Answers probes and scrapes. */
  statusListener: HttpStatusListener.layer,
  /** The certificate of the TLS proxy listeners for names that no configured certificate is for. */
  serverCertificate: GeneratedServerCertificate.layer,
  /** Client certificate and trust towards upstreams, where the configuration leaves them open. */
  upstreamCredentials: PemUpstreamCredentials.layer,
  /** Bodies of errors in the operator's own words. */
  errorTemplates: FileErrorTemplates.layer,
  /** Finds the addresses of upstream host names. */
  resolver: DnsResolver.layer,
  /** Finds every address of a neighbour's name. */
  nameServers: DnsNameServers.layer,
  /** Counts requests, for telemetry and metrics. */
  requestCounters: CountedRequests.layer,
  /** Every HTTP request that the node makes on its own account: to a collector of telemetry. */
  httpClient: FetchHttpClient.layer,
  /** Says which trace a request belongs to, and tells a collector, where that is asked for. */
  tracing: OtlpTracing.layer,
  /** Brings metrics to a collector, where that is asked for. */
  metricsExport: OtlpMetricsExport.layer,
  /** Writes a line for each request, where that is asked for. */
  accessLog: BufferedAccessLog.layer,
  /** Who hears of every request when it is over, besides those that count it. */
  requestObservers: RequestObservers.none,
  /** Carries the traffic. */
  proxy: HttpProxy.layer,
  /** Keeps what was counted until the control plane has it. */
  telemetrySpool: DiskTelemetrySpool.layer,
  /** Who the node is towards its control plane. */
  clusterIdentity: PemClusterIdentity.layerToleratingExpiry,
  /** Opens every connection to a control plane, through the forward proxy where there is one. */
  clusterTransport: TlsClusterTransport.layer,
  /** Opens the WebSocket to the control plane. */
  clusterDialer: WebSocketDialer.layer,
  /** How long to wait between two attempts. */
  reconnectPolicy: ReconnectPolicy.layer,
  heartbeat: PingHeartbeat.layer,
  /** Takes what the control plane sends. */
  configReceiver: GzipConfigReceiver.layer,
  /** Connects to the control plane, for ever. */
  connection: OutletConnection.layer,
  /** Opens the WebSocket over which telemetry is delivered. */
  telemetryDialer: WebSocketDialer.layerForTelemetry,
  /** Brings what is spooled to the control plane, for ever. */
  telemetryDelivery: SpoolDelivery.layer
}

/** See `DataPlane.layer`. */
export type DataPlaneParts = PartsOf<typeof dataPlaneParts>
