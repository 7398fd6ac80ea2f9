/** What is shown of requests and targets: the settings of Kong's prometheus plugin, by its names. */
export const metricGroups = [
  "status_code_metrics",
  "latency_metrics",
  "bandwidth_metrics",
  "upstream_health_metrics",
  "per_consumer"
] as const

export type MetricGroup = (typeof metricGroups)[number]
