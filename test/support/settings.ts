/** Settings as a user would give them, for tests: `settings({ prefix: "/tmp/x" })`. */
import { Layer } from "effect"
import { formatFault } from "../../src/model/Fault.ts"
import { parseSettings } from "../../src/model/parseSettings.ts"
import type { SettingName, SettingValues } from "../../src/model/SettingTable.ts"
import { Settings } from "../../src/services/Settings.ts"

export const settings = (given: Partial<Record<SettingName, string>> = {}): SettingValues => {
  const { values, faults } = parseSettings({ env: {}, command: given })
  if (faults.length > 0) throw new Error(faults.map(formatFault).join("; "))
  return values
}

export const settingsLayer = (given: Partial<Record<SettingName, string>> = {}): Layer.Layer<Settings> =>
  Layer.succeed(Settings, settings(given))
