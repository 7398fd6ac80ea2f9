/** What is mutated, and which tests have to notice. */

export interface Target {
  readonly name: string
  /** Patterns of files, as Stryker takes them. */
  readonly sources: ReadonlyArray<string>
  /** Patterns of test files; the quick ones first, for a mutant is done with at the first test that fails. */
  readonly tests: ReadonlyArray<string>
  /** Of all mutants, those that no test can notice among them. */
  readonly leastPercent: number
}

export const targets: ReadonlyArray<Target> = [
  {
    // Planted: what is known to survive, in every way that this tool plants a fault. Were it to find no survivor here, it would find none anywhere.
    name: "canary",
    sources: ["scripts/mutation/canary/lamp.ts"],
    tests: ["scripts/mutation/canary/lamp.test.ts"],
    leastPercent: 0
  },
  {
    name: "session",
    sources: ["src/model/session/*.ts", "src/model/reconnectDelay.ts"],
    tests: [
      "test/model/session/transcript.test.ts",
      "test/model/reconnectDelay.test.ts",
      "test/model/session/*.test.ts"
    ],
    leastPercent: 90
  },
  {
    name: "ladder",
    sources: [
      "src/model/{SourcePreference,CachedTable,TableContent}.ts",
      "src/services/{Ladder,LocalReload,askRemoteRungs,keepRemote,detachedWrites}.ts",
      "src/layers/RefLiveConfig.ts",
      "src/layers/disk-cache/*.ts"
    ],
    tests: [
      "test/model/{SourcePreference,CachedTable,TableContent}.test.ts",
      "test/services/{Ladder,LocalReload,followedFiles,askRemoteRungs,detachedWrites}.test.ts",
      "test/layers/{RefLiveConfig,RefLiveConfigTrouble,FileDeclarativeRung}.test.ts",
      "test/layers/disk-cache/*.test.ts"
    ],
    leastPercent: 90
  },
  {
    name: "licence",
    sources: [
      "src/model/{License,LicenseSignature,SigningKey,LicenseStanding,FoundLicense,KeptLicense,ExpiryWarnings}.ts",
      "src/services/LicenseGuard.ts",
      "src/layers/license/*.ts"
    ],
    tests: [
      "test/model/{License,LicenseSignature,LicenseStanding,FoundLicense,KeptLicense,ExpiryWarnings}.test.ts",
      "test/services/LicenseGuard.test.ts",
      "test/layers/license/*.test.ts"
    ],
    leastPercent: 90
  }
]

export const targetNamed = (name: string | undefined): Target | undefined =>
  targets.find((target) => target.name === name)
