/**
 * The environment that Konnect hands out for a new data plane node, as its documentation shows it: names and forms, with
 * a host that does not exist.
 */
export const konnectEnvironment = (pair: { readonly cert: string; readonly key: string }) => ({
  KONG_ROLE: "data_plane",
  KONG_DATABASE: "off",
  KONG_VITALS: "off",
  KONG_CLUSTER_MTLS: "pki",
  KONG_CLUSTER_CONTROL_PLANE: "0a1b2c3d4e.us.cp0.konghq.invalid:443",
  KONG_CLUSTER_SERVER_NAME: "0a1b2c3d4e.us.cp0.konghq.invalid",
  KONG_CLUSTER_TELEMETRY_ENDPOINT: "0a1b2c3d4e.us.tp0.konghq.invalid:443",
  KONG_CLUSTER_TELEMETRY_SERVER_NAME: "0a1b2c3d4e.us.tp0.konghq.invalid",
  KONG_CLUSTER_CERT: pair.cert,
  KONG_CLUSTER_CERT_KEY: pair.key,
  KONG_LUA_SSL_TRUSTED_CERTIFICATE: "system",
  KONG_KONNECT_MODE: "on",
  KONG_CLUSTER_DP_LABELS: "type:docker-linuxdockerOS",
  KONG_ROUTER_FLAVOR: "expressions"
})
