/** The gateway version that a node claims (`kong_version`), where configurations are kept by it: `resilience.md` §5.3. */

const parts = (version: string): ReadonlyArray<string> => (/^\d+(?:\.\d+)*/.exec(version)?.[0] ?? "").split(".")

/** `3.9.0` is `3.9.0.0` in keys of object storage; what comes behind the numbers is left out. */
export const fourParts = (version: string): string => [...parts(version), "0", "0", "0", "0"].slice(0, 4).join(".")

/**
 * Why a configuration that a node of the one version wrote down is not for a node of the other; `undefined` when it may
 * be. The tables of one major version are one format; what a newer minor version has in them is judged row by row when it
 * is validated.
 */
export const versionProblem = (writtenFor: string, own: string): string | undefined =>
  parts(writtenFor)[0] === parts(own)[0]
    ? undefined
    : `expected a configuration for gateway version ${parts(own)[0]}.x, for this node is ${own}; it was written for ${writtenFor}`
