import type { ProcessUse } from "../../model/metrics/ProcessUse.ts"

const microsPerSecond = 1e6

export const processUse = (): ProcessUse => {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return {
    rssBytes: rss,
    heapUsedBytes: heapUsed,
    heapTotalBytes: heapTotal,
    externalBytes: external,
    cpuSeconds: (user + system) / microsPerSecond,
    startedAtMs: performance.timeOrigin
  }
}
