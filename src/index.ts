/**
 * The library: a gateway data plane and its control plane as Layers, and every part of them, so that a gateway of one's
 * own replaces any one part. For those who don't write Effect: `startDataPlane` and `startControlPlane`.
 *
 * Nothing here installs a signal handler, ends the process or starts another one.
 */

export * as ConsoleLog from "./layers/ConsoleLog.ts"
export * as ControlPlaneStatusListener from "./layers/ControlPlaneStatusListener.ts"
export * as CryptoSecureRandom from "./layers/CryptoSecureRandom.ts"
export * as EncryptedCache from "./layers/cache-keys/EncryptedCache.ts"
export * as SettingsCacheKeys from "./layers/cache-keys/SettingsCacheKeys.ts"
export * as TlsClusterTransport from "./layers/cluster-transport/TlsClusterTransport.ts"
export * as GeneratedServerCertificate from "./layers/credentials/GeneratedServerCertificate.ts"
export * as PemClusterIdentity from "./layers/credentials/PemClusterIdentity.ts"
export * as PemUpstreamCredentials from "./layers/credentials/PemUpstreamCredentials.ts"
export * as DiskConfigCache from "./layers/disk-cache/DiskConfigCache.ts"
export * as DnsResolver from "./layers/dns/DnsResolver.ts"
export * as EnvironmentSettings from "./layers/EnvironmentSettings.ts"
export * as FileDeclarativeConfig from "./layers/FileDeclarativeConfig.ts"
export * as FileErrorTemplates from "./layers/FileErrorTemplates.ts"
export * as FileIdentity from "./layers/FileIdentity.ts"
export * as GzipConfigReceiver from "./layers/GzipConfigReceiver.ts"
export * as HttpStatusListener from "./layers/HttpStatusListener.ts"
export * as HttpProxy from "./layers/http-proxy/HttpProxy.ts"
export * as WatchingLicenseGuard from "./layers/license/WatchingLicenseGuard.ts"
export * as GatheredFleetMetrics from "./layers/metrics/GatheredFleetMetrics.ts"
export * as GatheredNodeMetrics from "./layers/metrics/GatheredNodeMetrics.ts"
export * as NodeDisk from "./layers/NodeDisk.ts"
export * as OutletConnection from "./layers/outlet/OutletConnection.ts"
export * as PingHeartbeat from "./layers/PingHeartbeat.ts"
export * as RefLiveConfig from "./layers/RefLiveConfig.ts"
export * as StatFileWatch from "./layers/StatFileWatch.ts"
export * as TraditionalCompatibleRouter from "./layers/TraditionalCompatibleRouter.ts"
export * as TrustedClockOnDisk from "./layers/TrustedClockOnDisk.ts"
export * as SpoolDelivery from "./layers/telemetry-delivery/SpoolDelivery.ts"
export * as WebSocketDialer from "./layers/WebSocketDialer.ts"
export * as ZlibCompression from "./layers/ZlibCompression.ts"

export type { CompiledConfig } from "./model/CompiledConfig.ts"
export type { ConfigTable } from "./model/ConfigTable.ts"
export { type Fault, formatFault } from "./model/Fault.ts"
export * as Field from "./model/Field.ts"
export { effectiveSettings, type ParsedSettings, parseSettings, type SettingSources } from "./model/parseSettings.ts"
export {
  type Authenticated,
  type ConfigOf,
  definePlugin,
  type Plugin,
  type PluginAnswer,
  type PluginConnection,
  type PluginContext,
  type PluginHandler,
  type PluginNode,
  type PluginOutcome,
  type PluginRequest,
  type PluginResponse,
  type PluginSchema,
  type PluginScope
} from "./model/plugin/Plugin.ts"
export type { PluginCatalogue } from "./model/plugin/PluginCatalogue.ts"
export { type SettingName, type SettingValues, settingTable } from "./model/SettingTable.ts"
export type { RungSource, Snapshot, Source } from "./model/Snapshot.ts"
export type { Preference } from "./model/SourcePreference.ts"
export { isExpired } from "./model/Ttl.ts"
export { version } from "./model/version.ts"

export { builtinPlugins } from "./programs/builtinPlugins.ts"
export { ControlPlane, type ControlPlaneServices } from "./programs/ControlPlane.ts"
export { type ControlPlaneParts, controlPlaneParts } from "./programs/controlPlaneParts.ts"
export { DataPlane, type DataPlaneServices } from "./programs/DataPlane.ts"
export { type DataPlaneParts, dataPlaneParts } from "./programs/dataPlaneParts.ts"
export { type EmbeddedOptions, type Running, startControlPlane, startDataPlane } from "./programs/Embedded.ts"
export type { GivenSettings, ProgramOptions } from "./programs/parts.ts"

export * from "./services/CacheKeys.ts"
export * from "./services/CacheProtection.ts"
export * from "./services/ClusterDialer.ts"
export * from "./services/ClusterIdentity.ts"
export * from "./services/ClusterKeys.ts"
export * from "./services/ClusterTransport.ts"
export * from "./services/Compression.ts"
export * from "./services/ConfigCache.ts"
export * from "./services/ConfigCodec.ts"
export * from "./services/ConfigReceiver.ts"
export * from "./services/Connection.ts"
export * from "./services/ConnectionStatus.ts"
export * from "./services/control/ClusterHub.ts"
export * from "./services/control/ConfigStore.ts"
export * from "./services/control/FleetMetrics.ts"
export * from "./services/control/Ids.ts"
export * from "./services/control/Listeners.ts"
export * from "./services/control/Payloads.ts"
export * from "./services/control/Registry.ts"
export * from "./services/control/TelemetryStore.ts"
export * from "./services/DeclarativeConfig.ts"
export * from "./services/Disk.ts"
export * from "./services/ErrorTemplates.ts"
export * from "./services/FileWatch.ts"
export * from "./services/Heartbeat.ts"
export * from "./services/Identity.ts"
export * from "./services/Ladder.ts"
export * from "./services/LicenseGuard.ts"
export * from "./services/LiveConfig.ts"
export * from "./services/NodeHealth.ts"
export * from "./services/NodeMetrics.ts"
export * from "./services/Plugins.ts"
export * from "./services/Proxy.ts"
export * from "./services/ReconnectPolicy.ts"
export * from "./services/Reload.ts"
export * from "./services/RequestCounters.ts"
export * from "./services/RequestObservers.ts"
export * from "./services/Resolver.ts"
export * from "./services/Router.ts"
export * from "./services/Rung.ts"
export * from "./services/SecureRandom.ts"
export * from "./services/ServerCertificate.ts"
export * from "./services/Settings.ts"
export * from "./services/StartError.ts"
export * from "./services/StatusListener.ts"
export * from "./services/TelemetryDelivery.ts"
export * from "./services/TelemetryDialer.ts"
export * from "./services/TelemetrySpool.ts"
export * from "./services/TelemetryStatus.ts"
export * from "./services/TrustedClock.ts"
export * from "./services/UpstreamCredentials.ts"
