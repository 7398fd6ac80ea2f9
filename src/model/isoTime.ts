/** Milliseconds since the epoch as the status API shows an instant; `null` for none. */
export const isoOrNull = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString()
