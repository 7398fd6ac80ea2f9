/** Milliseconds since the epoch as OTLP writes instants. Microseconds are what a number can hold of this century. */
export const unixNanos = (ms: number): string => `${Math.round(ms * 1000)}000`
