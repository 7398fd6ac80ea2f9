/** A whole control plane on free ports, and clients that speak to it as Kong's do. */
import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import type { CertificatePair } from "../../src/layers/ClusterCertificate.ts"
import { parseSettings } from "../../src/model/parseSettings.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { SettingValues } from "../../src/model/SettingTable.ts"
import { ControlPlane } from "../../src/programs/ControlPlane.ts"
import { AdminListener, ClusterListener } from "../../src/services/control/Listeners.ts"
import { Settings } from "../../src/services/Settings.ts"

/** A directory that is gone with the scope. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-cp-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
