/** The settings of this process, parsed and checked: plain values, fixed for as long as it runs. */
import { Context } from "effect"
import type { SettingValues } from "../model/SettingTable.ts"

export class Settings extends Context.Service<Settings, SettingValues>()("holdfast/services/Settings") {}
